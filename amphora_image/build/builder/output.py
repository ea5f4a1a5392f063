# SPDX-License-Identifier: Apache-2.0
"""What diskimage-builder writes while it works: the phase it is in, and, where it fails, what that means. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from amphora_image.errors import (
    BuildFailedError,
    DiskFullError,
    MirrorUnavailableError,
    UnknownChoiceError,
    UntrustedMirrorError,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amphora_image.errors import AmphoraImageError

#: diskimage-builder's phases, in their order, as people call what they do.
PHASES = {
    "root": "unpacking the base system",
    "extra-data": "collecting what goes into the image",
    "pre-install": "preparing the base system",
    "install": "installing",
    "post-install": "configuring",
    "post-root": "completing the root file system",
    "pre-finalise": "finishing",
    "finalise": "finishing",
    "cleanup": "cleaning up",
}

_PHASE = re.compile(r"(?:Running hooks from \S*/|in_target\.d/)([a-z-]+)\.d(?:/|\s*$)")
_TAIL_LINES = 60
#: Who tells of each hook that it runs: the hook's name, such as 09-apt-keyring, is no sign of anything.
_RUNNER = "dib-run-parts "
#: What stands before each line of a program that installs packages.
_QUOTED = "> "

#: Signs in what was said, the most telling first. apt tells of an unknown release and of a wrong key in many lines.
_NO_ROOM = re.compile(r".*No space left on device.*|.*You don't have enough free space.*")
_UNTRUSTED = re.compile(
    r".*(?:NO_PUBKEY|EXPKEYSIG|is not signed|signatures couldn't be verified|[Uu]nknown key|"
    r"is expired|is not valid yet|signed by unknown key|no valid OpenPGP|Missing key|[EW]: .*(?:not verified|keyring)).*"
)
_NO_RELEASE = re.compile(r".*(?:does not have a Release file|No such script: .*|[Ii]nvalid Release file).*")
_NO_PACKAGE = re.compile(r".*(?:Unable to locate package|has no installation candidate|No match for argument).*")
_UNREACHABLE = re.compile(
    r".*(?:Temporary failure resolving|Could not resolve|Couldn't resolve|Could not connect|Unable to connect|"
    r"Connection (?:refused|timed out|failed)|Failed to fetch|Cannot initiate the connection|"
    r"Couldn't download|Cannot download|Failed getting release file|after connection broken by).*"
)
_COMPLAINT = re.compile(r"(?:E: |ERROR|Error|error:|fatal:|.*: error: ).*")


def phase_of(line: str) -> str | None:
    """Give the phase that a line says has begun, by its name for people; None for any other line."""
    match = _PHASE.search(line)
    return PHASES.get(match[1]) if match else None


def failure_of(lines: Sequence[str], phase: str, *, work: str, log: str) -> AmphoraImageError:
    """Say what it means that the build failed in ``phase`` after having said ``lines``, of which the last ones count."""
    said = (line.strip().removeprefix(_QUOTED) for line in lines[-_TAIL_LINES:] if not line.startswith(_RUNNER))
    tail = [line for line in said if line]
    if found := _first(tail, _NO_ROOM):
        return DiskFullError(work, found)
    if found := _first(tail, _UNTRUSTED):
        return UntrustedMirrorError(found, log)
    if found := _first(tail, _UNREACHABLE):
        return MirrorUnavailableError(found, log)
    if found := _first(tail, _NO_RELEASE):
        return UnknownChoiceError(f"the mirror has no such release: {found}", f"correct --release (log: {log})")
    if found := _first(tail, _NO_PACKAGE):
        return UnknownChoiceError(f"a package is not to be had: {found}", f"correct --package (log: {log})")
    detail = _first(tail, _COMPLAINT) or (tail[-1] if tail else "it said nothing")
    return BuildFailedError(phase, detail, log)


def _first(lines: Sequence[str], pattern: re.Pattern[str]) -> str:
    return next((line for line in lines if pattern.match(line)), "")
