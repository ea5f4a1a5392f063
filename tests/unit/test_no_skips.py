# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

TESTS = pathlib.Path(__file__).parents[1]

SKIPS = """
import pytest
@pytest.mark.skip(reason="by a mark")
def test_marked(): pass
def test_inside(): pytest.skip("on the way")
@pytest.mark.xfail(reason="known")
def test_expected(): assert False
def test_passing(): pass
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "test_skips.py").write_text(SKIPS)

    def run(**environment):
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(TESTS), **environment}
        command = [sys.executable, "-m", "pytest", "-p", "conftest", "-p", "no:cacheprovider", str(tmp_path)]
        return subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_a_skip_is_a_failure_where_that_is_asked_for(run):
    done = run(AMPHORA_IMAGE_NO_SKIPS="1")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed, 1 xfailed, 1 error" in done.stdout
    assert "by a mark; AMPHORA_IMAGE_NO_SKIPS is set" in done.stdout
    assert "on the way; AMPHORA_IMAGE_NO_SKIPS is set" in done.stdout


def test_a_skip_is_a_skip_otherwise(run):
    done = run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed, 2 skipped, 1 xfailed" in done.stdout
