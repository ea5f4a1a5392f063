# SPDX-License-Identifier: Apache-2.0
"""References to images: text to value and back.

A text is parsed once, at the edge (an option, an argument), and only the value travels on. The forms::

    6b3c…-…                          an image id, bare
    glance://6b3c…-…                 the same
    glance://tag/NAME                the newest image with that tag; NAME is percent-encoded
    glance://tag/NAME?owner=PROJECT  of that project instead of the configured one
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

from amphora_image.errors import InvalidReferenceError

#: Glance keeps a tag in a column of 255 characters.
MAX_TAG_CHARACTERS = 255

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")
#: NUL, halves of a surrogate pair, and what needs four bytes in UTF-8 (Glance answers 400 to those).
_NO_TAG_CHARACTER = re.compile("[\x00\ud800-\udfff\U00010000-\U0010ffff]")
_SCHEME = "glance"


@dataclass(frozen=True, slots=True)
class Reference:
    """The base of :class:`TagReference` and :class:`IdReference`; made by :meth:`parse`."""

    @staticmethod
    def parse(text: str, *, bare_word_is_tag: bool = False) -> TagReference | IdReference:
        """Read ``text``; with ``bare_word_is_tag``, as on a command line, a word that is no UUID is a tag.

        :raises InvalidReferenceError: the text has none of the forms above.
        """
        if _UUID.fullmatch(text):
            return IdReference(text)
        scheme, found, rest = text.partition("://")
        if not found or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
            if bare_word_is_tag:
                return TagReference(text)
            remedy = f"write {TagReference(text)} for a tag" if 0 < len(text) <= MAX_TAG_CHARACTERS else "name an image"
            raise InvalidReferenceError(text, "it is neither a UUID nor a URL", remedy)
        if scheme != _SCHEME:
            raise InvalidReferenceError(text, f"the scheme {scheme!r} is not known")
        if _UUID.fullmatch(rest):
            return IdReference(rest)
        return _parse_tag(text, rest)


@dataclass(frozen=True, slots=True)
class IdReference(Reference):
    """One image, by its id, which Glance writes in lower case."""

    image_id: str

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.image_id):
            raise InvalidReferenceError(self.image_id, "an image id is a UUID")
        object.__setattr__(self, "image_id", self.image_id.lower())

    def __str__(self) -> str:
        return f"{_SCHEME}://{self.image_id}"


@dataclass(frozen=True, slots=True)
class TagReference(Reference):
    """The newest image that carries ``tag``, of project ``owner`` (None: of the project that policy trusts)."""

    tag: str
    owner: str | None = None

    def __post_init__(self) -> None:
        if not self.tag:
            raise InvalidReferenceError(self.tag, "the tag is empty")
        if len(self.tag) > MAX_TAG_CHARACTERS:
            reason = f"a tag has at most {MAX_TAG_CHARACTERS} characters, this one {len(self.tag)}"
            raise InvalidReferenceError(self.tag, reason, "shorten the tag")
        if self.owner is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,255}", self.owner):
            raise InvalidReferenceError(self.owner, "the owner is not a project id", "give the id of a project")
        if _NO_TAG_CHARACTER.search(self.tag):
            reason = "Glance takes neither NUL nor characters beyond U+FFFF in a tag"
            raise InvalidReferenceError(self.tag, reason, "give the image another tag")

    def __str__(self) -> str:
        owner = f"?owner={self.owner}" if self.owner else ""
        return f"{_SCHEME}://tag/{quote(self.tag, safe='')}{owner}"


def _parse_tag(text: str, rest: str) -> TagReference:
    """Read what follows ``glance://`` when it is no UUID."""
    path, question, query = rest.partition("?")
    kind, slash, name = path.partition("/")
    if kind != "tag" or not slash:
        raise InvalidReferenceError(text, "after glance:// comes a UUID or tag/NAME")
    if re.search(r"[/#\s]", name) or "#" in query or _BAD_ESCAPE.search(rest):
        remedy = "percent-encode the tag, for example a%2Fb for a/b"
        raise InvalidReferenceError(text, "the tag is not percent-encoded", remedy)
    owner = None
    if question:
        key, _, owner = query.partition("=")
        if key != "owner":
            raise InvalidReferenceError(text, f"{query!r} is not owner=PROJECT_ID")
    try:
        tag = unquote(name, errors="strict")
    except UnicodeDecodeError:
        raise InvalidReferenceError(text, "the tag is not valid UTF-8", "percent-encode the tag as UTF-8") from None
    return TagReference(tag, owner)
