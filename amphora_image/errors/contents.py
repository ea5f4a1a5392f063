# SPDX-License-Identifier: Apache-2.0
"""Errors of looking into an image's bytes."""

from __future__ import annotations

from dataclasses import dataclass

from amphora_image.errors.base import AmphoraImageError, one_line


@dataclass(eq=False)
class UnsafeImageError(AmphoraImageError):
    """The bytes are a disk image that no hypervisor should be given: it reaches outside itself, or cannot be judged."""

    detected: str
    detail: str

    def __str__(self) -> str:
        return (
            f"the image's contents ({self.detected}) are not safe to boot: {one_line(self.detail)}; "
            f"write it anew as one whole image, for example with `qemu-img convert`"
        )


@dataclass(eq=False)
class FormatMismatchError(AmphoraImageError):
    """The bytes are not in the disk format that they are said to be in."""

    declared: str
    detected: str

    def __str__(self) -> str:
        return (
            f"the image is said to be {self.declared}, and its contents are {self.detected}; "
            f"name the format {self.detected}, or give the image that was meant"
        )
