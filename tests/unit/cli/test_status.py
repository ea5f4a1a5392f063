# SPDX-License-Identifier: Apache-2.0
import json

import pytest

from amphora_image.cli.status import main

CANARY = "canary-4711"


def test_what_cannot_be_checked_is_a_failure_and_no_traceback(tmp_path, capsys):
    ini = tmp_path / "x.ini"
    ini.write_text("[controller_worker]\namp_image_tag = amphora\n")
    assert main(["--config-file", str(ini), "upgrade", "check", "--json"]) == 2
    (check,) = json.loads(capsys.readouterr().out)["checks"]
    assert (check["check"], check["result"]) == ("configuration", 2)
    assert "[service_auth]" in check["details"]


@pytest.mark.parametrize(
    "text", [f"[service_auth]\npassword {CANARY}\n", "[amphora_image]\npair_window_seconds = soon\n"]
)
def test_a_file_that_cannot_be_read_ends_with_2(tmp_path, capsys, text):
    ini = tmp_path / "x.ini"
    ini.write_text(text)
    assert main(["--config-file", str(ini), "upgrade", "check", "--json"]) == 2
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err
    assert CANARY not in told.out + told.err


def test_a_missing_file_ends_with_2_and_one_line(tmp_path, capsys):
    assert main(["--config-file", str(tmp_path / "nowhere"), "upgrade", "check"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
