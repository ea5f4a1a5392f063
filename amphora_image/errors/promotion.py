# SPDX-License-Identifier: Apache-2.0
"""Errors of moving a tag from one image to another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors.base import AmphoraImageError, RetryableError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(eq=False)
class CannotBootError(AmphoraImageError):
    """The image that was named may not be booted, so no tag may lead to it."""

    image_id: str
    reason: str
    exit_code = 4

    def __str__(self) -> str:
        return f"image {self.image_id} may not be booted: {one_line(self.reason)}; correct that, or name another image"


@dataclass(eq=False)
class NoFormerError(AmphoraImageError):
    """A tag has no former holder that may be booted; ``candidates`` are ids of images that may be promoted instead."""

    tag: str
    reason: str
    candidates: Sequence[str] = ()
    exit_code = 4

    def __str__(self) -> str:
        others = f"one of {', '.join(self.candidates)}" if self.candidates else "an image that may be booted"
        return (
            f"tag {self.tag!r} cannot go back to its former holder: {one_line(self.reason)}; "
            f"promote {others} with `amphora-image promote`"
        )


@dataclass(eq=False)
class EmptyTagError(AmphoraImageError):
    """Taking the image away would leave tags without an image that may be booted; nothing was changed."""

    image_id: str
    tags: Sequence[str]
    exit_code = 4

    def __str__(self) -> str:
        named = ", ".join(map(repr, self.tags))
        return (
            f"without image {self.image_id} nothing may be booted for tag {named}, which has no former holder that may "
            f"be booted; promote another image first, or give --leave-empty"
        )


@dataclass(eq=False)
class OvertakenError(AmphoraImageError):
    """Somebody else promoted another image to the tag at the same time, and that one holds it now."""

    tag: str
    image_id: str
    by: str
    exit_code = 3

    def __str__(self) -> str:
        return (
            f"the promotion of image {self.image_id} to tag {self.tag!r} was overtaken by that of {self.by}; "
            f"see `amphora-image history`, and promote again if this image is meant"
        )


@dataclass(eq=False)
class PromotionBusyError(RetryableError):
    """The lock was not free in time: another promotion of this user, or at this coordinator, is under way."""

    lock: str
    waited_seconds: float

    def __str__(self) -> str:
        return (
            f"another promotion holds the lock {self.lock} for more than {self.waited_seconds} s; "
            f"try again when it has ended"
        )
