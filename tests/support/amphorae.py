# SPDX-License-Identifier: Apache-2.0
"""The files of an amphora, as few as there can be, and disks of them."""

from __future__ import annotations

import struct
from pathlib import Path

from support.filesystems import BIOS_BOOT_TYPE, EFI_TYPE, LINUX_TYPE, deflated, ext, fat16, gpt, qcow2

LABEL = "amphora"
SITE_PACKAGES = "opt/amphora-agent-venv/lib/python3.11/site-packages"
ELF = struct.pack("<4sBBB9xHH", b"\x7fELF", 2, 1, 1, 2, 62) + bytes(99)
STATUS = """\
Package: haproxy
Status: install ok installed
Architecture: amd64
Version: 2.6.12-1+deb12u1

Package: openssh-server
Status: install ok installed
Architecture: amd64
Version: 1:9.2p1-2
"""
WANTS = "etc/systemd/system/multi-user.target.wants"
FILES = {
    "etc/os-release": Path("../usr/lib/os-release"),
    "usr/lib/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12"\n',
    "etc/fstab": f"LABEL={LABEL} / ext4 defaults 0 1\nUUID=1234-ABCD /boot/efi vfat defaults 0 2\n",
    "etc/passwd": "root:x:0:0::/root:/bin/bash\n",
    "etc/shadow": "root:*:19000::::::\n",
    "sbin": Path("usr/sbin"),
    "usr/sbin/init": (ELF, 0o755),
    "usr/sbin/haproxy": (b"program" * 9999, 0o755),
    "usr/bin/su": (ELF, 0o4755),
    "boot/vmlinuz-6.1.0-1-amd64": b"kernel",
    "boot/efi": None,
    "var/lib/dpkg/status": STATUS,
    f"{WANTS}/amphora-agent.service": Path("/usr/lib/systemd/system/amphora-agent.service"),
    "usr/lib/systemd/system/amphora-agent.service": "[Service]\n",
    f"{SITE_PACKAGES}/octavia-19.0.0.dist-info/METADATA": "Name: octavia\n",
}
GRUB = bytes(0x5C) + struct.pack("<Q", 64) + b"GRUB "


def disk(folder, changes=None):
    """Give a raw disk of an amphora, with ``changes`` to its files, that boots by BIOS and UEFI as far as can be seen."""
    files = {name: given for name, given in (FILES | (changes or {})).items() if given != "absent"}
    root = ext(folder, files, options=("-L", LABEL))
    system_partition = fat16({"EFI": {"BOOT": {"BOOTX64.EFI": b"MZ"}}})
    parts = (BIOS_BOOT_TYPE, b"core".ljust(4096, b"\0")), (EFI_TYPE, system_partition), (LINUX_TYPE, root)
    return gpt(*parts, code=GRUB)


def image(folder, changes=None, *, pack=deflated):
    """Give the path of a compressed qcow2 image of :func:`disk`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "amphora.qcow2"
    path.write_bytes(qcow2(disk(folder, changes), pack=pack))
    return path
