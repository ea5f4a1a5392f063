# SPDX-License-Identifier: Apache-2.0
"""Errors of reading an image from where a reference says it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors.base import AmphoraImageError, ConfigurationError, RetryableError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class UnknownSchemeError(AmphoraImageError):
    """No image service reads references of that scheme; ``known`` are the schemes that have one."""

    scheme: str
    known: Sequence[str] = ()
    exit_code = 2

    def __str__(self) -> str:
        return (
            f"no image service reads {self.scheme}:// (there are {', '.join(self.known) or 'none'}); "
            f"correct the scheme, or install the package that adds it"
        )


class NotBootableError(ConfigurationError):
    """A reference says what to boot, and names no image of Glance; ``source`` is where it is written."""

    def __init__(self, reference: str, source: str) -> None:
        super().__init__(
            f"{source}: {reference} cannot be booted, for Nova boots images that Glance holds",
            "publish it with `amphora-image publish`, and name its tag or id",
        )


@dataclass(eq=False)
class PinAlgorithmError(AmphoraImageError):
    """The digest that the pin wants is not the one that Glance keeps, so that the two cannot be compared."""

    reference: str
    pinned: str
    kept: str
    exit_code = 2

    def __str__(self) -> str:
        return (
            f"{self.reference} is pinned by its {self.pinned} and Glance keeps {self.kept or 'no digest'} of it; "
            f"{f'pin it with #{self.kept}=DIGEST' if self.kept else 'remove the pin, or publish the image again'}"
        )


@dataclass(eq=False)
class DigestMismatchError(AmphoraImageError):
    """The bytes are not those that the pin, or the source itself, says."""

    reference: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return (
            f"{self.reference} should have {self.wanted} and has {self.found}; "
            f"do not use it, and ask who publishes it which digest is right"
        )


@dataclass(eq=False)
class ChecksumFileError(AmphoraImageError):
    """The checksum file says no digest that can be used."""

    reference: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.reference} gives no digest: {one_line(self.detail)}; correct the file, or pin with #sha256=DIGEST"
        )


@dataclass(eq=False)
class SourceChangedError(RetryableError):
    """The source has another version than the one whose beginning was read."""

    reference: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reference} is not what was begun with: {one_line(self.detail)}; begin again when it is complete"


@dataclass(eq=False)
class SourceUnavailableError(RetryableError):
    """The source did not give the whole image; ``retry_after_seconds`` is how long it asks to be left alone."""

    reference: str
    detail: str
    retry_after_seconds: float = 0.0

    def __str__(self) -> str:
        return f"{self.reference} could not be read to its end: {one_line(self.detail)}; try again later"


@dataclass(eq=False)
class SourceNotFoundError(AmphoraImageError):
    """There is no image where the reference says."""

    reference: str
    detail: str

    def __str__(self) -> str:
        return f"{self.reference} names no image: {one_line(self.detail)}; correct the reference"


@dataclass(eq=False)
class SourceRefusedError(AmphoraImageError):
    """The source lets us not read the image, or answers what is none."""

    reference: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.reference} cannot be read: {one_line(self.detail)}; {self.remedy}"


@dataclass(eq=False)
class SourceForbiddenError(AmphoraImageError):
    """Our own rules forbid to read from there; nothing was sent."""

    reference: str
    detail: str
    remedy: str
    exit_code = 2

    def __str__(self) -> str:
        return f"{self.reference} may not be read: {one_line(self.detail)}; {self.remedy}"


@dataclass(eq=False)
class DestinationError(AmphoraImageError):
    """What was read cannot be written where it is wanted."""

    path: str
    detail: str

    def __str__(self) -> str:
        return f"{self.path} cannot be written: {one_line(self.detail)}; make room, or name another place"
