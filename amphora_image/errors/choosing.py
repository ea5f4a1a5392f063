# SPDX-License-Identifier: Apache-2.0
"""Errors of saying which image is wanted, and of finding one that may be booted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors.base import AmphoraImageError, ConfigurationError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class NothingWantedError(ConfigurationError):
    """No option and no argument says which image is wanted."""

    def __init__(self) -> None:
        super().__init__(
            "no image is asked for: the build named no tag and every option that could is empty",
            "set [controller_worker] amp_image_tag (or [amphora_image] image_ref)",
        )


class NoOwnerError(ConfigurationError):
    """Nothing says whose images may be booted: no owner is set and the token has no project."""

    def __init__(self) -> None:
        super().__init__(
            "whose images to trust is not known: the token is not scoped to a project and no owner is set",
            "set [controller_worker] amp_image_owner_id, or project_name in [service_auth]",
        )


@dataclass(eq=False)
class InvalidReferenceError(AmphoraImageError):
    """A text is no image reference; raised before any request is sent."""

    text: str
    reason: str
    remedy: str = "write a tag as glance://tag/NAME and an image id as glance://UUID"
    exit_code = 2

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 60 else f"{self.text[:57]}..."
        return f"{shown!r} is no image reference: {one_line(self.reason)}; {self.remedy}"


@dataclass(eq=False)
class ImageMisfitError(AmphoraImageError):
    """The image that was chosen cannot run on the flavor; Nova was not asked."""

    image: str
    flavor_id: str
    reason: str
    exit_code = 4

    def __str__(self) -> str:
        return (
            f"image {self.image} does not fit flavor {self.flavor_id}: {one_line(self.reason)}; "
            f"use a larger flavor (or [cinder] volume_size), or an image that is built for it"
        )


@dataclass(eq=False)
class NoImageError(AmphoraImageError):
    """No image passes the rules for what was wanted; ``rejected`` has ``"<id> (<name>): <reason>"`` of each."""

    wanted: str
    owner: str
    rejected: Sequence[str] = ()
    exit_code = 4

    def __str__(self) -> str:
        found = "; ".join(map(one_line, self.rejected)) or "there is none, or none that this user may see"
        return (
            f"no image may be booted for {self.wanted} (trusted owner: {self.owner}): {found}; "
            f"tag an active image of that owner, or name its id"
        )
