# SPDX-License-Identifier: Apache-2.0
"""A build's folder in memory: seen by the build alone, gone with it, and told of when it is full."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.program import run

_IN_MEMORY = """
import os, pathlib, sys
from amphora_image.build.builder.folder import work_folder
with work_folder(pathlib.Path(sys.argv[1]), 1 << 27) as folder:
    (folder / "tree").write_bytes(b"x" * 1000)
    print(folder, flush=True)
    {then}
"""


def told(then, tmp_path, *before):
    """Run a program that works in a folder in memory."""
    return run([*before, sys.executable, "-c", _IN_MEMORY.format(then=then), tmp_path], tmp_path)


def test_what_is_in_memory_is_seen_inside_alone_and_gone_afterwards(tmp_path):
    then = "print(os.listdir(folder), os.system(f'ls {folder}'), flush=True); sys.stdin.read()"
    script = _IN_MEMORY.format(then=then)
    command = [sys.executable, "-c", script, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline() for _ in range(3)]
        [folder] = tmp_path.iterdir()
        assert [path.name for path in folder.iterdir()] == ["in-use"]
        process.communicate("")
    assert lines[1:] == ["tree\n", "['tree'] 0\n"]
    assert list(tmp_path.iterdir()) == []
    assert process.returncode == 0


def test_a_killed_process_leaves_nothing_of_it_on_the_disk(tmp_path):
    assert told("os.kill(os.getpid(), 9)", tmp_path).code == -9
    [folder] = tmp_path.iterdir()
    assert [path.name for path in folder.iterdir()] == ["in-use"]
    assert str(tmp_path) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


_FILL = "from amphora_image.build.programs import run; run('cp', '/dev/zero', folder / 'full', folder={place})"


@pytest.mark.parametrize("place", ["folder", "folder.parent"])
def test_a_full_memory_is_told_with_the_way_out(tmp_path, place):
    ended = told(_FILL.format(place=place), tmp_path)
    assert "there is no room in the memory mounted on" in ended.stderr.splitlines()[-1]
    assert "build on the disk (--no-tmpfs)" in ended.stderr.splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_hook_that_found_no_room_did_so_in_memory_though_its_tree_is_gone(tmp_path):
    then = "from amphora_image.errors import DiskFullError; raise DiskFullError(str(folder), 'full')"
    assert "build on the disk (--no-tmpfs)" in told(then, tmp_path).stderr


def test_a_full_disk_is_told_as_before_where_the_output_is_beside_the_memory(tmp_path):
    then = "from amphora_image.errors import DiskFullError; raise DiskFullError(sys.argv[1], 'full')"
    assert f"no room in {tmp_path}: full; free some, or name another place" in told(then, tmp_path).stderr


def test_who_may_not_mount_works_on_the_disk(tmp_path):
    ended = told("print(os.path.ismount(folder))", tmp_path, "setpriv", "--bounding-set=-sys_admin")
    assert ended.code == 0, ended.stderr
    assert ended.stdout.splitlines()[1] == "False"
    assert list(tmp_path.iterdir()) == []
