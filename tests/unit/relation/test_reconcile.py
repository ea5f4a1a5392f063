# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

from amphora_image.models import FoundServer, Server
from amphora_image.relation.reconcile import FORGET, GRACE_SECONDS, RECORD, Observed, plan
from amphora_image.relation.values import Kind, Recorded, Relation

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def recorded(kind=Kind.BOOT, age=GRACE_SECONDS, **parts):
    one = Relation(**{"installation": "u", "instance_id": "server", "image_id": "image", "kind": kind, **parts})
    return Recorded(relation=one, created_at=NOW - timedelta(seconds=age))


def server(server_id="server", image_id="image", age=GRACE_SECONDS):
    return FoundServer(server=Server(id=server_id, image_id=image_id), age_seconds=age)


def planned(*relations, servers=("server",), ours=(), images=("image",)):
    observed = Observed(relations, frozenset(servers), ours, frozenset(images))
    return [(step.action, step.relation.instance_id, step.relation.image_id) for step in plan("u", observed, NOW)]


def test_where_all_agrees_there_is_nothing_to_do():
    assert planned(recorded(), recorded(Kind.BACKUP), ours=[server()]) == []


def test_what_glance_or_nova_has_no_more_is_forgotten():
    assert planned(recorded(Kind.SNAPSHOT), images=()) == [(FORGET, "server", "image")]
    assert planned(recorded(), servers=()) == [(FORGET, "server", "image")]


def test_a_snapshot_outlives_its_server():
    assert planned(recorded(Kind.SNAPSHOT), recorded(Kind.BACKUP), servers=()) == []


def test_a_boot_that_nobody_recorded_is_recorded():
    assert planned(ours=[server()]) == [(RECORD, "server", "image")]


def test_what_is_younger_than_the_grace_is_left_alone():
    """A relation is recorded before its image exists, and a boot's after its server."""
    assert planned(recorded(age=GRACE_SECONDS - 1), servers=(), images=()) == []
    assert planned(ours=[server(age=GRACE_SECONDS - 1)]) == []


def test_a_server_whose_image_is_gone_or_that_boots_from_a_volume_is_not_recorded():
    assert planned(ours=[server(image_id="gone"), server(image_id=None)]) == []
