# SPDX-License-Identifier: Apache-2.0
"""Which kind of disk image a file is, and the disk in it, where that kind is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from amphora_image.build.inspection import qcow2, vhd
from amphora_image.build.inspection.disk import Readable, Window
from amphora_image.build.inspection.structure import UnsupportedError

if TYPE_CHECKING:
    from amphora_image.build.inspection.disk import File

#: Where the mark of a kind that is not read is, and how Glance calls that kind.
_MARKS = (
    (0, b"vhdxfile", "vhdx"),
    (0, b"KDMV", "vmdk"),
    (0, b"# Disk DescriptorFile", "vmdk"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"QED\0", "qed"),
    (0, b"QFI\xfb\0\0\0\x01", "qcow"),
    (0, b"LUKS\xba\xbe", "luks"),
)
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"))
_HEAD_BYTES = 512


class Disk(Readable, Protocol):
    """A disk in an image; ``format`` is Glance's name of the image's kind."""

    format: str
    compression: str | None


class Raw(Window):
    """A disk whose bytes lie in the file one after the other."""

    format = "raw"
    compression: str | None = None

    def __init__(self, file: File) -> None:
        super().__init__(file, 0, file.size)


def open_disk(file: File) -> Disk:
    """Open the disk in an image.

    :raises UnsupportedError: that kind of image is not read.
    :raises DamagedError: it is cut off, or contradicts itself.
    """
    head = file.read(0, min(_HEAD_BYTES, file.size))
    for at, mark, name in _MARKS:
        if head[at : at + len(mark)] == mark:
            raise UnsupportedError(f"it is {name}", _remedy(name))
    for mark, name in _COMPRESSED:
        if head.startswith(mark):
            raise UnsupportedError(f"it is compressed with {name} as a whole", f"unpack it first, with `{name} -d`")
    if head.startswith(qcow2.MAGIC):
        disk = qcow2.Qcow2(file)
        disk.check_end()
        return disk
    foot = file.read(max(0, file.size - vhd.FOOTER_BYTES), min(vhd.FOOTER_BYTES, file.size))
    for footer in (head, foot):
        if footer.startswith(vhd.MAGIC) and len(footer) == vhd.FOOTER_BYTES:
            return vhd.Vhd(file, footer)
    return Raw(file)


def _remedy(name: str) -> str:
    if name == "luks":
        return "give an image that is not encrypted"
    return f"convert it first: `qemu-img convert -f {name} -O qcow2 IMAGE NEW`"
