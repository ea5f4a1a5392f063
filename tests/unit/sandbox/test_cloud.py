# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil
import sys
import uuid

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox import Sandbox
from amphora_image.sandbox.processes import Launch, environment, start


def test_an_extra_that_nobody_knows_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(SandboxError, match=r"no 'trove' to be brought up with; use one of octavia"):
        Sandbox(tmp_path / "sandbox").up(with_=("trove",))
    assert not (tmp_path / "sandbox").exists()


def test_a_compute_driver_that_is_not_installed_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(SandboxError, match=r"no compute driver 'nova'.*compute_nova_driver"):
        Sandbox(tmp_path / "sandbox").up(with_=("octavia",), compute_driver="nova")
    assert not (tmp_path / "sandbox" / "state.json").exists()


def test_a_compute_driver_without_octavia_is_refused(tmp_path):
    with pytest.raises(SandboxError, match="add --with octavia"):
        Sandbox(tmp_path / "sandbox").up(compute_driver="compute_nova_driver")


@pytest.fixture
def left_running(tmp_path):
    """A process of a sandbox in ``tmp_path / "box"``, of which there is nothing else."""
    root = tmp_path / "box"
    root.mkdir()
    environ = environment(str(uuid.uuid4()), "nova", {}, root=root)
    started = start(Launch([sys.executable, "-c", "import time; time.sleep(600)"], environ, root, tmp_path / "log"))
    yield started
    started.kill()
    started.wait()


def test_down_ends_what_runs_of_a_deleted_sandbox(left_running, tmp_path):
    """Finding: "`rm -rf` of a running sandbox's folder, then `down`: its processes still run"."""
    shutil.rmtree(tmp_path / "box")
    Sandbox(tmp_path / "box").down()
    assert left_running.poll() is not None
    assert not (tmp_path / "box").exists()


def test_down_ends_and_removes_a_sandbox_whose_state_is_broken(left_running, tmp_path):
    (tmp_path / "box" / "state.json").write_text("{")
    Sandbox(tmp_path / "box").down(remove=True)
    assert left_running.poll() is not None
    assert not (tmp_path / "box").exists()


def test_up_of_a_broken_state_leaves_nothing_running_and_names_the_command_that_removes_it(left_running, tmp_path):
    (tmp_path / "box" / "state.json").write_text("{")
    with pytest.raises(SandboxError, match=f"`amphora-image sandbox down --remove --dir {tmp_path}/box`"):
        Sandbox(tmp_path / "box").up()
    assert left_running.poll() is not None


def test_a_folder_with_a_state_that_is_not_ours_is_not_removed(tmp_path):
    for name in ("state.json", "thesis.tex"):
        (tmp_path / name).touch()
    with pytest.raises(SandboxError, match=r"holds 'thesis\.tex'"):
        Sandbox(tmp_path).down(remove=True)
    assert (tmp_path / "thesis.tex").exists()
