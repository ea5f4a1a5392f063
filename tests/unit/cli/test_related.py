# SPDX-License-Identifier: Apache-2.0
import uuid

from amphora_image.cli.related import Generate


def test_an_installation_gets_its_uuid():
    names, (ini, option) = Generate(None, None).take_action(None)
    assert names == ("ini", "option")
    assert uuid.UUID(ini.removeprefix("[relation]\nnova_installation_uuid = "))
    assert ini.endswith(option.removeprefix("--nova-installation-uuid="))
