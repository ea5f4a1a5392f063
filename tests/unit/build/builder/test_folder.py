# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import contextlib
import errno
import os

import pytest

from amphora_image.build.builder.folder import part_of, sweep, work_folder, writing
from amphora_image.errors import DestinationError, DiskFullError


def test_a_build_has_a_folder_of_its_own_and_leaves_none(tmp_path):
    with work_folder(tmp_path) as one, work_folder(tmp_path) as other:
        assert one != other
        (one / "deep").mkdir()
        assert sweep(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_told_by_the_place_that_is_still_there_afterwards(tmp_path):
    with pytest.raises(DiskFullError) as caught, work_folder(tmp_path) as folder:
        raise DiskFullError(str(folder / "disk"), "full")
    assert caught.value.path == str(tmp_path)


def test_the_folder_of_a_killed_build_is_removed_by_the_next(tmp_path):
    """The issue: "a build killed at each phase and run again"."""
    child = os.fork()
    if not child:
        with work_folder(tmp_path) as folder:
            (folder / "tree").mkdir()
            os.kill(os.getpid(), 9)
    os.waitpid(child, 0)
    [left] = tmp_path.iterdir()
    with work_folder(tmp_path) as folder:
        assert not left.exists()
        assert list(tmp_path.iterdir()) == [folder]


def test_only_folders_of_builds_are_swept_and_no_symlink_is_followed(tmp_path):
    (tmp_path / "another").mkdir()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "in-use").touch()
    (tmp_path / "amphora-image-build-link").symlink_to(tmp_path / "target")
    (tmp_path / "amphora-image-build-begun").mkdir()
    assert sweep(tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} >= {"another", "target", "amphora-image-build-begun"}


def test_an_output_is_there_when_it_is_whole_and_not_before(tmp_path):
    with part_of(tmp_path / "image") as part:
        part.write_bytes(b"image")
        assert not (tmp_path / "image").exists()
    assert (tmp_path / "image").read_bytes() == b"image"
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_a_build_that_fails_leaves_what_was_there(tmp_path):
    (tmp_path / "image").write_bytes(b"former")
    with contextlib.suppress(KeyboardInterrupt), part_of(tmp_path / "image") as part:
        part.write_bytes(b"half")
        raise KeyboardInterrupt
    assert (tmp_path / "image").read_bytes() == b"former"
    assert [path.name for path in tmp_path.iterdir()] == ["image"]


def test_two_builds_do_not_write_one_output_and_what_a_killed_one_left_is_taken_over(tmp_path):
    (tmp_path / ".image.part").write_bytes(b"of a killed build")
    with part_of(tmp_path / "image") as part:
        part.write_bytes(b"image")
        with pytest.raises(DestinationError, match="another build is writing it"), part_of(tmp_path / "image"):
            pass
        assert part.exists()
    assert (tmp_path / "image").read_bytes() == b"image"


def test_what_cannot_be_written_is_named_by_our_errors(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match="file/cache cannot be written: Not a directory"), writing(tmp_path):
        (tmp_path / "file" / "cache").mkdir(parents=True)
    with pytest.raises(DiskFullError, match=f"no room in {tmp_path}: No space left"), writing(tmp_path):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    with (
        pytest.raises(DestinationError, match=r"file/\S+ cannot be written: Not a directory"),
        work_folder(tmp_path / "file"),
    ):
        pytest.fail("there is no such folder")
