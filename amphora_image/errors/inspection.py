# SPDX-License-Identifier: Apache-2.0
"""Errors of looking into a disk image."""

from __future__ import annotations

from dataclasses import dataclass

from amphora_image.errors.base import AmphoraImageError, one_line


@dataclass(eq=False)
class UnreadableImageError(AmphoraImageError):
    """The file is no disk image that can be looked into: it is damaged, of another kind, or needs more than itself."""

    path: str
    detail: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.path} cannot be inspected: {one_line(self.detail)}; {self.remedy}"
