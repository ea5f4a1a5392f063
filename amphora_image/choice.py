# SPDX-License-Identifier: Apache-2.0
"""The one decision: of these candidates, which image may be booted, and why not the others.

Pure: no clock, no network, no configuration object. Booting and explaining both call :func:`choose`, so that an
explanation can never differ from what a build would do.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.models import Candidate


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a candidate must satisfy.

    ``owner`` is the project whose images are trusted; None trusts everyone's and is never a default.
    ``denied_image_ids`` are in lower case.
    """

    owner: str | None
    denied_image_ids: frozenset[str] = field(default_factory=frozenset)

    def objection(self, candidate: Candidate) -> str | None:
        """Say why ``candidate`` may not be booted, or None when it may."""
        if candidate.status != "active":
            return f"its status is {candidate.status or 'unknown'}, not active"
        if candidate.hidden:
            return "it is hidden (os_hidden)"
        if candidate.id.lower() in self.denied_image_ids:
            return "it is listed in [amphora_image] denied_image_ids"
        if self.owner is not None and candidate.owner != self.owner:
            seen_as = f" ({candidate.visibility})" if candidate.visibility else ""
            return f"its owner is project {candidate.owner}{seen_as}, not the trusted {self.owner}"
        return None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One candidate and why it was not chosen; ``reason`` is empty for the winner."""

    candidate: Candidate
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.candidate.id} ({self.candidate.name}): {self.reason or 'chosen'}"


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome: the winner, or None, and a verdict on every candidate, the best first."""

    winner: Candidate | None
    verdicts: tuple[Verdict, ...]


def choose(candidates: Iterable[Candidate], rules: Rules) -> Choice:
    """Choose the newest candidate that passes ``rules``; among equally old ones that with the lowest id."""
    winner: Candidate | None = None
    passed, failed = [], []
    for candidate in sorted(candidates, key=lambda one: one.age_key):
        if reason := rules.objection(candidate):
            failed.append(Verdict(candidate, reason))
        elif winner is None:
            winner = candidate
            passed.append(Verdict(candidate))
        elif candidate.created_at == winner.created_at:
            passed.append(Verdict(candidate, f"as old as {winner.id}, whose id is lower"))
        else:
            passed.append(Verdict(candidate, f"older than {winner.id}"))
    return Choice(winner, (*passed, *failed))
