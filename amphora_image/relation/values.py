# SPDX-License-Identifier: Apache-2.0
"""A relation as a value: one instance of one installation, one image, and how the two belong together."""

from __future__ import annotations

import enum
import re
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.errors import InvalidRelationError

if TYPE_CHECKING:
    from datetime import datetime

_HEX = r"[0-9a-f]"
_SPELLING = re.compile(
    rf"(?:urn:uuid:)?\{{?(?:{_HEX}{{32}}|{_HEX}{{8}}(?:-{_HEX}{{4}}){{3}}-{_HEX}{{12}})\}}?", re.ASCII | re.IGNORECASE
)


class Kind(enum.StrEnum):
    """How an instance and an image belong together."""

    BOOT = "boot"  #: the instance was booted from the image
    SNAPSHOT = "snapshot"  #: the image was made of the instance
    BACKUP = "backup"  #: the same, by a scheduler that will delete it again


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One relation; both UUIDs in lower case with dashes, ``image_id`` as Glance spells it."""

    installation: str
    instance_id: str
    image_id: str
    kind: Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A relation as it was recorded; ``sequence``, which the store gives, grows from one to the next."""

    relation: Relation
    created_at: datetime
    sequence: int = 0


def parse_uuid(value: Any, name: str) -> str:
    """Read a UUID in any of its usual spellings: either case, without dashes, in braces, as a URN.

    :param name: of the value, for the error.
    :raises InvalidRelationError: it is none.
    """
    if not isinstance(value, str) or not _SPELLING.fullmatch(value):
        raise InvalidRelationError(f"{name} {str(value)[:60]!r} is no UUID", "give 32 hexadecimal digits")
    return str(uuid.UUID(value.lower()))


def parse_kind(value: Any, name: str) -> Kind:
    """Read a kind.

    :param name: of the value, for the error.
    :raises InvalidRelationError: there is no such kind.
    """
    try:
        return Kind(value)
    except ValueError:
        known = ", ".join(Kind)
        raise InvalidRelationError(
            f"{name} {str(value)[:60]!r} is no kind of relation", f"give one of {known}"
        ) from None
