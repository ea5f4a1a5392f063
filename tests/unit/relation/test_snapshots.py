# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import importlib.util
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from amphora_image.errors import AccessDeniedError, ConfigurationError, SnapshotFailedError
from amphora_image.models import ImageRecord
from amphora_image.relation.snapshots import Snapshots
from amphora_image.relation.values import Kind, Recorded, Relation

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FakeCloud:
    """Nova, Glance and its relations, as far as snapshots need them; ``statuses`` are shown one after another."""

    def __init__(self, installation="u"):
        self.installation = installation
        self.kept: dict[str, ImageRecord] = {}
        self.known: list[Relation] = []
        self.asked: list[tuple[str, str]] = []
        self.statuses: list[str] = []
        self.by_itself = False
        self.fault: Exception | None = None

    def create_image(self, server_id, name, properties):
        image_id = f"image-{len(self.asked)}"
        self.kept[image_id] = ImageRecord(id=image_id, name=name, status="active")
        self.asked.append((server_id, properties["image_type"]))
        if self.by_itself:
            self.known.append(relation(image_id, kind=Kind(properties["image_type"]), instance_id=server_id))
        return image_id

    def everywhere(self):
        return self

    def relations(self, image_id):
        return [Recorded(relation=each, created_at=NOW) for each in self.known if each.image_id == image_id]

    def record(self, one):  # the port of images has a method of that name too
        if isinstance(one, str):
            image = self.kept.get(one)
            return replace(image, status=self.statuses.pop(0)) if image and self.statuses else image
        if self.fault:
            raise self.fault
        self.known.append(one)
        return None

    def images(self, server_id, kind):
        wanted = (self.installation, server_id, kind)
        found = [each.image_id for each in self.known if (each.installation, each.instance_id, each.kind) == wanted]
        return [self.kept[each] for each in dict.fromkeys(found[::-1]) if each in self.kept]

    def delete(self, image_id):
        return self.kept.pop(image_id, None) is not None


def relation(image_id, **parts):
    return Relation(
        **{"installation": "u", "instance_id": "server", "kind": Kind.BACKUP, **parts, "image_id": image_id}
    )


@pytest.fixture
def cloud():
    return FakeCloud()


@pytest.fixture
def snapshots(cloud):
    return Snapshots(cloud, cloud, cloud, sleep=lambda _: None)


@pytest.mark.parametrize("by_itself", [False, True])
def test_an_image_is_made_and_related_once(cloud, snapshots, by_itself):
    cloud.by_itself = by_itself
    image_id = snapshots.take("server", "name", Kind.BACKUP)
    assert cloud.known == [relation(image_id)]
    assert cloud.asked == [("server", "backup")]


def test_an_image_that_cannot_be_related_is_deleted_again(cloud, snapshots):
    cloud.fault = AccessDeniedError("Glance", "record a relation", "no")
    with pytest.raises(AccessDeniedError):
        snapshots.take("server", "name", Kind.SNAPSHOT)
    assert not cloud.kept


def test_without_an_installation_nothing_is_begun():
    cloud = FakeCloud(installation="")
    with pytest.raises(ConfigurationError, match="nova_installation_uuid"):
        Snapshots(cloud, cloud, cloud)


def test_the_newest_backups_are_kept_and_the_others_deleted(cloud, snapshots):
    made = [snapshots.take("server", "name", Kind.BACKUP) for _ in range(4)]
    assert snapshots.rotate("server", 2) == [made[1], made[0]]
    assert sorted(cloud.kept) == made[2:]
    assert snapshots.rotate("server", 2) == []


@pytest.mark.parametrize(
    "other",
    [
        {"instance_id": "other"},
        {"installation": "other"},
        {"kind": Kind.BOOT},
        {"kind": Kind.SNAPSHOT, "instance_id": "other"},
    ],
)
def test_what_is_related_to_anything_else_is_never_rotated_away(cloud, snapshots, other):
    """Promise: "a rotation that cannot delete another instance's backup"."""
    made = [snapshots.take("server", "name", Kind.BACKUP) for _ in range(2)]
    cloud.known.append(relation(made[0], **other))
    assert snapshots.rotate("server", 1) == []
    assert made[0] in cloud.kept


def test_snapshots_protected_images_and_what_is_not_usable_are_no_backups_to_rotate(cloud, snapshots):
    snapshot = snapshots.take("server", "name", Kind.SNAPSHOT)
    protected, broken, good = (snapshots.take("server", "name", Kind.BACKUP) for _ in range(3))
    cloud.kept[protected] = replace(cloud.kept[protected], protected=True)
    cloud.kept[broken] = replace(cloud.kept[broken], status="killed")
    assert snapshots.rotate("server", 1) == []
    assert set(cloud.kept) == {snapshot, protected, broken, good}


def test_a_backup_counts_once_it_is_active(cloud, snapshots):
    image_id = snapshots.take("server", "name", Kind.BACKUP)
    cloud.statuses = ["queued", "saving"]
    snapshots.wait("server", image_id, deadline_seconds=9)
    assert cloud.statuses == []


@pytest.mark.parametrize(
    ("statuses", "seconds", "told"), [(["killed"], 9, "killed"), (["queued"] * 9, 0, "still queued after 0 s")]
)
def test_a_backup_that_fails_is_told_before_an_older_one_is_deleted(cloud, snapshots, statuses, seconds, told):
    image_id = snapshots.take("server", "name", Kind.BACKUP)
    cloud.statuses = statuses
    with pytest.raises(SnapshotFailedError, match=told):
        snapshots.wait("server", image_id, deadline_seconds=seconds)
    cloud.kept.clear()
    with pytest.raises(SnapshotFailedError, match="deleted"):
        snapshots.wait("server", image_id, deadline_seconds=seconds)


def test_the_scheduler_among_the_examples_keeps_the_newest_and_outlives_what_fails(cloud, snapshots, capsys):
    """Promise: "a Python API for a backup scheduler, with one in `examples/` run by a test"."""
    path = Path(__file__).parents[3] / "examples" / "backup_scheduler.py"
    spec = importlib.util.spec_from_file_location("backup_scheduler", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    for _ in range(2):
        assert example.back_up(snapshots, ["server", "other"], 1) == []
    assert sorted((each.instance_id, each.image_id in cloud.kept) for each in cloud.known) == [
        ("other", False),
        ("other", True),
        ("server", False),
        ("server", True),
    ]
    cloud.statuses = ["killed"]
    assert example.back_up(snapshots, ["server", "other"], 1) == ["server"]
    assert "server: image" in capsys.readouterr().err
