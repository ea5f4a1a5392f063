# SPDX-License-Identifier: Apache-2.0
"""The roots: what can be tried again is a type, and so is what the operator has to correct."""

from __future__ import annotations

from dataclasses import dataclass


def one_line(text: object) -> str:
    """Fold white space, so that a foreign message cannot break a log line in two."""
    return " ".join(str(text).split())


class AmphoraImageError(Exception):
    """The root of all errors of this library; ``exit_code`` is what the command ends with."""

    exit_code = 1


class RetryableError(AmphoraImageError):
    """The same call may succeed later; nothing the caller passed was wrong."""

    exit_code = 6


@dataclass(eq=False)
class ConfigurationError(AmphoraImageError):
    """What the operator wrote, in a file or on the command line, cannot be used."""

    problem: str
    remedy: str
    exit_code = 2

    def __str__(self) -> str:
        return f"{one_line(self.problem)}; {self.remedy}"
