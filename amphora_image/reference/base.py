# SPDX-License-Identifier: Apache-2.0
"""What all references share: how a text is taken apart, the pin at its end, and what may be shown of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference.pin import Pin

if TYPE_CHECKING:
    from collections.abc import Callable

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")

CHECKSUM = "checksum"


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of an image; made by :meth:`parse`, written by ``str``. The classes derived from it are the forms.

    ``pin`` says what the bytes must be. ``str`` writes all of it, the signature in a signed URL too; what is logged or
    told in an error is :attr:`shown`.
    """

    pin: Pin | ChecksumUrl | None = field(default=None, kw_only=True)

    @staticmethod
    def parse(text: str, *, bare_word_is_tag: bool = False) -> Reference:
        """Read ``text``; with ``bare_word_is_tag``, as on a command line, a word that is no UUID is a tag.

        :raises InvalidReferenceError: the text has none of the forms.
        """
        try:
            return _parse(text, bare_word_is_tag=bare_word_is_tag)
        except InvalidReferenceError as error:
            raise InvalidReferenceError(redacted(text), error.reason, error.remedy) from None

    @property
    def scheme(self) -> str:
        """What is written before ``://``: it says which service reads the image."""
        return str(self).partition("://")[0]

    @property
    def shown(self) -> str:
        """The reference without its pin and without what may be a secret in it: for logs and errors."""
        return str(self).partition("#")[0]


@dataclass(frozen=True, slots=True)
class ChecksumUrl:
    """A pin that a checksum file holds, and the reference of that file.

    :raises InvalidReferenceError: the reference is pinned itself, or one of an image in Glance.
    """

    reference: Reference

    def __post_init__(self) -> None:
        if self.reference.pin is not None or self.reference.scheme == "glance":
            reason = "a checksum file is named by a URL of its own, without a pin"
            raise InvalidReferenceError(f"#{CHECKSUM}={self.reference.shown}", reason, f"write #{CHECKSUM}=https://…")

    def __str__(self) -> str:
        return f"{CHECKSUM}={self.reference}"


#: What makes a reference of (scheme, what follows it up to a #, pin), by scheme; ``word`` takes what has no scheme, with
#: what a word is in place of the location, and ``other`` every further scheme. Each module of this package adds its own.
FORMS: dict[str, Callable[[str, str, Pin | ChecksumUrl | None], Reference]] = {}


def ending(pin: Pin | ChecksumUrl | None) -> str:
    """Write a pin as the end of a reference."""
    return "" if pin is None else f"#{pin}"


def redacted(text: str) -> str:
    """Give a text that is no reference as it may be told: a password may stand before any @, a signature after a ?."""
    scheme, found, rest = text.partition("://")
    if not found:
        return text
    rest = f"…@{rest.rpartition('@')[2]}" if "@" in rest else rest
    before, asked, after = rest.partition("?")
    return f"{scheme}://{before}{'?…' if asked and not after.startswith('owner=') else asked + after}"


def _parse(text: str, *, bare_word_is_tag: bool) -> Reference:
    """Read a text; the errors of what is called here need not quote it."""
    # Not urlsplit(): it raises a bare ValueError for "glance://[", and drops line breaks.
    scheme, found, rest = text.partition("://")
    if not found or not _SCHEME.fullmatch(scheme):
        return FORMS["word"](text, "tag" if bare_word_is_tag else "", None)
    scheme = scheme.lower()
    location, pinned, fragment = rest.partition("#")
    if "@" in location.partition("/")[0]:
        remedy = "put them into the credentials file, for that host alone"
        raise InvalidReferenceError(text, "it holds credentials", remedy)
    if _BAD_ESCAPE.search(location):
        raise InvalidReferenceError(text, "a % is not followed by two hex digits", "write %25 for a %")
    pin = _parse_pin(fragment) if pinned else None
    return FORMS.get(scheme, FORMS["other"])(scheme, location, pin)


def _parse_pin(fragment: str) -> Pin | ChecksumUrl:
    algorithm, equals, value = fragment.partition("=")
    if algorithm == CHECKSUM and equals and "#" not in value:
        return ChecksumUrl(Reference.parse(value))
    return Pin(algorithm, value)
