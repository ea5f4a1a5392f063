# SPDX-License-Identifier: Apache-2.0
"""What diskimage-builder runs in: its name spaces, and what stands for sudo there."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from amphora_image.build.builder.enclosure import Enclosure, place_stand_ins

_STARTER = """
import os, pathlib, sys
from amphora_image.build.builder.enclosure import Enclosure
folder = pathlib.Path(sys.argv[1])
script = f'mount -t tmpfs none {folder}/mnt && (setsid sleep 1000 &) && echo ready && exec sleep 1000'
with Enclosure(["sh", "-c", script], environment=os.environ, folder=folder) as enclosure:
    print(os.read(enclosure.output, 100).decode(), flush=True)
    enclosure.wait()
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "mnt").mkdir()
    return tmp_path


def inside(folder):
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if str((each / "cwd").readlink()) == str(folder) and int(each.name) != os.getpid():
                found.append(int(each.name))
        except OSError:
            continue
    return found


def test_what_is_mounted_inside_is_not_seen_outside(folder):
    script = f"mount -t tmpfs none {folder}/mnt && touch {folder}/mnt/file && ls {folder}/mnt"
    with Enclosure(["sh", "-c", script], environment=os.environ, folder=folder) as enclosure:
        assert os.read(enclosure.output, 100) == b"file\n"
        assert enclosure.wait() == 0
    assert list((folder / "mnt").iterdir()) == []


def test_what_is_made_inside_can_be_read_by_others_whatever_whoever_builds_has_set(folder):
    before = os.umask(0o077)
    try:
        with Enclosure(["mkdir", folder / "made"], environment=os.environ, folder=folder) as enclosure:
            assert enclosure.wait() == 0
    finally:
        os.umask(before)
    assert (folder / "made").stat().st_mode & 0o777 == 0o755


def test_kill_9_of_whoever_built_it_leaves_no_process_and_no_mount(folder):
    """The issue: "kill -9 leave no mount, loop device or chroot process"; a daemon in a session of its own neither."""
    started = subprocess.Popen([sys.executable, "-c", _STARTER, folder], stdout=subprocess.PIPE, text=True)
    with started:
        assert started.stdout.readline() == "ready\n"
        assert len(inside(folder)) >= 3
        started.kill()
    ends = time.monotonic() + 20
    while inside(folder):
        assert time.monotonic() < ends, inside(folder)
        time.sleep(0.05)
    assert str(folder) not in Path("/proc/self/mounts").read_text()


def test_its_end_waits_until_all_inside_is_gone(folder):
    with Enclosure(
        ["sh", "-c", "(setsid sleep 1000 &) ; echo x; sleep 1000"], environment=os.environ, folder=folder
    ) as one:
        os.read(one.output, 10)
    assert inside(folder) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["id", "-un"], "root"),
        (["-E", "-n", "sh", "-c", "echo $MORE"], "more"),
        (["MORE=other", "sh", "-c", "echo $MORE"], "other"),
        (["-u", "nobody", "id", "-un"], "nobody"),
        (["--user=nobody", "--", "id", "-un"], "nobody"),
        (["chroot", "/", "sh", "-c", "echo ${TMPDIR-none} ${REQUESTS_CA_BUNDLE-none} $MORE"], "none none more"),
    ],
)
def test_what_stands_for_sudo_does_what_scripts_expect(tmp_path, arguments, told):
    """The facts: a leaked TMPDIR breaks scripts in the chroot, a leaked REQUESTS_CA_BUNDLE points at no file there."""
    environ = {"PATH": os.environ["PATH"], "MORE": "more", "TMPDIR": "/nowhere", "REQUESTS_CA_BUNDLE": "/nowhere"}
    command = [place_stand_ins(tmp_path) / "sudo", *arguments]
    assert subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout.strip() == told


def test_no_build_waits_until_all_that_others_wrote_is_on_the_disk(tmp_path):
    """diskimage-builder calls sync, and a root file system that is read once need not be written anywhere."""
    assert shutil.which("sync", path=str(place_stand_ins(tmp_path))) == str(tmp_path / "bin" / "sync")
    assert subprocess.run([tmp_path / "bin" / "sync"], check=True, capture_output=True).stdout == b""
