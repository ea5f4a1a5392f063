# SPDX-License-Identifier: Apache-2.0
"""Pins: the digest that an image's bytes must have, as the last part of a reference says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from amphora_image.errors import InvalidReferenceError

#: The algorithms that verify, and the hex digits of each; md5 and sha1 can be made to collide and so prove nothing.
HEX_DIGITS = {"sha256": 64, "sha512": 128}

_WEAK = ("md5", "sha1")
_REMEDY = "write #sha256=DIGEST, #sha512=DIGEST or #checksum=URL"


@dataclass(frozen=True, slots=True)
class Pin:
    """The digest of an image's bytes: ``algorithm`` is ``sha256`` or ``sha512``, ``digest`` lower-case hex.

    :raises InvalidReferenceError: another algorithm, or a digest that is none of that algorithm.
    """

    algorithm: str
    digest: str

    def __post_init__(self) -> None:
        digits = HEX_DIGITS.get(self.algorithm)
        if digits is None:
            reason = (
                f"{self.algorithm!r} is too weak to verify by" if self.algorithm in _WEAK else "it pins by no digest"
            )
            raise InvalidReferenceError(f"#{self.algorithm}=…", reason, _REMEDY)
        if not re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", self.digest):
            reason = f"a {self.algorithm} digest has {digits} hex digits"
            raise InvalidReferenceError(str(self), reason, "copy the whole digest")
        object.__setattr__(self, "digest", self.digest.lower())

    def __str__(self) -> str:
        return f"{self.algorithm}={self.digest}"
