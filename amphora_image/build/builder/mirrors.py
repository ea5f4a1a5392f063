# SPDX-License-Identifier: Apache-2.0
"""The mirrors that this machine itself takes its packages from, for images of the same distribution.

apt's sources come in two forms: a line a source, and stanzas of fields (deb822); see sources.list(5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Where packages of a distribution are, by the last part of the mirror's address, and what our elements call them.
_VARIABLES = {
    "debian": ("DIB_DISTRIBUTION_MIRROR", "DIB_DEBIAN_SECURITY_MIRROR"),
    "ubuntu": ("DIB_DISTRIBUTION_MIRROR", ""),
}


class Source(NamedTuple):
    """A source of apt: where it is, and which of the releases there, or the path of a flat one."""

    uri: str
    suite: str


def mirrors(distribution: str, etc_apt: Path, given: Mapping[str, str]) -> dict[str, str]:
    """Say, as variables for diskimage-builder, from where this machine takes packages of ``distribution``.

    ``given`` are the variables of whoever builds: what is set there stands. Nothing is said of a distribution that is not
    this machine's.
    """
    archive, security = _VARIABLES.get(distribution, ("", ""))
    if not archive or given.get(archive) or given.get(f"DIB_{distribution.upper()}_DISTRIBUTION_MIRROR"):
        return {}
    found = dict[str, str]()
    for source in sources(etc_apt):
        if source.suite.endswith("-security"):
            if security and re.search(rf"/{distribution}(-security)?/?$", source.uri):
                found.setdefault(security, source.uri)
        elif re.search(rf"/{distribution}/?$", source.uri):
            found.setdefault(archive, source.uri)
    return {name: uri for name, uri in found.items() if not given.get(name)} if archive in found else {}


def sources(etc_apt: Path) -> Iterator[Source]:
    """Read apt's sources of packages that are made, not of those to be made."""
    files = [etc_apt / "sources.list", *sorted((etc_apt / "sources.list.d").glob("*"))]
    for path in files:
        if path.is_file() and path.suffix in {".list", ".sources"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            yield from _stanzas(text) if path.suffix == ".sources" else _lines(text)


def _lines(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        match = re.match(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)", line)
        if match:
            yield Source(match[1], match[2])


def _stanzas(text: str) -> Iterator[Source]:
    for stanza in re.split(r"\n\s*\n", text):
        lines = "\n".join(line for line in stanza.splitlines() if not line.startswith("#"))
        fields = {name.lower(): value.split() for name, value in re.findall(r"(?m)^([\w-]+):((?:.|\n(?=\s))*)", lines)}
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(uri, suite)
