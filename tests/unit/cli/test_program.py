# SPDX-License-Identifier: Apache-2.0
import gc
import io

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
