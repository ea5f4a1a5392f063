# SPDX-License-Identifier: Apache-2.0
from datetime import UTC

from hypothesis import given
from hypothesis import strategies as st

from amphora_image.choice import Rules, choose
from amphora_image.models import Candidate

CANDIDATES = st.lists(
    st.builds(
        Candidate,
        id=st.uuids().map(str),
        owner=st.sampled_from([None, "ours", "theirs"]),
        status=st.sampled_from(["active", "queued", "deactivated", ""]),
        hidden=st.booleans(),
        created_at=st.none() | st.datetimes(timezones=st.just(UTC)).filter(lambda when: 1900 < when.year < 2200),
    ),
    unique_by=lambda one: one.id,
    max_size=8,
)


@given(CANDIDATES, st.permutations(range(8)), st.data())
def test_the_choice_obeys_every_rule_and_no_order(candidates, order, data):
    denied = (
        frozenset(data.draw(st.sets(st.sampled_from([one.id for one in candidates])))) if candidates else frozenset()
    )
    rules = Rules(owner="ours", denied_image_ids=denied)
    choice = choose(candidates, rules)
    shuffled = [candidates[place] for place in order if place < len(candidates)]
    assert choose(shuffled, rules) == choice
    assert {one.candidate.id for one in choice.verdicts} == {one.id for one in candidates}
    assert [one.candidate for one in choice.verdicts if not one.reason] == ([choice.winner] if choice.winner else [])
    passing = [one for one in candidates if rules.objection(one) is None]
    if choice.winner is None:
        assert not passing
    else:
        winner = choice.winner
        assert winner.status == "active"
        assert winner.owner == "ours"
        assert not winner.hidden
        assert winner.id not in denied
        assert all(winner.age_key <= one.age_key for one in passing)
