# SPDX-License-Identifier: Apache-2.0
"""Errors of putting an image into Glance."""

from __future__ import annotations

from dataclasses import dataclass

from amphora_image.errors.base import AmphoraImageError, ConfigurationError, RetryableError, one_line


class UnusableFileError(ConfigurationError):
    """The file that shall be published cannot be read as an image at all."""


class NoMethodError(ConfigurationError):
    """No way that this cloud offers puts this source where it was asked to be."""


@dataclass(eq=False)
class ImportFailedError(AmphoraImageError):
    """Glance gave up the import; the detail is its own reason."""

    image_id: str
    detail: str

    def __str__(self) -> str:
        return (
            f"Glance did not import image {self.image_id}: {one_line(self.detail)}; "
            f"correct what it names, or see Glance's log for the image's id"
        )


@dataclass(eq=False)
class ImportStuckError(RetryableError):
    """Nothing moved for as long as was allowed, or the phase took longer than its deadline."""

    image_id: str
    phase: str
    detail: str

    def __str__(self) -> str:
        return (
            f"image {self.image_id} is stuck while {self.phase}: {one_line(self.detail)}; "
            f"see Glance's log for the image's id and whether its staging area and stores have room, then publish again"
        )


@dataclass(eq=False)
class HashMismatchError(AmphoraImageError):
    """Glance has other bytes than those that were sent, or expected of its download; the image is deleted."""

    image_id: str
    expected: str
    found: str

    def __str__(self) -> str:
        return (
            f"what Glance holds as image {self.image_id} has the hash {self.found}, not {self.expected}, and is deleted; "
            f"look for what changes bytes on their way, and publish again"
        )


@dataclass(eq=False)
class ServerConversionError(AmphoraImageError):
    """Glance made another image of the bytes than was sent, so that their hash says nothing of it."""

    image_id: str
    detail: str

    def __str__(self) -> str:
        return (
            f"Glance converted image {self.image_id} on import: {one_line(self.detail)}; "
            f"publish it in the format that the cloud converts to, or give --accept-server-conversion"
        )
