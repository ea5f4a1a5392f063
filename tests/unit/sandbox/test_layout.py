# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox.layout import Layout, default_root
from amphora_image.sandbox.logs import begin_anew, tail


def test_the_folder_follows_xdg():
    assert default_root("a", {"XDG_STATE_HOME": "/state"}) == pathlib.Path("/state/amphora-image/sandbox/a")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/etc"])
def test_a_name_cannot_lead_elsewhere(name):
    with pytest.raises(SandboxError, match="no name for a sandbox"):
        default_root(name, {})


def test_a_folder_with_somebody_elses_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SandboxError, match=r"holds 'thesis\.tex'"):
        Layout(tmp_path).create()


def test_what_a_killed_start_left_is_taken_over_and_closed_to_others(tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "state.new").touch()
    Layout(tmp_path).create()
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def test_the_end_of_a_log_is_read_and_a_missing_one_is_empty(tmp_path):
    (tmp_path / "a.log").write_text("one\ntwo\nthree\n")
    assert tail(tmp_path / "a.log", 2) == ["two", "three"]
    assert tail(tmp_path / "a.log", 0) == []
    assert tail(tmp_path / "b.log", 2) == []


def test_one_former_log_is_kept_beside_the_present_one(tmp_path):
    for run in ("first", "second"):
        (tmp_path / "a.log").write_text(run)
        begin_anew(tmp_path)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.log.1": "second"}


def test_importing_the_package_loads_no_service_and_no_client():
    code = (
        "import sys, amphora_image.sandbox; "
        "print(*{'keystoneauth1', 'psutil', 'psycopg2', 'nova', 'keystone', 'yaml'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ""
