# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from amphora_image.build.builder.keeping import Keeper
from amphora_image.build.builder.questions import Questions

MOUNTS = "#!/bin/sh\nsudo mount --bind $CACHE $TARGET_ROOT/var/cache\n"


class Kept:
    """Keeps stages as folders, unless it cannot."""

    def __init__(self, folder, fault=None):
        self.folder, self.fault = folder, fault

    def find(self, key):
        return self.folder / key if (self.folder / key).exists() else None

    def keep(self, key, tree):
        if isinstance(self.fault, Exception):
            raise self.fault
        if self.fault is None:
            shutil.copytree(tree, self.folder / key)
        return self.fault is None

    def unpack(self, archive, tree):
        shutil.rmtree(tree)
        shutil.copytree(archive, tree)


class Build:
    """A build as diskimage-builder does it, as far as the keeper sees; hooks write what they are called into the tree."""

    def __init__(self, folder, cache, **changes):
        self.told, self.logged, self.ran = [], [], []
        self.changes = {"hooks": {}, "env": {}, "put": "same", "packages": (), "fault": None, **changes}
        self.folder = folder
        kept = Kept(cache, self.changes["fault"])
        self.keeper = Keeper(kept, folder, self.changes["packages"], tell=self.told.append, log=self.logged.append)
        self.build = folder / f"dib_build.{folder.name}"
        self.tree = self.build / "mnt"

    def run(self):
        self.tree.mkdir(parents=True)
        hooks = {
            "root.d/08-system": "x", "root.d/50-shared-cache": MOUNTS, "root.d/00-kept-stages": "ours",
            "root.d/99-zz-kept-stages": "ours",
            "install.d/10-install": "x", "pre-install.d/10-prepare": "x", "post-install.d/10-late": "x",
            **self.changes["hooks"],
        }  # fmt: skip
        for name, text in hooks.items():
            path = self.build / "hooks" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        variables = {
            "DIB_RELEASE": "sid",
            "TMP_DIR": str(self.folder),
            "SHLVL": str(os.getpid()),
            **self.changes["env"],
        }
        variables["IMAGE_ELEMENT"] = " ".join(hooks)
        text = "\0".join(f"{name}={value}" for name, value in variables.items())
        (self.folder / "environment").write_text(f"{text}\0TMP_BUILD_DIR={self.build}\0")
        self.keeper.answer("begin")
        self.phase("root.d")
        self.keeper.answer("base")
        (self.tree / "collected").write_text(self.changes["put"])
        self.keeper.answer("collected")
        self.phase("pre-install.d")
        self.phase("install.d")
        self.keeper.answer("installed")
        self.phase("post-install.d")
        return self

    def phase(self, name):
        for hook in sorted((self.build / "hooks" / name).iterdir()):
            if hook.read_text() != "#!/bin/sh\n":
                self.ran.append(hook.name)
                (self.tree / hook.name).write_text(hook.read_text())


ALWAYS = ["00-kept-stages", "50-shared-cache", "99-zz-kept-stages", "10-late"]


@pytest.fixture
def build(tmp_path):
    numbers = iter(range(9))

    def run(**changes):
        folder = tmp_path / f"work{next(numbers)}"
        folder.mkdir()
        return Build(folder, tmp_path / "cache", **changes).run()

    return run


def test_of_the_same_again_only_what_is_late_is_done(build):
    first, second = build(), build()
    begun = ["00-kept-stages", "08-system", "50-shared-cache", "99-zz-kept-stages"]
    assert first.ran == [*begun, "10-prepare", "10-install", "10-late"]
    assert second.ran == ALWAYS
    names = lambda one: sorted(path.name for path in one.tree.iterdir())  # noqa: E731 - one line
    assert names(first) == names(second)
    assert second.told == [
        "taking from the cache: the base system",
        "taking from the cache: the system with all installed",
    ]


def test_a_late_hook_that_changed_is_run_on_what_is_kept(build):
    build()
    assert build(hooks={"post-install.d/10-late": "other"}).ran == ALWAYS


@pytest.mark.parametrize(
    "changes",
    [
        {"hooks": {"install.d/10-install": "other"}},
        {"hooks": {"install.d/20-more": "x"}},
        {"hooks": {"package-installs.json": "{}"}},
        {"put": "another key of an administrator"},
        {"packages": ("vim",)},
    ],
    ids=["hook", "one more", "packages", "what is put in", "-p"],
)
def test_what_installs_otherwise_begins_with_the_base_system(build, changes):
    build()
    ran = build(**changes).ran
    assert "08-system" not in ran
    assert "10-install" in ran


@pytest.mark.parametrize(
    "changes",
    [{"hooks": {"root.d/08-system": "other"}}, {"env": {"DIB_RELEASE": "trixie"}}, {"env": {"ANYTHING": "else"}}],
    ids=["hook", "release", "any variable"],
)
def test_what_makes_another_base_system_begins_anew(build, changes):
    build()
    assert "08-system" in build(**changes).ran


def test_what_cannot_be_told_to_be_current_is_not_kept_and_the_build_goes_on(build):
    first = build(fault="nobody can tell")
    assert first.logged[0] == "the base system is not kept: by which indexes it was chosen cannot be told"
    assert build().ran == first.ran


def test_a_cache_that_cannot_be_written_is_noted_and_the_build_goes_on(build):
    ended = build(fault=OSError(28, "No space left on device"))
    assert ended.logged[0].startswith("the base system is not kept: ")
    assert ended.ran[-1] == "10-late"


def test_a_hook_is_answered_when_what_it_asked_for_is_done(tmp_path):
    asked = []
    questions = Questions(tmp_path, asked.append)
    heard = []

    def hook():
        (tmp_path / "question").write_text("begin\n")
        with Path(tmp_path / "answer").open() as answer:
            heard.append(answer.readline())

    thread = threading.Thread(target=hook)
    thread.start()
    questions.take()
    thread.join(5)
    questions.close()
    assert (asked, heard) == (["begin"], ["done\n"])
