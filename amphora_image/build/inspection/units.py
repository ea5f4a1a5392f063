# SPDX-License-Identifier: Apache-2.0
"""Which systemd units are enabled: those that another one was told, in /etc, to want, require or uphold."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amphora_image.build.inspection.tree import Tree

_CONFIGURED = "/etc/systemd/system"
_WANTING = (".wants", ".requires", ".upholds")


def enabled_units(tree: Tree) -> tuple[str, ...]:
    """Give the names of all enabled units, in order; one that is masked, or whose file is missing, is not."""
    folders = [name for name in tree.names(_CONFIGURED) if name.endswith(_WANTING)]
    found = {unit for folder in folders for unit in tree.names(f"{_CONFIGURED}/{folder}")}
    return tuple(sorted(unit for unit in found if _is_there(tree, unit)))


def _is_there(tree: Tree, unit: str) -> bool:
    """Look for the unit's file where systemd does: that of an instance is its template's."""
    base, at, rest = unit.partition("@")
    names = [unit, f"{base}@.{rest.rpartition('.')[2]}"] if at else [unit]
    for name in names:
        for folder in (
            _CONFIGURED,
            "/run/systemd/system",
            "/usr/local/lib/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ):
            if tree.target(f"{folder}/{name}") == "/dev/null":
                return False
            found = tree.find(f"{folder}/{name}")
            if found is not None:
                return found.node.size > 0  # an empty file masks as well
    return False
