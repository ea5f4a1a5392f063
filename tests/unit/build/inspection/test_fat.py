# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.bytes import Bytes
from support.filesystems import fat16

from amphora_image.build.inspection.fat import Fat
from amphora_image.build.inspection.structure import DamagedError
from amphora_image.build.inspection.tree import Tree

FILES = {
    "EFI": {"BOOT": {"BOOTX64.EFI": b"MZ" * 2000, "a name of more than thirteen letters.cfg": b"x"}, "debian": {}},
    "startup.nsh": b"exit\n",
}
IMAGE = fat16(FILES)
TABLE_AT = 512


def test_files_are_read_by_their_long_names():
    system = Fat(Bytes(IMAGE))
    tree = Tree(system)
    assert sorted(tree.files) == [
        "/EFI",
        "/EFI/BOOT",
        "/EFI/BOOT/BOOTX64.EFI",
        "/EFI/BOOT/a name of more than thirteen letters.cfg",
        "/EFI/debian",
        "/startup.nsh",
    ]
    assert tree.read("/EFI/BOOT/BOOTX64.EFI", 1 << 20) == b"MZ" * 2000
    assert tree.read("/startup.nsh", 1 << 20) == b"exit\n"
    assert (system.label, system.uuid) == ("ESP", "1234-ABCD")


def test_a_chain_that_leads_nowhere_or_round_in_a_circle_is_told():
    for successor in (b"\x00\x00", b"\x02\x00"):
        image = bytearray(IMAGE)
        image[TABLE_AT + 4 : TABLE_AT + 16] = successor * 6
        tree = Tree(Fat(Bytes(bytes(image))))
        with pytest.raises(DamagedError, match="chain"):
            tree.read("/EFI/BOOT/BOOTX64.EFI", 1 << 20)


@pytest.mark.parametrize(("at", "value"), [(11, b"\x00\x00"), (13, b"\x03"), (16, b"\x00"), (19, b"\xff\xff")])
def test_a_boot_sector_that_cannot_be_is_told(at, value):
    image = bytearray(IMAGE)
    image[at : at + len(value)] = value
    with pytest.raises(DamagedError):
        Fat(Bytes(bytes(image)))
