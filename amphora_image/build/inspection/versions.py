# SPDX-License-Identifier: Apache-2.0
"""Which of two versions is the later one, by the rules of dpkg, of rpm and of Python's packages.

A key is what orders versions when it is compared with another one of the same kind.
"""

from __future__ import annotations

import re
from typing import Any

from packaging.version import InvalidVersion, Version

_DPKG_PIECE = re.compile(r"([^0-9]*)([0-9]*)")
_RPM_PIECE = re.compile(r"[0-9]+|[a-zA-Z]+|[~^]")
_RPM_END = (1,)  # later than a tilde, earlier than everything else


def compare(system: str | None, found: str, wanted: str) -> int:
    """Give below 0, 0 or above 0 as ``found`` is earlier than, the same as or later than ``wanted``.

    ``system`` is dpkg, rpm or pip; where nothing else is known the rules of dpkg serve. What is wanted may say less than
    what is found: without an epoch or a revision (rpm: a release), that is not compared.
    """
    if system == "pip":
        try:
            return _order(Version(found), Version(wanted))
        except InvalidVersion:  # what pip would not install today
            return _order(dpkg_key(found), dpkg_key(wanted))
    if ":" not in wanted:
        found = found.rpartition(":")[2]
    if "-" not in wanted and "-" in found:
        found = found.rpartition("-")[0]
    key = rpm_key if system == "rpm" else dpkg_key
    return _order(key(found), key(wanted))


def dpkg_key(version: str) -> tuple[Any, ...]:
    """Give a key that orders as ``dpkg --compare-versions`` does; Debian's policy, 5.6.12."""
    return tuple(
        [([*map(_dpkg_order, text), 0], _number(digits)) for text, digits in _DPKG_PIECE.findall(field)]
        for field in _fields(version, "0")
    )


def rpm_key(version: str) -> tuple[Any, ...]:
    """Give a key that orders as rpm does: by epoch, then version, then release."""
    return tuple([*map(_rpm_order, _RPM_PIECE.findall(field)), _RPM_END] for field in _fields(version, ""))


def _order(one: Any, other: Any) -> int:
    return int(one > other) - int(one < other)


def _fields(version: str, revision: str) -> tuple[str, str, str]:
    """Take apart epoch, version and revision, which is ``revision`` where there is none."""
    epoch, colon, rest = version.partition(":")
    number, dash, last = (rest if colon else version).rpartition("-")
    return (epoch if colon else "0", number, last) if dash else (epoch if colon else "0", last, revision)


def _dpkg_order(sign: str) -> int:
    """Place a sign: a tilde before the end, which is 0, and letters before everything else."""
    if sign == "~":
        return -1
    return ord(sign) if sign.isascii() and sign.isalpha() else ord(sign) + 256


def _rpm_order(piece: str) -> tuple[Any, ...]:
    """Place a piece: a tilde before the end, a caret after it, then letters, then numbers."""
    if piece in "~^":
        return (0,) if piece == "~" else (2,)
    return (4, _number(piece)) if piece.isdigit() else (3, piece)


def _number(digits: str) -> tuple[int, str]:
    """Give what orders digits as their number would: there may be more of them than Python makes a number of."""
    stripped = digits.lstrip("0")
    return len(stripped), stripped
