# SPDX-License-Identifier: Apache-2.0
"""Files that give who runs them more rights: setuid, setgid, and those with capabilities."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import Privileged
from amphora_image.build.inspection.structure import DamagedError

if TYPE_CHECKING:
    from amphora_image.build.inspection.tree import File, Tree

_ATTRIBUTE = b"security.capability"
_SET_ID = 0o6000
_ANY_EXECUTES = 0o111
#: By their numbers, as in linux/capability.h.
_NAMES = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
]


def privileged_files(tree: Tree) -> tuple[Privileged, ...]:
    """Give them all, in the order of their paths."""
    found = []
    for path, file in tree.files.items():
        node = file.node
        if not node.is_file or not node.mode & _ANY_EXECUTES:
            continue
        capabilities = _capabilities(file)
        if node.mode & _SET_ID or capabilities:
            owner = f"{node.uid}:{node.gid}"
            mode = f"{node.mode & 0o7777:04o}"
            found.append(Privileged(path=path, mode=mode, owner=owner, capabilities=capabilities))
    return tuple(sorted(found, key=lambda each: each.path))


def _capabilities(file: File) -> str:
    value = file.system.attributes(file.node).get(_ATTRIBUTE)
    return told(value) if value else ""


def told(value: bytes) -> str:
    """Write the attribute's value as getcap(8) does, ``cap_net_raw=ep`` for example.

    :raises DamagedError: it is none.
    """
    if len(value) < 12:
        raise DamagedError("a file's capabilities are cut off")
    revision, permitted, inheritable = struct.unpack_from("<III", value)
    if len(value) >= 20:
        high_permitted, high_inheritable = struct.unpack_from("<II", value, 12)
        permitted |= high_permitted << 32
        inheritable |= high_inheritable << 32
    sets = ("e" if revision & 1 else "") + ("p" if permitted else "") + ("i" if inheritable else "")
    bits = permitted | inheritable
    names = [f"cap_{_NAMES[bit] if bit < len(_NAMES) else bit}" for bit in range(64) if bits & 1 << bit]
    return f"{','.join(names)}={sets}"
