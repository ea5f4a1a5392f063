# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.errors import InvalidRelationError
from amphora_image.relation.values import Kind, parse_kind, parse_uuid

CANONICAL = "0a1b2c3d-0000-4000-8000-0123456789ab"


@pytest.mark.parametrize(
    "spelling",
    [
        CANONICAL,
        CANONICAL.upper(),
        CANONICAL.replace("-", ""),
        f"{{{CANONICAL}}}",
        f"urn:uuid:{CANONICAL}",
        f"URN:UUID:{CANONICAL.upper()}",
    ],
)
def test_a_uuid_is_read_in_every_spelling(spelling):
    """Fault: "UUIDs in every spelling"."""
    assert parse_uuid(spelling, "instance_id") == CANONICAL


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "x",
        None,
        7,
        [],
        CANONICAL[:-1],
        f"{CANONICAL}0",
        f" {CANONICAL}",
        "-" * 36,
        "\u0660" * 32,
        f"urn:uu\u0131d:{CANONICAL}",
    ],
)
def test_what_is_no_uuid_is_refused_by_name(wrong):
    with pytest.raises(InvalidRelationError, match="instance_id"):
        parse_uuid(wrong, "instance_id")


def test_a_kind_is_one_of_three():
    assert [parse_kind(each, "kind") for each in ("boot", "snapshot", "backup")] == list(Kind)
    for wrong in ("Boot", "", None, 1, []):
        with pytest.raises(InvalidRelationError, match="boot, snapshot, backup"):
            parse_kind(wrong, "kind")
