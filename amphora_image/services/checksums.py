# SPDX-License-Identifier: Apache-2.0
"""Checksum files: what sha256sum and shasum write, and distributions publish beside their images."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote

from amphora_image.errors import ChecksumFileError, InvalidReferenceError
from amphora_image.reference import FileReference, OtherReference, Pin, UrlReference
from amphora_image.reference.pin import HEX_DIGITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.reference import Reference

#: Larger than any list of checksums.
MAX_BYTES = 1024 * 1024

_ALGORITHMS = {digits: algorithm for algorithm, digits in HEX_DIGITS.items()}
_HEX = re.compile(r"[0-9a-fA-F]{32,128}")


def file_name(reference: Reference) -> str:
    """Give the name by which a checksum file lists the image.

    :raises InvalidReferenceError: the reference has none.
    """
    match reference:
        case UrlReference(target=location) | OtherReference(location=location):
            name = unquote(location.partition("?")[0].rpartition("/")[2])
        case FileReference(path=path):
            name = path.name
        case _:
            name = ""
    if not name:
        reason = "it ends with no file's name that a checksum file could list"
        raise InvalidReferenceError(reference.shown, reason, "pin with #sha256=DIGEST")
    return name


def pin_in(content: bytes, name: str, where: str) -> Pin:
    """Find the digest of the file ``name`` in a checksum file's ``content``; errors call the file ``where``.

    The forms: one digest alone; ``DIGEST  NAME`` and ``DIGEST *NAME`` (GNU); ``SHA256 (NAME) = DIGEST`` (BSD). Names
    are compared as they are, after a leading ``./``; other lines (comments, signatures) are passed over.

    :raises ChecksumFileError: no line, or lines that contradict each other, or only weak digests.
    """
    lines = content.decode("utf-8", "replace").splitlines()
    words = " ".join(lines).split()
    found = words if len(words) == 1 and _HEX.fullmatch(words[0]) else list(_listed(lines, name))
    strong = {Pin(_ALGORITHMS[len(digest)], digest) for digest in found if len(digest) in _ALGORITHMS}
    if found and not strong:
        raise ChecksumFileError(where, f"for {name} it has only digests that are too weak to verify by")
    if not strong:
        raise ChecksumFileError(where, f"it does not list {name}")
    if len({pin.algorithm for pin in strong}) < len(strong):
        raise ChecksumFileError(where, f"it lists {name} more than once, with different digests")
    return min(strong, key=lambda pin: pin.algorithm)  # sha256, if both are there: it is the faster one


def _listed(lines: list[str], name: str) -> Iterator[str]:
    """Give the digests on the lines that are for ``name``."""
    for line in map(str.strip, lines):
        digest, gap, listed = line.removeprefix("\\").partition(" ")
        if gap and _HEX.fullmatch(digest):
            listed = listed[1:] if listed[:1] in {" ", "*"} else listed
            listed = _unescaped(listed) if line.startswith("\\") else listed
        else:
            before, bracket, digest = line.rpartition(") = ")
            label, opened, listed = before.partition(" (")
            if not (bracket and opened and _HEX.fullmatch(digest)):
                continue
            if len(digest) in _ALGORITHMS and label.lower() != _ALGORITHMS[len(digest)]:
                continue  # another digest of that length, for example BLAKE2b
        if listed.removeprefix("./") == name:
            yield digest


def _unescaped(listed: str) -> str:
    """Undo what sha256sum does to a name with a line break or a backslash, on a line that begins with one."""
    return re.sub(r"\\(.)", lambda found: {"n": "\n", "r": "\r"}.get(found[1], found[1]), listed)
