# SPDX-License-Identifier: Apache-2.0
"""References to images elsewhere: on a web server, in a file, or where another package's service finds them."""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference.base import FORMS, Reference, ending, redacted

if TYPE_CHECKING:
    from amphora_image.reference.base import ChecksumUrl
    from amphora_image.reference.pin import Pin

#: What may stand in a URL after the host (RFC 3986, 2), and in the name of a host (labels in their xn-- form).
_CHARACTERS = re.compile(r"[A-Za-z0-9._~:/?@!$&'()*+,;=%-]*")
_NAME = re.compile(r"(?=.{1,253}\Z)[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?")
_PORT = re.compile(r"[0-9]{1,5}")
_MAX_PORT = 65535


@dataclass(frozen=True, slots=True)
class UrlReference(Reference):
    """An image on a web server: ``scheme`` is ``http`` or ``https``, ``host`` a name or an address, without brackets.

    ``port`` is None for the scheme's own; ``target`` is the path with its query, as it is sent.
    """

    protocol: str
    host: str
    port: int | None
    target: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "host", _host(self.host.lower(), str(self)))
        if self.port is not None and not 0 < self.port <= _MAX_PORT:
            raise InvalidReferenceError(str(self), "the port is not between 1 and 65535", "correct the port")
        if not self.target.startswith("/") or not _CHARACTERS.fullmatch(self.target):
            reason = "the path holds what a URL cannot"
            raise InvalidReferenceError(str(self), reason, "percent-encode it, for example %20 for a blank")

    @property
    def shown(self) -> str:
        """The reference without pin and query, which may be signed; an @ in the path stands before no host."""
        before, asked, _ = str(self).partition("#")[0].partition("?")
        return f"{before}{'?…' if asked else ''}"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}://{host}{port}{self.target}{ending(self.pin)}"


@dataclass(frozen=True, slots=True)
class FileReference(Reference):
    """An image in a file of this machine, by its absolute path."""

    path: PurePosixPath

    def __post_init__(self) -> None:
        try:
            whole = self.path.is_absolute() and b"\0" not in os.fsencode(self.path)
        except UnicodeEncodeError:
            whole = False
        if not whole:
            raise InvalidReferenceError(f"file://{self.path}", "it is no absolute path", "write file:///PATH")

    def __str__(self) -> str:
        return f"file://{quote(os.fsencode(self.path))}{ending(self.pin)}"


@dataclass(frozen=True, slots=True)
class OtherReference(Reference):
    """An image that the service of another package reads, which alone knows what ``location`` means."""

    protocol: str
    location: str

    def __post_init__(self) -> None:
        if not self.location or not _CHARACTERS.fullmatch(self.location):
            reason = f"nothing that a URL can hold follows {self.protocol}://"
            raise InvalidReferenceError(str(self), reason, "percent-encode what is not plain")

    @property
    def shown(self) -> str:
        """The reference without pin and query, which may be signed."""
        return redacted(str(self).partition("#")[0])

    def __str__(self) -> str:
        return f"{self.protocol}://{self.location}{ending(self.pin)}"


def _host(host: str, text: str) -> str:
    """Check a host's name or address, and write an address as everybody does."""
    if ":" in host:
        try:
            return str(ipaddress.IPv6Address("" if "%" in host else host))  # a zone means nothing to others
        except ValueError:
            raise InvalidReferenceError(text, "the host is no IPv6 address", "correct the host") from None
    if not _NAME.fullmatch(host) or ".." in host:
        remedy = "write its name in ASCII, an international one in its xn-- form"
        raise InvalidReferenceError(text, "the host is no name", remedy)
    return host


def _parse_url(scheme: str, location: str, pin: Pin | ChecksumUrl | None) -> UrlReference:
    text = f"{scheme}://{location}"
    found = re.fullmatch(r"(\[[^\]/?]*\]|[^:/?\[\]]*)(?::([^/?]*))?(/.*|\?.*|)", location, re.DOTALL)
    if not found:
        raise InvalidReferenceError(text, "it does not begin with a host", "write https://HOST/PATH")
    host, port, target = found.groups()
    if port is not None and not _PORT.fullmatch(port):
        raise InvalidReferenceError(text, "the port is not between 1 and 65535", "correct the port")
    if host.startswith("[") and ":" not in host:
        raise InvalidReferenceError(text, "the host is no IPv6 address", "correct the host")
    target = target if target.startswith("/") else f"/{target}"
    return UrlReference(scheme, host.strip("[]"), None if port is None else int(port), target, pin=pin)


def _parse_file(scheme: str, location: str, pin: Pin | ChecksumUrl | None) -> FileReference:
    if not location.startswith("/") or "?" in location:
        reason, remedy = "a file is named by its absolute path", "write file:///PATH, with %3F for a ?"
        raise InvalidReferenceError(f"{scheme}://{location}", reason, remedy)
    try:
        path = os.fsdecode(unquote_to_bytes(location))
    except UnicodeEncodeError:
        reason = "the path is no text"
        raise InvalidReferenceError(f"{scheme}://{location}", reason, "percent-encode the path") from None
    return FileReference(PurePosixPath(path), pin=pin)


def _parse_other(scheme: str, location: str, pin: Pin | ChecksumUrl | None) -> OtherReference:
    return OtherReference(scheme, location, pin=pin)


FORMS["http"] = FORMS["https"] = _parse_url
FORMS["file"] = _parse_file
FORMS["other"] = _parse_other
