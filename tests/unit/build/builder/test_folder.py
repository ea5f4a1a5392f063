# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

from amphora_image.build.builder.folder import sweep, work_folder


def test_a_build_has_a_folder_of_its_own_and_leaves_none(tmp_path):
    with work_folder(tmp_path) as one, work_folder(tmp_path) as other:
        assert one != other
        (one / "deep").mkdir()
        assert sweep(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


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
