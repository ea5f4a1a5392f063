# SPDX-License-Identifier: Apache-2.0
"""Errors of building an image and of trying it in a virtual machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors.base import AmphoraImageError, ConfigurationError, RetryableError, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnknownChoiceError(ConfigurationError):
    """An operating system, release, element or architecture is named that there is not."""


@dataclass(eq=False)
class MissingProgramsError(AmphoraImageError):
    """Programs, or files of theirs, that the work needs are not on this machine; all of them, with their packages."""

    missing: Sequence[str]
    packages: Sequence[str]

    def __str__(self) -> str:
        return (
            f"this machine has no {', '.join(self.missing)}; "
            f"install {' '.join(self.packages)} (so Debian and Ubuntu name the packages)"
        )


@dataclass(eq=False)
class ProgramFailedError(AmphoraImageError):
    """A program that does a part of the work ended with a fault of its own."""

    program: str
    detail: str

    def __str__(self) -> str:
        return (
            f"{self.program} failed: {one_line(self.detail) or 'it said nothing'}; correct what it names, then repeat"
        )


@dataclass(eq=False)
class NoRightsError(AmphoraImageError):
    """What has to be done takes the rights of root; ``command`` is what does it, as it can be called under sudo."""

    purpose: str
    command: str
    exit_code = 5

    def __str__(self) -> str:
        return f"{self.purpose} takes the rights of root; run `sudo {self.command} …`, or as root in a container"


@dataclass(eq=False)
class DiskTooSmallError(AmphoraImageError):
    """What shall be on the disk does not fit; sizes in bytes, ``needed`` 0 where only the attempt could tell."""

    size: int
    needed: int
    exit_code = 2

    def __str__(self) -> str:
        least = f", it takes {_size(self.needed)}" if self.needed else ""
        return (
            f"a disk of {_size(self.size)} does not hold the system{least}; give a larger --size, or leave things out"
        )


@dataclass(eq=False)
class DiskFullError(AmphoraImageError):
    """The file system that the work is done on has no room left for it."""

    path: str
    detail: str
    remedy: str = "free some, or name another place"

    def __str__(self) -> str:
        return f"there is no room in {self.path}: {one_line(self.detail)}; {self.remedy}"


@dataclass(eq=False)
class UnbootableSystemError(AmphoraImageError):
    """The root file system cannot be made to boot."""

    detail: str

    def __str__(self) -> str:
        return f"no bootable disk can be made of this: {one_line(self.detail)}; correct the elements it was made by"


@dataclass(eq=False)
class BuildFailedError(AmphoraImageError):
    """Making the root file system failed in ``phase``; ``log`` is where all that was said is kept."""

    phase: str
    detail: str
    log: str

    def __str__(self) -> str:
        return f"the build failed while {self.phase}: {one_line(self.detail)}; see {self.log}"


@dataclass(eq=False)
class MirrorUnavailableError(RetryableError):
    """Packages could not be had from where they are published; ``log`` as for :class:`BuildFailedError`."""

    detail: str
    log: str

    def __str__(self) -> str:
        return (
            f"the packages could not be fetched: {one_line(self.detail)}; name a mirror that answers in "
            f"DIB_DISTRIBUTION_MIRROR, an index in pip's configuration, or try again later (log: {self.log})"
        )


@dataclass(eq=False)
class UntrustedMirrorError(AmphoraImageError):
    """What the mirror gives is signed by nobody whom this machine trusts."""

    detail: str
    log: str

    def __str__(self) -> str:
        return (
            f"the mirror's signature is not trusted: {one_line(self.detail)}; use another mirror, or give its "
            f"key ring in DIB_APT_KEYRING (log: {self.log})"
        )


@dataclass(eq=False)
class TrialFailedError(AmphoraImageError):
    """The image did not do in a virtual machine what it has to; ``log`` is its console."""

    stage: str
    detail: str
    log: str

    def __str__(self) -> str:
        return f"the image failed its test at {self.stage}: {one_line(self.detail)}; see {self.log or 'its console'}"


def _size(count: int) -> str:
    return f"{count / (1 << 20):.0f} MiB" if isinstance(count, int) else str(count)
