# SPDX-License-Identifier: Apache-2.0
"""What is kept of promotions in the properties of the images themselves, so that no database is needed.

On each image that was promoted to a tag: ``amphora_image_tag_<h>``, the tag, by which such images are found, and
``amphora_image_history_<h>``, the last :data:`MAX_ENTRIES` promotions to that tag up to this image's own, as JSON;
``<h>`` stands for the tag. Besides, ``amphora_image_kept_for`` names the ``<h>`` for which the image is protected by
us, and ``amphora_image_quarantined`` says why it may not be promoted any more.

Pure: values from records, and back.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.models import ImageRecord

PROMOTE = "promote"
ROLLBACK = "rollback"
QUARANTINE = "quarantine"

KEPT_FOR = "amphora_image_kept_for"
QUARANTINED = "amphora_image_quarantined"

#: How many promotions of a tag are remembered. Glance's column holds 64 KiB on MySQL; ten of the longest make 16.
MAX_ENTRIES = 10
MAX_REASON_CHARACTERS = 200
_MAX_NAME_CHARACTERS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One promotion of a tag: the ``number``-th, from image ``former`` (None: from none) to image ``to``.

    ``at`` is UTC in ISO 8601, ``by`` the user's name and id, ``action`` the command that did it.
    """

    number: int
    at: str
    action: str
    former: str | None
    to: str
    by: str
    reason: str = ""

    @property
    def rank(self) -> tuple[int, str, str]:
        """Sort key: of two promotions at the same time, the higher one stays."""
        return self.number, self.at, self.to


def handle(tag: str) -> str:
    """Give what stands for ``tag`` in the names of properties: a tag may be longer than such a name."""
    return hashlib.sha256(tag.encode()).hexdigest()[:16]


def tag_property(tag: str) -> str:
    """Name the property that holds ``tag`` itself."""
    return f"amphora_image_tag_{handle(tag)}"


def history_property(tag: str) -> str:
    """Name the property that holds the promotions to ``tag``."""
    return f"amphora_image_history_{handle(tag)}"


def entries_of(record: ImageRecord, tag: str) -> tuple[Entry, ...]:
    """Read the promotions to ``tag`` that ``record`` remembers, the oldest first.

    A snapshot of a server inherits the properties of the server's image, shortened to 255 characters: what is no
    history that ends with this very image is none.
    """
    try:
        entries = tuple(_decoded(one) for one in json.loads(record.properties.get(history_property(tag), "[]")))
    except (ValueError, TypeError, KeyError, AttributeError):
        return ()
    return entries if entries and entries[-1].to == record.id else ()


def own_entry(record: ImageRecord, tag: str) -> Entry | None:
    """Give the last promotion of this image to ``tag``, None where there was none."""
    entries = entries_of(record, tag)
    return entries[-1] if entries else None


def text_of(entries: Iterable[Entry]) -> str:
    """Write the last :data:`MAX_ENTRIES` of ``entries`` as a property's value; ASCII, since Glance takes no more of UTF-8."""
    return json.dumps([_encoded(one) for one in [*entries][-MAX_ENTRIES:]], separators=(",", ":"))


def kept_for(record: ImageRecord) -> frozenset[str]:
    """Give the handles of the tags for which the image is protected by us."""
    return frozenset(filter(None, record.properties.get(KEPT_FOR, "").split(",")))


def check_reason(reason: str) -> str:
    """Give ``reason`` back as one line.

    :raises ConfigurationError: it cannot be remembered: it is too long, or no text.
    """
    if any("\ud800" <= one <= "\udfff" for one in reason):
        raise ConfigurationError("the reason is no text in the encoding of this terminal", "write it in UTF-8")
    line = " ".join(reason.split())
    if len(line) > MAX_REASON_CHARACTERS:
        problem = f"the reason has {len(line)} characters, and {MAX_REASON_CHARACTERS} are remembered"
        raise ConfigurationError(problem, "shorten it, or give the number of a ticket")
    return line


def author(name: str, user_id: str) -> str:
    """Write who promotes: the user's name, cut where it is too long, and id."""
    return f"{name[:_MAX_NAME_CHARACTERS]} ({user_id})"


def _encoded(entry: Entry) -> dict[str, object]:
    return {
        "n": entry.number,
        "at": entry.at,
        "do": entry.action,
        "from": entry.former,
        "to": entry.to,
        "by": entry.by,
        "why": entry.reason,
    }


def _decoded(value: dict[str, object]) -> Entry:
    former = value["from"]
    return Entry(
        number=int(str(value["n"])),
        at=str(value["at"]),
        action=str(value["do"]),
        former=None if former is None else str(former),
        to=str(value["to"]),
        by=str(value["by"]),
        reason=str(value["why"]),
    )
