# SPDX-License-Identifier: Apache-2.0
"""What a check found."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.errors import AmphoraImageError


class Level(enum.IntEnum):
    """How bad it is; the number is what a command ends with, and oslo.upgradecheck's code."""

    OK = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was checked, how bad it is, what was found, and what to do."""

    check: str
    level: Level
    detail: str
    remedy: str = ""

    @classmethod
    def of(cls, check: str, error: AmphoraImageError) -> Finding:
        """Make a row of an error, whose text ends with its remedy after the last semicolon."""
        detail, _, remedy = str(error).rpartition("; ")
        return cls(check, Level.ERROR, detail, remedy)


def ok(check: str, detail: str, remedy: str = "") -> Finding:
    """Say that nothing is wrong."""
    return Finding(check, Level.OK, detail, remedy)


def warning(check: str, detail: str, remedy: str) -> Finding:
    """Say that builds work and something is not as it should be."""
    return Finding(check, Level.WARNING, detail, remedy)


def error(check: str, detail: str, remedy: str) -> Finding:
    """Say that builds fail."""
    return Finding(check, Level.ERROR, detail, remedy)


def worst(findings: Iterable[Finding]) -> Level:
    """Give the worst level of all, OK for none."""
    return max((one.level for one in findings), default=Level.OK)
