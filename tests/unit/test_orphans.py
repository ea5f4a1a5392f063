# SPDX-License-Identifier: Apache-2.0
import uuid

import pytest

from amphora_image.errors import ConfigurationError
from amphora_image.models import FoundServer, Server
from amphora_image.orphans import looks_like_ours, orphans, read_ids

UNIQUE = "84c34735-cac8-4e52-b047-544ea81dc35d"


def server(name, age, server_id=None):
    return FoundServer(server=Server(id=server_id or str(uuid.uuid4()), name=name), age_seconds=age)


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (f"amphora-{UNIQUE}", True),
        ("aB3C4D5E6F", True),
        ("aB3c4D5E6F", False),
        ("aBCDEFGH9", True),
        ("aBCDEFG", False),
        ("amphora-1", False),
        ("amphora-", False),
        (f"database-{UNIQUE}", False),
        (UNIQUE, False),
        ("", False),
    ],
)
def test_a_name_looks_like_ours_when_it_is_unique_by_itself(name, ours):
    assert looks_like_ours(name, "amphora-") == ours


def test_an_orphan_is_old_enough_and_not_known_and_the_oldest_is_first():
    young, old, oldest, known = (server(f"amphora-{uuid.uuid4()}", age) for age in (600, 601, 700, 800))
    found = orphans([young, old, oldest, known], prefix="amphora-", older_than_seconds=600, known={known.server.id})
    assert found == [oldest, old]


def test_a_prefix_may_be_another_or_none():
    one, other = server(f"lb-{UNIQUE}", 1), server(UNIQUE, 1)
    assert orphans([one, other], prefix="lb-", older_than_seconds=0) == [one]
    assert len(orphans([one, other], prefix="", older_than_seconds=0)) == 2


def test_known_ids_are_read_in_any_spelling():
    compact = UNIQUE.replace("-", "").upper()
    assert read_ids(["", f" {compact} \r\n", "None\n"], "x") == {UNIQUE}


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ([UNIQUE, "amphora-1"], "x, line 2: 'amphora-1' is no server id; give one UUID a line"),
        ([f"{UNIQUE} {UNIQUE}"], "line 1"),
        (["\x00\ufffd"], "line 1"),
        ([], "names no server"),
        (["None", ""], "names no server"),
    ],
)
def test_a_list_that_cannot_be_relied_on_is_refused(lines, told):
    with pytest.raises(ConfigurationError, match=told):
        read_ids(lines, "x")
