# SPDX-License-Identifier: Apache-2.0
"""What is asked of a publication, what came of it, and what the image says in between."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from amphora_image.clients.glance_tags import check_movable
from amphora_image.errors import ConfigurationError
from amphora_image.publish.entry import check_reason
from amphora_image.publish.leftovers import PUBLISHER, mark
from amphora_image.publish.methods import AUTO
from amphora_image.publish.verify import SHA512

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amphora_image.models import ImageRecord

#: Glance's own attributes, which are no properties, and those of them that may be given all the same, as numbers.
_ATTRIBUTES = frozenset(
    {
        "checksum",
        "container_format",
        "created_at",
        "direct_url",
        "disk_format",
        "file",
        "id",
        "image_id",  # no attribute, but Glance takes it for the image that is to be changed
        "location",
        "locations",
        "deleted",
        "deleted_at",
        "name",
        "os_hash_algo",
        "os_hash_value",
        "os_hidden",
        "owner",
        "protected",
        "schema",
        "self",
        "size",
        "status",
        "stores",
        "tags",
        "updated_at",
        "virtual_size",
        "visibility",
    }
)
_NUMBERS = frozenset({"min_disk", "min_ram"})
#: What Glance verifies a signature by while it stores the bytes: it has to be there before they are.
_SIGNATURE = "img_signature"
#: What Glance's table has room for: a column for 32 bits, and ones for the names of images and of properties.
_MAX_NUMBER = 2**31 - 1
_MAX_NAME_CHARACTERS = 255
VISIBILITIES = ("private", "shared", "community", "public")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for: an image by ``name``, with ``properties`` and ``visibility``, and the ``tag`` to promote it to.

    ``disk_format`` None is detected. ``sha512`` is what the bytes are expected to hash to, None when nobody said.
    ``method``, ``stores`` and ``all_stores`` are as in :class:`~amphora_image.publish.methods.Request`. ``reason`` goes
    into the tag's history.

    :raises ConfigurationError: the name is empty, or not to be stored; a property is one of Glance's own, or ours, or not to be stored there; the
        tag cannot be moved; the reason is too long.
    """

    name: str
    tag: str | None = None
    disk_format: str | None = None
    container_format: str = "bare"
    properties: Mapping[str, str] = field(default_factory=dict)
    visibility: str = "private"
    sha512: str | None = None
    method: str = AUTO
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_stores_must_succeed: bool = True
    accept_conversion: bool = False
    reason: str = ""

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigurationError(
                "the name is empty", "give the image a name, by which the same command finds it again"
            )
        _check_text("the name", self.name)
        if len(self.name) > _MAX_NAME_CHARACTERS:
            problem = (
                f"the name {self.name[:40]}… has {len(self.name)} characters, and Glance takes {_MAX_NAME_CHARACTERS}"
            )
            raise ConfigurationError(problem, "shorten it")
        if self.tag is not None:
            check_movable(self.tag)
            check_reason(self.reason)
        for name, value in self.properties.items():
            _check_property(name, value)

    def first(self, disk_format: str) -> dict[str, Any]:
        """Give what the image is made with: private, without a tag, marked as ours, with what its bytes are judged by."""
        early = {name: value for name, value in self.properties.items() if name.startswith(_SIGNATURE)}
        expected = {SHA512: self.sha512} if self.sha512 else {}
        return {
            "name": self.name,
            "disk_format": disk_format,
            "container_format": self.container_format,
            "visibility": "private",
            PUBLISHER: mark(),
            **expected,
            **early,
        }

    def last(self, record: ImageRecord, sha512: str) -> list[dict[str, Any]]:
        """Give the JSON patch that makes a verified image what was asked for; empty where it is that already."""
        wanted = {**self.properties, SHA512: sha512}
        numbers = {"min_disk": record.min_disk, "min_ram": record.min_ram}
        changes: list[dict[str, Any]] = []
        for name, value in wanted.items():
            if name in numbers:
                if numbers[name] != int(value):
                    changes.append({"op": "replace", "path": pointer(name), "value": int(value)})
            elif record.properties.get(name) != value:
                changes.append({"op": "add", "path": pointer(name), "value": value})
        if record.visibility != self.visibility:
            changes.append({"op": "replace", "path": pointer("visibility"), "value": self.visibility})
        if PUBLISHER in record.properties:
            changes.append({"op": "remove", "path": pointer(PUBLISHER)})
        return changes


def _check_property(name: str, value: str) -> None:
    """Refuse what Glance would refuse, or stumble over, once all the bytes are there.

    :raises ConfigurationError: it would.
    """
    if name in _ATTRIBUTES or name.startswith(("os_glance", "amphora_image_")):
        raise ConfigurationError(f"{name} is no property that can be given", "leave it out of the properties")
    if name in _NUMBERS and not (
        value.isdecimal() and len(value) <= len(str(_MAX_NUMBER)) and int(value) <= _MAX_NUMBER
    ):
        problem = f"{name} is {value[:40]!r}, no whole number up to {_MAX_NUMBER}"
        raise ConfigurationError(problem, "correct the property")
    if len(name) > _MAX_NAME_CHARACTERS:
        problem = (
            f"the property's name {name[:40]}… has {len(name)} characters, and Glance takes {_MAX_NAME_CHARACTERS}"
        )
        raise ConfigurationError(problem, "shorten it")
    _check_text(f"property {name[:40]!a}", name + value)


def _check_text(what: str, text: str) -> None:
    """Refuse characters that Glance's tables have no room for.

    :raises ConfigurationError: it has one.
    """
    if odd := [one for one in text if one == "\0" or one > "\uffff" or "\ud800" <= one <= "\udfff"]:
        raise ConfigurationError(f"Glance does not take {odd[0]!a} in {what}", "leave it out")


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What came of it. ``reused``: the image was there already, whole, so that nothing was sent.

    ``verified_by`` says by what its bytes are known; ``failed_stores`` are those that one store's success sufficed to
    go without. ``removed`` are the ids of images that a crash had left half made, ``found`` those that may still be in
    the making, by somebody that cannot be seen from here.
    """

    id: str
    name: str
    method: str
    why: str
    sha512: str
    size: int | None
    disk_format: str | None
    verified_by: str
    stores: tuple[str, ...] = ()
    failed_stores: tuple[str, ...] = ()
    tag: str | None = None
    reused: bool = False
    removed: tuple[str, ...] = ()
    found: tuple[str, ...] = ()


def pointer(name: str) -> str:
    """Write a property's name as a JSON pointer (RFC 6901)."""
    return "/" + name.replace("~", "~0").replace("/", "~1")
