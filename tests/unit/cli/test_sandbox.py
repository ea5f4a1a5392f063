# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import signal
import sys

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


# The state's file is a directory, so that `up` ends with an error once it gets as far as that, and starts nothing.
_SWALLOWED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
number = int(sys.argv.pop())
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "amphora_image.sandbox.cloud":
            try:
                os.kill(os.getpid(), number)
            except BaseException:
                print("swallowed", file=sys.stderr)
sys.meta_path.insert(0, Finder())
from amphora_image.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_that_an_import_swallows_is_heeded_all_the_same(number, code, tmp_path):
    """Finding: "one SIGINT at 1.5 s into `up` had no effect once in about 60 tries"."""
    (tmp_path / "box" / "state.json").mkdir(parents=True)
    done = run([sys.executable, "-c", _SWALLOWED, "sandbox", "up", "--dir", tmp_path / "box", int(number)], tmp_path)
    assert "swallowed" in done.stderr
    assert done.code == code
