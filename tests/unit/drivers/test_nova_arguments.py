# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.config import load
from amphora_image.drivers.nova import NovaComputeDriver
from amphora_image.errors import ConfigurationError


@pytest.mark.parametrize(
    "given",
    [
        {"config_drive_files": {"/x": None}},
        {"config_drive_files": {"/x": 5}},
        {"config_drive_files": ["/x"]},
        {"user_data": 5},
    ],
)
def test_contents_that_cannot_be_sent_are_told_before_anything_is(tmp_path, given):
    ini = tmp_path / "x.ini"
    ini.write_text("")
    with pytest.raises(ConfigurationError, match="pass a"):
        NovaComputeDriver(load([str(ini)])).build(**given)
