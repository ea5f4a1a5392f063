# SPDX-License-Identifier: Apache-2.0
"""The versions of the two programs that make an image an amphora's: its agent, and HAProxy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import Package, Software

if TYPE_CHECKING:
    from collections.abc import Iterable

    from amphora_image.build.inspection.tree import Tree

_AGENT_PACKAGES = ("octavia-amphora-agent", "amphora-agent", "openstack-octavia-amphora-agent", "python3-octavia")
#: What pip leaves of a distribution, in whichever environment it was installed.
_AGENT_METADATA = re.compile(r".*/octavia-([^/-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info")
#: The same of all that pip has installed: what a distribution's packages bring lies in dist-packages, or in their own list.
_PIP_METADATA = re.compile(r".*/site-packages/([^/-]+)-([^/-]+)(?:-py[0-9.]+)?\.(?:dist|egg)-info")
_HAPROXY_PROGRAMS = ("/usr/sbin/haproxy", "/usr/local/sbin/haproxy")


def agent_of(tree: Tree, packages: Iterable[Package] | None) -> Software | None:
    """Tell the amphora agent's version: Octavia's, whose part it is; one that pip has installed comes first."""
    for path in sorted(tree.folders):
        match = _AGENT_METADATA.fullmatch(path)
        if match:
            return Software(version=match[1], origin=path)
    return _packaged(_AGENT_PACKAGES, packages)


def pip_packages(tree: Tree) -> tuple[Package, ...]:
    """Give what pip has installed in any environment, as the agent with all that it needs, in the order of their names."""
    found = {match.groups() for path in tree.folders if (match := _PIP_METADATA.fullmatch(path))}
    return tuple(
        Package(name=name.replace("_", "-").lower(), version=of, architecture="") for name, of in sorted(found)
    )


def haproxy_of(tree: Tree, packages: Iterable[Package] | None) -> Software | None:
    """Tell HAProxy's version, by its package; where there is a program without one, that is empty."""
    found = _packaged(("haproxy",), packages)
    if found is not None:
        return found
    path = next(filter(tree.find, _HAPROXY_PROGRAMS), None)
    return None if path is None else Software(version="", origin=path)


def _packaged(names: tuple[str, ...], packages: Iterable[Package] | None) -> Software | None:
    by_name = {each.name: each for each in packages or ()}
    name = next((name for name in names if name in by_name), None)
    return None if name is None else Software(version=by_name[name].version, origin=f"package {name}")
