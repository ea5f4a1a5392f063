# SPDX-License-Identifier: Apache-2.0
"""How what is read from a disk image turns out not to be readable; whoever knows the image's name tells it."""

from __future__ import annotations


class DamagedError(Exception):
    """A structure contradicts itself, or something that it points to is not there."""


class UnsupportedError(Exception):
    """The structure may well be whole, and is of a kind that is not read; ``remedy`` is what to do instead."""

    def __init__(self, detail: str, remedy: str) -> None:
        super().__init__(detail)
        self.remedy = remedy


class MissingDecoderError(Exception):
    """The image can be read, but not without a library that is not installed."""
