# SPDX-License-Identifier: Apache-2.0
import struct

import pytest
from fakes.file_system import link, tree

from amphora_image.build.inspection.report import System
from amphora_image.build.inspection.system import architecture_of, kernels_of, system_of

OS_RELEASE = """\
PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"
# NAME=nothing
VERSION_ID='12'
VERSION_CODENAME=bookworm
BROKEN="
ID=debian
"""


def elf(machine, *, big=False):
    return struct.pack(">4sBBB9xHH" if big else "<4sBBB9xHH", b"\x7fELF", 2, 2 if big else 1, 1, 2, machine) + bytes(99)


def test_the_system_is_what_its_os_release_says():
    files = {
        "etc/os-release": link("../usr/lib/os-release"),
        "usr/lib/os-release": OS_RELEASE,
        "sbin": link("usr/sbin"),
        "usr/sbin/init": link("/lib/systemd/systemd"),
        "lib": link("usr/lib"),
        "usr/lib/systemd/systemd": elf(62),
        "boot/vmlinuz-6.1.0-1-amd64": "kernel",
        "boot/initrd.img-6.1.0-1-amd64": "initrd",
        "usr/lib/modules/5.14.0-1.el9/vmlinuz": "kernel",
        "usr/lib/modules/4.18/modules.dep": "left over",
    }
    assert system_of(tree(files)) == System(
        id="debian",
        release="12",
        codename="bookworm",
        name="Debian GNU/Linux 12 (bookworm)",
        architecture="x86_64",
        kernels=("5.14.0-1.el9", "6.1.0-1-amd64"),
    )


def test_a_disk_of_data_has_no_system():
    assert system_of(tree({"data": "x"})) is None


@pytest.mark.parametrize(
    ("program", "architecture"),
    [
        (elf(183), "aarch64"),
        (elf(21), "ppc64le"),
        (elf(21, big=True), "ppc64"),
        (elf(40), "armv7l"),
        (elf(999), "ELF machine 999"),
        (b"#!/bin/sh\n", ""),
        (b"\x7fELF", ""),
        (b"", ""),
    ],
)
def test_the_architecture_is_that_of_the_first_program(program, architecture):
    assert architecture_of(tree({"sbin/init": program})) == architecture


def test_an_image_without_a_kernel_has_none():
    assert kernels_of(tree({"etc/x": ""})) == ()
