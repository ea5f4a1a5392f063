# SPDX-License-Identifier: Apache-2.0
"""The elements that an amphora is built of, on top of those of diskimage-builder, and which of them one needs."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import Final

#: For ELEMENTS_PATH. A folder an element, with a README.rst that says its variables.
FOLDER: Final = pathlib.Path(__file__).parent
#: Elements by which diskimage-builder makes a disk with a boot loader, which is done here in their place.
DISK_ELEMENTS: Final = frozenset(
    {"block-device-efi", "block-device-efi-lvm", "block-device-gpt", "block-device-mbr", "bootloader", "grub2", "vm"}
)


@dataclass(frozen=True)
class System:
    """A base operating system: the element that provides it, its release unless another is asked for, its family."""

    element: str
    release: str
    family: str  # debian or redhat, as diskimage-builder calls them


#: By the names that ``--os`` takes.
SYSTEMS: Final = {
    "debian": System("amphora-debian", "trixie", "debian"),
    "ubuntu-minimal": System("ubuntu-minimal", "noble", "debian"),
    "centos-minimal": System("centos-minimal", "10-stream", "redhat"),
    "rocky": System("rocky-container", "10", "redhat"),
    "fedora": System("fedora", "28", "redhat"),
    "rhel": System("rhel", "10", "redhat"),
}


@dataclass(frozen=True, kw_only=True)
class Composition:
    """What an amphora consists of.

    :ivar enforcing: mandatory access control that refuses, not only reports (SELinux; AppArmor always refuses).
    :ivar root_account: opened with the password that ``AMPHORA_ROOT_PASSWORD`` has at the build.
    """

    system: System
    ssh: bool = True
    enforcing: bool = False
    cpu_pinning: bool = False
    fips: bool = False
    root_account: bool = False

    def elements(self) -> tuple[str, ...]:
        """Name the elements for disk-image-create; what these depend on is not among them."""
        access: tuple[str, ...] = ("amphora-apparmor",)
        if self.system.family == "redhat":
            access = ("disable-makecache", "sos", "amphora-selinux" if self.enforcing else "selinux-permissive")
        chosen = (
            ("cpu-pinning", self.cpu_pinning),
            ("remove-sshd", not self.ssh),
            ("amphora-fips", self.fips),
            ("root-passwd", self.root_account),
        )
        return (self.system.element, "amphora", *access, *(element for element, wanted in chosen if wanted))
