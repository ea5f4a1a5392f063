# SPDX-License-Identifier: Apache-2.0
"""The indexes of the mirrors that apt chose a tree's packages by: which they were, and whether they are the same still.

A mirror signs an index of all its packages, ``InRelease``; whatever is published, a security update among it, changes it.
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING

from amphora_image.build.builder.mirrors import sources

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FETCH_SECONDS = 20.0
_MOST_BYTES = 16 << 20
_SCHEMES = ("http", "https", "file")
#: What apt writes as a code where it makes a file's name of an address; see its URItoFileName().
_QUOTED = set('\\|{}[]<>"^~_=!@#$%&*')


def indexes_of(tree: Path) -> dict[str, str]:
    """Give each index by its address, with the SHA-256 of what apt read; nothing where not all of them can be told.

    An address with an account is none that we would keep, and one of a scheme that we cannot ask none to compare.
    """
    found = dict[str, str]()
    for source in sources(tree / "etc" / "apt"):
        base = source.uri.rstrip("/")
        address = (
            f"{base}/{source.suite}InRelease"
            if source.suite.endswith("/")
            else f"{base}/dists/{source.suite}/InRelease"
        )
        parts = urllib.parse.urlsplit(address)
        file = tree / "var" / "lib" / "apt" / "lists" / _file_name(address)
        if parts.scheme not in _SCHEMES or "@" in parts.netloc or not file.is_file():
            return {}
        found[address] = hashlib.sha256(file.read_bytes()).hexdigest()
    return found


def are_current(indexes: Mapping[str, str]) -> bool:
    """Ask the mirrors whether their indexes are those; False also where one does not answer."""
    return all(_digest(address) == digest for address, digest in indexes.items())


def _digest(address: str) -> str:
    try:
        with urllib.request.urlopen(address, timeout=_FETCH_SECONDS) as reply:  # noqa: S310 - of a scheme in _SCHEMES
            return hashlib.sha256(reply.read(_MOST_BYTES)).hexdigest()
    except (OSError, ValueError, http.client.HTTPException):
        return ""


def _file_name(address: str) -> str:
    """Name a file as apt does: by the address without its scheme."""
    rest = address.partition("://")[2]
    quoted = "".join(f"%{ord(sign):02x}" if sign in _QUOTED or not " " < sign < "\x7f" else sign for sign in rest)
    return quoted.replace("/", "_")
