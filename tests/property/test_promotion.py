# SPDX-License-Identifier: Apache-2.0
"""Promoters, crashes and readers in any order over a Glance that loses updates: the tag is never empty."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

from fakes.glance_tags import FakeTags
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.interleave import Caller, Stage

from amphora_image.choice import Rules, choose
from amphora_image.errors import AmphoraImageError, OvertakenError
from amphora_image.publish.promote import Pace, Promoter, Promotion
from amphora_image.publish.quarantine import quarantine
from amphora_image.publish.rollback import rollback

TAG = "amphora"
#: More than others need: what goes wrong takes three callers at the wrong moments.
EXAMPLES = max(300, settings.default.max_examples)
RULES = Rules(owner="ours")
NOW = datetime(2026, 11, 21, tzinfo=UTC)

AGES = st.lists(st.integers(0, 3), min_size=5, max_size=5)
ORDER = st.lists(st.tuples(st.integers(0, 2), st.integers(1, 40)), max_size=30)
LIVES = st.none() | st.integers(1, 30)


class Cloud:
    """Two holders that were tagged by hand, and three images that never had the tag."""

    def __init__(self, ages, *, locked):
        self.stage = Stage()
        self.store = FakeTags(self.stage.pause)
        self.locked = locked
        given = [(TAG,), (TAG,), (), (), ()]
        self.ids = [
            self.store.add(f"v{number}", *tags, minutes=age).id
            for number, (tags, age) in enumerate(zip(given, ages, strict=True))
        ]

    def promoter(self, name):
        pace = Pace(deadline_seconds=600, now=lambda: NOW, sleep=self.stage.settle)
        lock = self.stage.lock if self.locked else nullcontext
        return Promoter(self.store, rules=RULES, by=name, lock=lock, pace=pace)

    def holders(self):
        return [one.id for one in self.store.with_tag(TAG)]

    def look(self):
        """Read as we do, and as stock Octavia does: the newest active image of the owner, which Glance does not hide."""
        assert choose(self.store.with_tag(TAG), RULES).winner is not None, "nothing may be booted"
        stock = [
            one for one in self.store.with_tag(TAG) if (one.status, one.hidden, one.owner) == ("active", False, "ours")
        ]
        assert stock, "stock Octavia finds nothing"


@settings(max_examples=EXAMPLES, deadline=None)
@example([3, 1, 0, 1, 3], [(0, 15), (3, 4), (3, None)], [(2, 16), (0, 39), (0, 24)])  # died after promoting p2's image
@given(AGES, st.lists(st.tuples(st.integers(0, 4), LIVES), min_size=2, max_size=3), ORDER)
def test_promoters_without_a_lock_leave_the_tag_full_at_every_moment_and_one_holder_at_the_end(ages, promotions, order):
    """The issue: *no reader ever finds the tag empty, and one holder is left at the end*."""
    cloud = Cloud(ages, locked=False)
    callers = [
        Caller(lambda image=cloud.ids[number], by=f"p{place}": cloud.promoter(by).promote(image, TAG), lives)
        for place, (number, lives) in enumerate(promotions)
    ]

    cloud.stage.play(callers, order, cloud.look)

    for one in callers:
        assert one.killed or isinstance(one.outcome, Promotion | OvertakenError), one.outcome
    if any(one.killed for one in callers):
        cloud.promoter("again").promote(cloud.ids[promotions[0][0]], TAG)
    assert len(cloud.holders()) == 1
    if not any(one.killed for one in callers):
        assert any(isinstance(one.outcome, Promotion) and [one.outcome.image_id] == cloud.holders() for one in callers)


COMMANDS = st.one_of(
    st.tuples(st.just("promote"), st.integers(0, 4)),
    st.tuples(st.just("rollback"), st.just(0)),
    st.tuples(st.just("quarantine"), st.integers(0, 4)),
)


@settings(max_examples=EXAMPLES, deadline=None)
@given(AGES, st.lists(st.tuples(COMMANDS, LIVES), min_size=2, max_size=5), ORDER)
def test_commands_with_a_lock_leave_the_tag_full_whatever_they_do_and_wherever_they_die(ages, commands, order):
    cloud = Cloud(ages, locked=True)

    def run(command, number):
        promoter, image = cloud.promoter("p"), cloud.ids[number]
        if command == "promote":
            return promoter.promote(image, TAG)
        if command == "rollback":
            return rollback(promoter, TAG)
        return quarantine(promoter, image, reason="bad")

    callers = [Caller(lambda command=command: run(*command), lives) for command, lives in commands]

    cloud.stage.play(callers, order, cloud.look)

    for one in callers:
        assert not isinstance(one.outcome, OvertakenError)
        assert one.killed or not isinstance(one.outcome, Exception) or isinstance(one.outcome, AmphoraImageError)
    winner = choose(cloud.store.with_tag(TAG), RULES).winner
    cloud.promoter("again").promote(winner.id, TAG)
    assert cloud.holders() == [winner.id]
