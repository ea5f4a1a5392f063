# SPDX-License-Identifier: Apache-2.0
from hypothesis import given
from hypothesis import strategies as st

from amphora_image.errors import InvalidRelationError
from amphora_image.relation.keys import INSTALLATION, KEYS, split_patch

NAMES = st.one_of(st.sampled_from([*KEYS, "tags", "x"]), st.text(max_size=5))
POINTERS = st.builds(
    "{}{}{}".format, st.sampled_from(["/", "//", "", "/ "]), NAMES, st.sampled_from(["", " ", "/x", "~1"])
)
NEW = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "replace", "remove", "move", 1, ["add"], {}])},
    optional={"path": POINTERS, "value": st.integers()},
)
OLD = st.dictionaries(st.sampled_from(["add", "replace", "remove", "value"]), POINTERS, max_size=3)
ANYTHING = st.one_of(NEW, OLD, st.none(), st.integers(), st.text(max_size=3))


@given(st.lists(ANYTHING, max_size=6))
def test_a_patch_falls_into_our_part_and_glances_and_nothing_is_lost(operations):
    try:
        ours, rest = split_patch(operations)
    except InvalidRelationError:
        return
    assert set(ours) <= set(KEYS)
    assert len(ours) + len(rest) == len(operations)
    assert not ours or INSTALLATION in ours
    assert [each for each in operations if each in rest] == rest
