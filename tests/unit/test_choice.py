# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from amphora_image.choice import Rules, choose
from amphora_image.models import Candidate

OLD, NEW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
GOOD = Candidate(id="b", name="good", owner="ours", status="active", created_at=OLD)
RULES = Rules(owner="ours")


def test_the_newest_wins():
    newer = replace(GOOD, id="z", created_at=NEW)
    choice = choose([GOOD, newer], RULES)
    assert choice.winner == newer
    assert [str(one) for one in choice.verdicts] == ["z (good): chosen", "b (good): older than z"]


def test_among_equally_old_ones_the_lowest_id_wins_in_any_order():
    twin = replace(GOOD, id="a")
    for order in ([GOOD, twin], [twin, GOOD]):
        choice = choose(order, RULES)
        assert choice.winner == twin
        assert choice.verdicts[1].reason == "as old as a, whose id is lower"


@pytest.mark.parametrize(
    ("spoilt", "reason"),
    [
        ({"status": "queued"}, "its status is queued, not active"),
        ({"status": ""}, "its status is unknown, not active"),
        ({"hidden": True}, "it is hidden (os_hidden)"),
        ({"owner": "theirs", "visibility": "public"}, "its owner is project theirs (public), not the trusted ours"),
        ({"owner": None}, "its owner is project None, not the trusted ours"),
        ({"id": "denied"}, "it is listed in [amphora_image] denied_image_ids"),
    ],
)
def test_what_breaks_a_rule_loses_though_it_is_newer(spoilt, reason):
    bad = replace(GOOD, **{"id": "bad", "created_at": NEW, **spoilt})
    choice = choose([bad, GOOD], Rules(owner="ours", denied_image_ids=frozenset({"denied"})))
    assert choice.winner == GOOD
    assert choice.verdicts[-1].reason == reason


def test_no_owner_in_the_rules_trusts_anyone():
    theirs = replace(GOOD, owner="theirs")
    assert choose([theirs], Rules(owner=None)).winner == theirs


def test_of_nothing_nothing_is_chosen():
    assert choose([], RULES).winner is None


def test_an_image_without_a_date_counts_as_the_oldest():
    undated = replace(GOOD, id="a", created_at=None)
    assert choose([undated, GOOD], RULES).winner == GOOD
