# SPDX-License-Identifier: Apache-2.0
"""The demo tells the truth: it runs as a user runs it, and what it claims is read out of what it prints."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from support.program import run

DEMO = Path(__file__).parents[2] / "examples" / "demo.py"
UUID = r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})"
SCREEN_LINES = 40


@pytest.fixture(scope="module")
def ended(tmp_path_factory):
    """The demo, run to its end, and the place in which it made its folder."""
    home, place = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("demo")
    return place, run([sys.executable, DEMO], home, environ={"TMPDIR": str(place), "SMALL": "1"}, timeout=300)


@pytest.fixture(scope="module")
def story(ended):
    """What it told, by the number of the chapter, each folded into one line."""
    _, program = ended
    assert (program.code, program.stderr) == (0, ""), program.stdout
    chapters = re.split(r"^(\d)\. ", program.stdout, flags=re.MULTILINE)
    return {int(number): " ".join(text.split()) for number, text in zip(chapters[1::2], chapters[2::2], strict=True)}


@pytest.fixture(scope="module")
def v1(story):
    return re.search(f"Image v1 {UUID} is tagged `amphora`", story[2])[1]


@pytest.fixture(scope="module")
def v2(story):
    return re.search(f"Image v2 {UUID} is tagged", story[3])[1]


@pytest.fixture(scope="module")
def foreign(story):
    return re.search(f"his own private image {UUID} `amphora`", story[4])[1]


def test_the_story_is_told_in_under_a_screen(ended, story):
    """`make demo` tells the story in under a screen of plain, good-looking text."""
    lines = ended[1].stdout.splitlines()

    assert list(story) == [1, 2, 3, 4, 5, 6]
    assert len(lines) <= SCREEN_LINES
    assert ended[1].stdout.isascii()


def test_every_service_comes_up_on_loopback(story):
    """Real Keystone, Glance, Placement, Nova (fake hypervisor) and the Neutron API come up on loopback ports."""
    for service in ("PostgreSQL", "Keystone", "Glance", "Placement", "Nova", "Neutron"):
        assert re.search(rf"{service} [\d.]+ ready +[\d.]+ s +(http://)?127\.0\.0\.1:\d+", story[1]), service


def test_the_driver_boots_v1_and_then_v2(story, v1, v2):
    """Image v1 is tagged and booted; the same running driver object boots the next amphora from v2."""
    assert v1 != v2
    assert "It is an empty disk, for no image that boots was built here: SMALL=1 is set" in story[2]
    assert re.search(rf"amphora-1 is ACTIVE after [\d.]+ s, booted from {v1} \(amphora v1\)", story[2])
    assert re.search(rf"amphora-2 is ACTIVE after [\d.]+ s, booted from {v2} \(amphora v2\)", story[3])


def test_octavias_own_look_up_chooses_the_strangers_image_and_ours_does_not(story, v1, v2, foreign):
    """Octavia's own look-up is shown choosing that one; ours does not, and the explanation says why."""
    assert re.search(f"Octavia's own look-up.* chooses {foreign}: the stranger's!", story[4])
    assert f"our rules: {v2} (amphora v2): chosen" in story[4]
    assert f"our rules: {v1} (amphora v1): older than {v2}" in story[4]
    assert f"our rules: {foreign} (evil image): its owner is project" in story[4]
    assert re.search(rf"amphora-3 is ACTIVE after [\d.]+ s, booted from {v2} ", story[4])


def test_without_the_tag_the_build_fails_and_with_the_deprecated_id_it_warns(story, v1, foreign):
    """The build fails with an error that a tired operator understands; with `amp_image_id` set it boots, and warns."""
    error, _, fallback = story[5].partition("With the deprecated amp_image_id set to v1")
    assert "NoImageError: no image may be booted for tag 'amphora'" in error
    assert f"{foreign} (evil image): its owner is project" in error
    assert "tag an active image of that owner, or name its id" in error
    assert f"WARNING: Falling back to the deprecated image id {v1}" in fallback
    assert re.search(rf"amphora-5 is ACTIVE after [\d.]+ s, booted from {v1} ", fallback)


def test_the_table_shows_every_amphora_and_what_its_image_was_chosen_by(story, v1, v2):
    """A table of amphora, status, image id, image name, chosen by what."""
    by_tag = r"tag 'amphora' \(\[controller_worker\] amp_image_tag\)"
    for name, image, image_name in (("1", v1, "v1"), ("2", v2, "v2"), ("3", v2, "v2")):
        assert re.search(f"amphora-{name} ACTIVE {image} amphora {image_name} {by_tag}", story[6])
    assert re.search(rf"amphora-5 ACTIVE {v1} amphora v1 \[controller_worker\] amp_image_id, as fallback for", story[6])
    assert "amphora-4" not in story[6]


def test_the_demo_leaves_no_process_and_no_folder_behind(ended):
    """Then everything is stopped and removed."""
    place, program = ended
    assert "Everything is stopped and removed" in program.stdout
    assert list(place.iterdir()) == []
    assert processes_of(place) == []


def test_what_a_kept_demo_prints_removes_all_of_it(tmp_path):
    """Finding: KEEP=1 says "what folder stays (it holds two ini files with a password) and how to remove all of it"."""
    place = tmp_path / "a place; with a space"
    place.mkdir()
    program = run(
        [sys.executable, DEMO], tmp_path, environ={"TMPDIR": str(place), "KEEP": "1", "SMALL": "1"}, timeout=300
    )
    said, _, commands = program.stdout.partition("To end and remove it all:\n")
    (folder,) = place.glob("amphora-image-demo-*")
    assert f"Kept: {folder}, " in said
    assert {path.name for path in folder.iterdir()} == {"sandbox", "worker.ini", "fallback.ini", "amphora.qcow2"}
    ended = run(["sh", "-e", "-c", commands], tmp_path, environ={"PATH": "/usr/bin:/bin"})
    assert (ended.code, ended.stderr) == (0, "")
    assert not folder.exists()
    assert processes_of(place) == []


def processes_of(place):
    """Find the processes that inherited the demo's TMPDIR."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={place}".encode() in environ.read_bytes().split(b"\0"):
                found.append(environ.parent.name)
        except OSError:  # gone meanwhile, or another user's
            continue
    return found
