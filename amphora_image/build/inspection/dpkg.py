# SPDX-License-Identifier: Apache-2.0
"""The packages of an image by dpkg's status file, or by the pieces of one that images without dpkg have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import Package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.tree import Tree

_STATUS = "/var/lib/dpkg/status"
_PIECES = "/var/lib/dpkg/status.d"
_LARGEST = 64 << 20
_FIELD = re.compile(r"^(Package|Status|Version|Architecture):(.*)$", re.MULTILINE)


def packages_of(tree: Tree) -> tuple[Package, ...] | None:
    """Give all installed packages in the order of their names, None where there is no status file."""
    texts = [tree.text(_STATUS, _LARGEST)]
    texts += [tree.text(f"{_PIECES}/{name}") for name in tree.names(_PIECES) if not name.endswith(".md5sums")]
    found = [text for text in texts if text is not None]
    if not found:
        return None
    packages = (package for text in found for package in parse(text))
    return tuple(sorted(packages, key=lambda each: (each.name, each.architecture)))


def parse(text: str) -> Iterator[Package]:
    """Read paragraphs; one without ``Status`` is of a piece, whose package is installed."""
    for paragraph in re.split(r"\n[ \t]*\n", text):
        says = {name: value.strip() for name, value in _FIELD.findall(paragraph)}
        installed = says.get("Status", "install ok installed").endswith(" installed")
        if installed and "Package" in says:
            yield Package(
                name=says["Package"], version=says.get("Version", ""), architecture=says.get("Architecture", "")
            )
