# SPDX-License-Identifier: Apache-2.0
"""Moving tags in Glance: whole records are read, and tags and properties changed.

Glance has no compare-and-set. Each change, that of a single tag too, makes it read the whole record and save the whole
record, so that of two changes at the same moment one may be lost: whoever changes reads back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from amphora_image.clients.glance import record_of
from amphora_image.clients.rest import Rest
from amphora_image.errors import ConfigurationError, ResourceNotFoundError
from amphora_image.reference import MAX_TAG_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from keystoneauth1.adapter import Adapter

    from amphora_image.models import ImageRecord

#: The newer of the two forms that Glance takes: there ``add`` sets a property whether it is there or not.
_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
#: What :meth:`TagStore.change` changes besides additional properties.
_ATTRIBUTES = {"os_hidden", "protected", "tags"}

#: A value to set; None takes an additional property away.
Value = str | bool | list[str] | None


class TagStore(Protocol):
    """What promotion needs of Glance."""

    def get(self, image_id: str) -> ImageRecord | None:
        """Give an image's record, None where there is none that we may see."""

    def holders(self, tag: str, owner: str | None) -> list[ImageRecord]:
        """List the images of ``owner`` (None: all that we may see) with ``tag``, hidden and inactive ones too."""

    def with_property(self, name: str, value: str, owner: str | None) -> list[ImageRecord]:
        """List the images of ``owner`` (None: all that we may see) with that property, hidden and inactive ones too."""

    def tag(self, image_id: str, tag: str) -> None:
        """Put a tag on an image."""

    def untag(self, image_id: str, tag: str) -> None:
        """Take a tag from an image; one that is not there is success."""

    def change(self, image_id: str, values: Mapping[str, Value]) -> None:
        """Set properties, ``protected``, ``os_hidden`` or ``tags`` in one request; None takes a property away."""


class GlanceTags:
    """Glance's v2 image API, as far as moving a tag needs it. Thread-safe.

    All methods raise :class:`AuthenticationError`, :class:`AccessDeniedError`, :class:`QuotaExceededError`,
    :class:`RequestRefusedError` or :class:`ServiceUnavailableError`. Reads are tried again within ``deadline_seconds``,
    changes are sent once; those of an image that is gone raise :class:`ResourceNotFoundError`.
    """

    def __init__(self, adapter: Adapter, *, deadline_seconds: float = 60) -> None:
        self._rest = Rest(adapter, "Glance", deadline_seconds=deadline_seconds)

    def get(self, image_id: str) -> ImageRecord | None:
        """Give an image's record, None where there is none that we may see."""
        try:
            return self._rest.read(_path(image_id), f"read image {image_id}", record_of)
        except ResourceNotFoundError:
            return None

    def holders(self, tag: str, owner: str | None) -> list[ImageRecord]:
        """List the images of ``owner`` (None: all that we may see) with ``tag``, hidden and inactive ones too."""
        # Glance strips the tag that it filters by, so one with outer white space is looked for in all images.
        narrowed = {"tag": tag} if tag == tag.strip() else {}
        found = self._all({**narrowed, **_of(owner)}, f"list the images with tag {tag!r}")
        return [one for one in found if tag in one.tags]

    def with_property(self, name: str, value: str, owner: str | None) -> list[ImageRecord]:
        """List the images of ``owner`` (None: all that we may see) with that property, hidden and inactive ones too."""
        found = self._all({name: value, **_of(owner)}, f"list the images with property {name}")
        return [one for one in found if one.properties.get(name) == value]

    def tag(self, image_id: str, tag: str) -> None:
        """Put a tag on an image."""
        self._rest.change("PUT", _path(image_id, tag), f"tag image {image_id}")

    def untag(self, image_id: str, tag: str) -> None:
        """Take a tag from an image; one that is not there is success."""
        try:
            self._rest.change("DELETE", _path(image_id, tag), f"untag image {image_id}")
        except ResourceNotFoundError:
            return

    def change(self, image_id: str, values: Mapping[str, Value]) -> None:
        """Set properties, ``protected``, ``os_hidden`` or ``tags`` in one request; None takes a property away."""
        patch = [_operation(name, value) for name, value in values.items()]
        self._rest.change("PATCH", _path(image_id), f"change image {image_id}", body=patch, headers=_PATCH)

    def _all(self, query: dict[str, str], action: str) -> list[ImageRecord]:
        """List all pages, of visible and of hidden images: Glance lists only one kind at a time."""
        found: dict[str, ImageRecord] = {}
        for hidden in ("false", "true"):
            path = f"/v2/images?{urlencode({**query, 'visibility': 'all', 'os_hidden': hidden, 'limit': '100'})}"
            while path:
                try:
                    page, path = self._rest.read(path, action, _page_of)
                except ResourceNotFoundError as error:
                    problem = "the endpoint that is used for Glance has no /v2/images"
                    raise ConfigurationError(problem, "correct endpoint or region_name in [glance]") from error
                found |= {one.id: one for one in page}
        return list(found.values())


def check_movable(tag: str) -> str:
    """Give ``tag`` back if Glance's route for tags can put it on an image and take it away.

    The route takes no slash, no dot segment, and stores what is not ASCII garbled: it decodes the path as Latin-1.

    :raises ConfigurationError: it cannot.
    """
    if problem := _immovable(tag):
        raise ConfigurationError(f"tag {tag[:60]!r} cannot be moved: {problem}", "use a tag of plain ASCII letters")
    return tag


def is_movable(tag: str) -> bool:
    """Tell whether :func:`check_movable` would let ``tag`` pass."""
    return not _immovable(tag)


def _immovable(tag: str) -> str:
    if not tag:
        return "it is empty"
    if len(tag) > MAX_TAG_CHARACTERS:
        return f"it has {len(tag)} characters, and Glance takes {MAX_TAG_CHARACTERS}"
    if "/" in tag or tag in {".", ".."}:
        return "Glance's route for tags takes no slash and no dot segment"
    if not (tag.isascii() and tag.isprintable()):
        return "Glance's route for tags garbles what is not printable ASCII"
    return ""


def _page_of(body: Any) -> tuple[list[ImageRecord], str]:
    return [record_of(record) for record in body["images"]], body.get("next") or ""


def _of(owner: str | None) -> dict[str, str]:
    return {} if owner is None else {"owner": owner}


def _path(image_id: str, tag: str | None = None) -> str:
    path = f"/v2/images/{quote(image_id, safe='')}"
    return path if tag is None else f"{path}/tags/{quote(tag, safe='')}"


def _operation(name: str, value: Value) -> dict[str, Any]:
    """Write one operation of RFC 6902; an attribute is always there, a property may be."""
    pointer = "/" + name.replace("~", "~0").replace("/", "~1")
    if value is None:
        return {"op": "remove", "path": pointer}
    return {"op": "replace" if name in _ATTRIBUTES else "add", "path": pointer, "value": value}
