# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest
from support.program import AMPHORA_IMAGE, run

from amphora_image.cli.main import main


@pytest.mark.parametrize("seconds", ["inf", "nan", "0", "-1", "soon"])
def test_a_deadline_that_is_none_is_a_usage_error(seconds, tmp_path, capsys):
    """Finding: "`sandbox up --deadline inf|nan|0|-1` must be a clear usage error (exit 2)"."""
    with pytest.raises(SystemExit) as ended:
        main(["sandbox", "up", "--dir", str(tmp_path / "box"), f"--deadline={seconds}"])
    assert ended.value.code == 2
    assert f"{seconds!r} is no number of seconds above 0" in capsys.readouterr().err
    assert not (tmp_path / "box").exists()


@pytest.mark.parametrize("command", ["status", "env", "logs"])
def test_a_state_that_cannot_be_read_is_no_defect(command, tmp_path):
    """Finding: "Unreadable `state.json` … is reported as "a defect of amphora-image""."""
    (tmp_path / "state.json").mkdir()  # not even root can read that
    done = run([AMPHORA_IMAGE, "sandbox", command, "--dir", tmp_path], tmp_path)
    done.failed(1, "state.json cannot be read", "run this as its owner, or make it readable to you")
