# SPDX-License-Identifier: Apache-2.0
import gc
import io
import subprocess
import sys

import pytest

from amphora_image.cli.program import ended


@pytest.fixture(autouse=True)
def _frozen():
    yield
    gc.unfreeze()


def interrupted():
    raise KeyboardInterrupt


@pytest.mark.parametrize("run", [interrupted, lambda: 130], ids=["while it is loaded", "in a command"])
def test_an_interrupt_is_one_line_and_the_shells_own_code(run):
    out = io.StringIO()
    assert ended(run, out) == 130
    assert out.getvalue() == "amphora-image: interrupted\n"


def test_else_the_code_is_the_commands_own_and_nothing_is_told():
    out = io.StringIO()
    assert [ended(lambda code=code: code, out) for code in (0, 4)] == [0, 4]
    assert not out.getvalue()


def test_what_the_caller_closed_is_no_other_file():
    program = (
        "import os, sys; from amphora_image.cli.program import open_standard_streams; open_standard_streams(); "
        "print('x'); sys.stderr.write('x'); sys.stdin.read(); sys.stdout.flush(); "
        "sys.exit({os.readlink(f'/proc/self/fd/{n}') for n in range(3)} != {os.devnull})"
    )
    shell = ["sh", "-c", 'exec "$0" -c "$1" <&- >&- 2>&-', sys.executable, program]
    assert subprocess.run(shell, check=False).returncode == 0
