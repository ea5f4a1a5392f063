# SPDX-License-Identifier: Apache-2.0
"""Which servers look like amphorae and are nobody's. Pure: nothing is asked and nothing is deleted."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from amphora_image.adopt import is_random, is_unique
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from amphora_image.models import FoundServer

#: What ``openstack -f value`` prints for an amphora that has no server yet.
_NO_SERVER = {"", "None"}


def orphans(
    servers: Iterable[FoundServer], *, prefix: str, older_than_seconds: float, known: Collection[str] = ()
) -> list[FoundServer]:
    """Give those of ``servers`` that look like ours, are older than that and are not ``known``, the oldest first.

    A server looks like ours when its name is unique by itself: one that begins with ``prefix`` and holds a UUID, or a
    random name. ``known`` are ids as :func:`read_ids` gives them.
    """
    found = [
        one
        for one in servers
        if looks_like_ours(one.server.name, prefix)
        and one.age_seconds > older_than_seconds
        and one.server.id not in known
    ]
    return sorted(found, key=lambda one: (-one.age_seconds, one.server.id))


def looks_like_ours(name: str, prefix: str) -> bool:
    """Tell whether an amphora's server may be called ``name``."""
    return is_random(name) or (name.startswith(prefix) and is_unique(name))


def read_ids(lines: Iterable[str], source: str) -> frozenset[str]:
    """Read server ids, one a line; an empty line and ``None`` count as an amphora that has no server yet.

    :raises ConfigurationError: a line is no id, or there is none at all: then every amphora would seem an orphan.
    """
    ids: set[str] = set()
    for number, line in enumerate(lines, 1):
        if (text := line.strip()) in _NO_SERVER:
            continue
        if (server_id := _id_of(text)) is None:
            problem = f"{source}, line {number}: {text[:40]!r} is no server id"
            raise ConfigurationError(problem, "give one UUID a line, as `-c compute_id -f value` prints them")
        ids.add(server_id)
    if not ids:
        problem = f"{source} names no server, so every amphora would seem an orphan"
        raise ConfigurationError(problem, "see why the list is empty, or leave --known-file out")
    return frozenset(ids)


def _id_of(text: str) -> str | None:
    """Give a UUID as Nova writes it, None where ``text`` is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
