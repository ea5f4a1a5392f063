# SPDX-License-Identifier: Apache-2.0
"""References to images that Glance holds: an id, or a tag."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import cast
from urllib.parse import quote, unquote

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference.base import FORMS, ChecksumUrl, Reference, ending
from amphora_image.reference.pin import Pin

#: Glance keeps a tag in a column of 255 characters.
MAX_TAG_CHARACTERS = 255

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
#: NUL, halves of a surrogate pair, and what needs four bytes in UTF-8 (Glance answers 400 to those).
_NO_TAG_CHARACTER = re.compile("[\x00\ud800-\udfff\U00010000-\U0010ffff]")
_SCHEME = "glance"
#: What makes of a word more than a tag: a pin, or what is meant for a file or a URL. A tag may be so too, and is then
#: written as glance://tag/NAME.
_PIN = re.compile(r"(sha[0-9]+|md5)=(.*)", re.DOTALL)
_PATH = re.compile(r"\.{0,2}/|~/|(?:file|https?):(?!//)")


@dataclass(frozen=True, slots=True)
class IdReference(Reference):
    """One image, by its id, which Glance writes in lower case."""

    image_id: str

    def __post_init__(self) -> None:
        if not _UUID.fullmatch(self.image_id):
            raise InvalidReferenceError(self.image_id, "an image id is a UUID")
        object.__setattr__(self, "image_id", self.image_id.lower())
        _check_pin(self)

    def __str__(self) -> str:
        return f"{_SCHEME}://{self.image_id}{ending(self.pin)}"


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
        _check_pin(self)

    def __str__(self) -> str:
        owner = f"?owner={self.owner}" if self.owner else ""
        return f"{_SCHEME}://tag/{quote(self.tag, safe='')}{owner}{ending(self.pin)}"


def _check_pin(reference: Reference) -> None:
    """Refuse a checksum file: the resolver compares digests, and fetches nothing."""
    if isinstance(reference.pin, ChecksumUrl):
        raise InvalidReferenceError(reference.shown, "a checksum file pins no image of Glance", "write #sha512=DIGEST")


def _parse_word(text: str, kind: str, _: Pin | ChecksumUrl | None) -> IdReference | TagReference:
    """Read what has no scheme: a UUID, maybe pinned, or a tag where ``kind`` says so."""
    word, pinned, pin = text.partition("#")
    if _UUID.fullmatch(word):
        reference = Reference.parse(f"{_SCHEME}://{text}") if pinned else IdReference(word)
        return cast("IdReference", reference)
    if kind == "tag" and not _PATH.match(text):
        found = _PIN.fullmatch(pin)
        return TagReference(word, pin=Pin(*found.groups())) if found else TagReference(text)
    if _PATH.match(text):
        remedy = "write file:///PATH for a file, https://HOST/PATH for a URL"
        raise InvalidReferenceError(text, "it looks like a path or a URL, and is not written as one", remedy)
    if "://" in text:
        raise InvalidReferenceError(text, "what is before :// is no scheme", "name an image")
    remedy = f"write {TagReference(text)} for a tag" if 0 < len(text) <= MAX_TAG_CHARACTERS else "name an image"
    raise InvalidReferenceError(text, "it is neither a UUID nor a URL", remedy)


def _parse(scheme: str, location: str, pin: Pin | ChecksumUrl | None) -> IdReference | TagReference:
    """Read what follows ``glance://``."""
    if _UUID.fullmatch(location):
        return IdReference(location, pin=pin)
    text = f"{scheme}://{location}"
    path, question, query = location.partition("?")
    kind, slash, name = path.partition("/")
    if kind != "tag" or not slash:
        raise InvalidReferenceError(text, "after glance:// comes a UUID or tag/NAME")
    if re.search(r"[/\s]", name):
        remedy = "percent-encode the tag, for example a%2Fb for a/b"
        raise InvalidReferenceError(text, "the tag is not percent-encoded", remedy)
    owner = None
    if question:
        key, _, owner = query.partition("=")
        if key != "owner":
            raise InvalidReferenceError(text, "what follows ? is not owner=PROJECT_ID")
    try:
        tag = unquote(name, errors="strict")
    except UnicodeDecodeError:
        raise InvalidReferenceError(text, "the tag is not valid UTF-8", "percent-encode the tag as UTF-8") from None
    return TagReference(tag, owner, pin=pin)


FORMS["word"] = _parse_word
FORMS[_SCHEME] = _parse
