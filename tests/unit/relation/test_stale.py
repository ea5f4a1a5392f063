# SPDX-License-Identifier: Apache-2.0
from types import SimpleNamespace

import pytest

from amphora_image.models import Amphora, FoundServer, Server
from amphora_image.relation.stale import STALE, UNKNOWN, amphorae_by_relations, judge


@pytest.mark.parametrize(
    ("status", "image_id", "expected"),
    [
        ("ALLOCATED", "new", []),
        ("ALLOCATED", "old", [STALE]),
        ("ALLOCATED", None, [UNKNOWN]),
        ("", "", [UNKNOWN]),
        ("ERROR", "old", [STALE]),
        ("BOOTING", None, []),
        ("DELETED", "old", []),
    ],
)
def test_an_amphora_is_well_stale_or_unknown(status, image_id, expected):
    """Promise: "unknown apart from stale"."""
    assert [each.state for each in judge([Amphora(id="a", status=status, image_id=image_id)], "new")] == expected


@pytest.mark.parametrize(
    ("by_nova", "related", "expected"),
    [("old", ["new", "old"], "old"), (None, ["new", "old"], "new"), ("forged", ["old"], "old"), ("old", [], None)],
)
def test_without_octavia_the_relations_tell_what_a_server_runs(by_nova, related, expected):
    service = SimpleNamespace(images=lambda *_: [SimpleNamespace(id=each) for each in related])
    server = FoundServer(server=Server(id="s", name="amphora-1", image_id=by_nova), age_seconds=1)
    (found,) = amphorae_by_relations([server], service)
    assert (found.id, found.server_id, found.image_id) == ("amphora-1", "s", expected)
