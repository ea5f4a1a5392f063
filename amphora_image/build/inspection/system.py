# SPDX-License-Identifier: Apache-2.0
"""Which operating system an image has, for which processor, with which kernels."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import System

if TYPE_CHECKING:
    from amphora_image.build.inspection.tree import Tree

OS_RELEASE = ("/etc/os-release", "/usr/lib/os-release")
_INIT = ("/sbin/init", "/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/bin/sh")
_ELF_HEADER_BYTES = 20
#: ELF's e_machine, and how uname names it.
_MACHINES = {
    3: "i686",
    20: "ppc",
    21: "ppc64le",
    22: "s390x",
    40: "armv7l",
    62: "x86_64",
    183: "aarch64",
    243: "riscv64",
}
_LARGEST_PROGRAM = 1 << 30


def system_of(tree: Tree) -> System | None:
    """Read what the image says of itself, None where it has no os-release."""
    text = next(filter(None, map(tree.text, OS_RELEASE)), None)
    if text is None:
        return None
    says = _assignments(text)
    return System(
        id=says.get("ID", "linux"),  # as os-release(5) has it
        release=says.get("VERSION_ID", ""),
        codename=says.get("VERSION_CODENAME", ""),
        name=says.get("PRETTY_NAME", ""),
        architecture=architecture_of(tree),
        kernels=kernels_of(tree),
    )


def architecture_of(tree: Tree) -> str:
    """Tell the processor that the first program of the image is for, empty where none is found."""
    for path in _INIT:
        file = tree.find(path)
        if file is None or not file.node.is_file or file.node.size > _LARGEST_PROGRAM:
            continue
        _, piece = next(file.system.pieces(file.node), (0, b""))
        if piece[:4] == b"\x7fELF" and len(piece) >= _ELF_HEADER_BYTES:
            order = "big" if piece[5] == 2 else "little"
            machine = int.from_bytes(piece[18:20], "big" if order == "big" else "little")
            return "ppc64" if (machine, order) == (21, "big") else _MACHINES.get(machine, f"ELF machine {machine}")
    return ""


def kernels_of(tree: Tree) -> tuple[str, ...]:
    """Give the versions of all kernels that could be booted, by the names of their files."""
    named = (re.fullmatch(r"vmlinu[xz]-(.+)", name) for name in tree.names("/boot"))
    found = {match[1] for match in named if match}
    found |= {name for name in tree.names("/lib/modules") if tree.find(f"/lib/modules/{name}/vmlinuz")}
    return tuple(sorted(found))


def _assignments(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.strip().partition("=")
        with suppress(ValueError):  # of quotes that do not match
            if equals and not name.startswith("#"):
                found[name] = " ".join(shlex.split(value))
    return found
