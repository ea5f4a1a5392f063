# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os

import pytest

from amphora_image.build.builder.stages import KEPT_SECONDS, Stages
from amphora_image.errors import ProgramFailedError

LINE = "deb http://mirror.example.org/debian trixie main\n"
LIST = "var/lib/apt/lists/mirror.example.org_debian_dists_trixie_InRelease"


@pytest.fixture
def tree(tmp_path):
    for name in ("etc/apt", "var/lib/apt/lists", "proc", "tmp/in_target.d", "gone/by/then"):
        (tmp_path / "tree" / name).mkdir(parents=True)
    (tmp_path / "tree" / "etc/apt/sources.list").write_text(LINE)
    (tmp_path / "tree" / LIST).write_text("index")
    (tmp_path / "tree" / "link").symlink_to("etc")
    return tmp_path / "tree"


class Mirror:
    """Says what it is told to."""

    current = True

    def __call__(self, indexes):
        assert list(indexes) == ["http://mirror.example.org/debian/dists/trixie/InRelease"]
        return self.current


@pytest.fixture
def mirror():
    return Mirror()


@pytest.fixture
def stages(tmp_path, mirror):
    return Stages(tmp_path / "cache", mirror)


def later(stages, seconds):
    return Stages(stages.folder, stages.current, lambda: stages.now() + seconds)


def test_what_was_kept_is_found_again_and_the_tree_made_of_it_whatever_was_there(stages, tree):
    assert stages.keep("base-1", tree)
    (tree / "etc/apt/sources.list").write_text("changed")
    (tree / "etc/new").write_text("new")
    (tree / "new/folder").mkdir(parents=True)
    (tree / "link").unlink()
    place = (tree / "proc").stat().st_ino
    stages.unpack(stages.find("base-1"), tree)
    assert (tree / "etc/apt/sources.list").read_text() == LINE
    assert sorted(path.name for path in tree.iterdir()) == ["etc", "gone", "link", "proc", "tmp", "var"]
    assert not (tree / "etc/new").exists()
    assert (tree / "link").is_symlink()
    assert not (tree / "tmp/in_target.d").exists()
    assert (tree / "proc").stat().st_ino == place  # something may be mounted there


def test_nothing_is_used_when_the_mirror_has_published_something_since(stages, tree, mirror):
    stages.keep("base-1", tree)
    mirror.current = False
    assert stages.find("base-1") is None


def test_nothing_is_used_for_longer_than_a_day_nor_when_it_is_cut_off(stages, tree):
    stages.keep("base-1", tree)
    assert later(stages, KEPT_SECONDS - 60).find("base-1")
    assert later(stages, KEPT_SECONDS + 1).find("base-1") is None
    with (stages.folder / "base-1.tar").open("r+b") as file:
        file.truncate(512)
    assert stages.find("base-1") is None
    (stages.folder / "base-1.json").write_text("{")
    assert stages.find("base-1") is None


def test_what_is_damaged_is_removed_so_that_the_next_build_makes_it_anew(stages, tree):
    stages.keep("base-1", tree)
    archive = stages.find("base-1")
    archive.write_bytes(b"x" * archive.stat().st_size)
    with pytest.raises(ProgramFailedError, match="tar: This does not look like a tar archive"):
        stages.unpack(archive, tree)
    assert stages.find("base-1") is None


@pytest.mark.parametrize(
    "line", ["deb http://user:word@mirror.example.org/debian trixie main", "deb cdrom:/x sid main"]
)
def test_a_tree_is_not_kept_whose_mirror_cannot_be_asked_or_has_an_account(stages, tree, line):
    (tree / "etc/apt/sources.list").write_text(line)
    (tree / LIST).with_name("user:word%40mirror.example.org_debian_dists_trixie_InRelease").write_text("index")
    assert not stages.keep("base-1", tree)
    assert not stages.folder.exists()


def test_a_tree_without_the_index_that_apt_read_is_not_kept(stages, tree):
    (tree / LIST).unlink()
    assert not stages.keep("base-1", tree)


def test_the_cache_is_ours_alone_and_what_is_old_or_left_by_a_killed_build_is_removed(stages, tree):
    stages.keep("base-1", tree)
    assert stages.folder.stat().st_mode & 0o777 == 0o700
    left = stages.folder / ".killed" / "part"
    left.parent.mkdir()
    left.write_text("part")
    os.utime(stages.folder / "base-1.tar", (0, 0))
    later(stages, 0).prune()
    assert left.exists()  # by a build that may be running
    later(stages, KEPT_SECONDS + 60).prune()
    later(stages, 2 * KEPT_SECONDS).prune()
    assert list(stages.folder.iterdir()) == []
