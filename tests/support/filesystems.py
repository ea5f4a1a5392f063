# SPDX-License-Identifier: Apache-2.0
"""Disks with file systems in them, made without root: by mke2fs and debugfs, which Debian always has, and by hand."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import uuid
import zlib
from pathlib import Path

import pytest

SECTOR = 512
SYSTEM_PATH = f"{os.environ.get('PATH', os.defpath)}{os.pathsep}/usr/sbin{os.pathsep}/sbin"
EFI_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
LINUX_TYPE = "0fc63daf-8483-4772-8e79-3d69d8477de4"
BIOS_BOOT_TYPE = "21686148-6449-6e6f-744e-656564454649"


def program(name):
    """Find a program of the system, or skip the test."""
    return shutil.which(name, path=SYSTEM_PATH) or pytest.skip(f"{name} is not installed")


def run(*command, **options):
    """Run a program of the system, which has to succeed."""
    done = subprocess.run([program(command[0]), *map(str, command[1:])], capture_output=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def grown(folder, files):
    """Write files into a folder: bytes or text, ``(content, mode)``, a Path for a link, None for a folder."""
    for name, given in files.items():
        content, mode = given if isinstance(given, tuple) else (given, None)
        path = Path(folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if content is None:
            path.mkdir(exist_ok=True)
        elif isinstance(content, Path):
            path.symlink_to(content)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        if mode is not None:
            path.chmod(mode)
    return Path(folder)


def ext(folder, files, *, kind="ext4", options=(), size="4M", commands=()):
    """Give the bytes of an ext file system of ``files``, on which debugfs has run ``commands``."""
    root = grown(folder / "root", files)
    image = folder / "ext.img"
    run("mke2fs", "-q", "-F", "-t", kind, "-d", root, *options, image, size)
    if commands:
        run("debugfs", "-w", "-f", "-", image, input="\n".join(commands).encode())
    return image.read_bytes()


def mbr(*parts, code=b"", start=2048):
    """Give a disk with an MBR and partitions of (type, bytes)."""
    record, body = bytearray(SECTOR), bytearray()
    record[: len(code)] = code
    for index, (kind, content) in enumerate(parts):
        sectors = -(-len(content) // SECTOR)
        struct.pack_into(
            "<B3xB3xII", record, 446 + 16 * index, 0x80 * (index == 0), kind, start + len(body) // SECTOR, sectors
        )
        body += content.ljust(sectors * SECTOR, b"\0")
    struct.pack_into("<H", record, 510, 0xAA55)
    return bytes(record) + bytes((start - 1) * SECTOR) + bytes(body)


def gpt(*parts, code=b"", start=64):
    """Give a disk with a GPT and partitions of (type, bytes)."""
    entries, body = bytearray(128 * 128), bytearray()
    for index, (kind, content) in enumerate(parts):
        sectors = -(-len(content) // SECTOR)
        first = start + len(body) // SECTOR
        own = uuid.UUID(int=index + 1)
        struct.pack_into(
            "<16s16sQQQ72s",
            entries,
            128 * index,
            uuid.UUID(kind).bytes_le,
            own.bytes_le,
            first,
            first + sectors - 1,
            0,
            b"",
        )
        body += content.ljust(sectors * SECTOR, b"\0")
    last = start + len(body) // SECTOR
    values = [
        b"EFI PART",
        0x10000,
        92,
        0,
        0,
        1,
        last + 33,
        start,
        last - 1,
        bytes(16),
        2,
        128,
        128,
        zlib.crc32(entries),
    ]
    values[3] = zlib.crc32(struct.pack("<8sIIIIQQQQ16sQIII", *values))
    header = struct.pack("<8sIIIIQQQQ16sQIII", *values).ljust(SECTOR, b"\0")
    record = bytearray(SECTOR)
    record[: len(code)] = code
    struct.pack_into("<B3xB3xII", record, 446, 0, 0xEE, 1, 0xFFFFFFFF)
    struct.pack_into("<H", record, 510, 0xAA55)
    head = (bytes(record) + header + bytes(entries)).ljust(start * SECTOR, b"\0")
    return head + bytes(body) + bytes(34 * SECTOR)


def qcow2(disk, *, version=3, bits=16, pack=None, stored=()):
    """Give a qcow2 image of a disk; ``pack`` compresses a cluster, but not those whose numbers are in ``stored``."""
    cluster = 1 << bits
    count = -(-len(disk) // cluster)
    per_table = cluster // 8
    tables = -(-count // per_table)
    l1_at, l2_at = cluster, 2 * cluster
    data_at = l2_at + tables * cluster
    l2, data = [0] * (tables * per_table), bytearray()
    for number in range(count):
        content = disk[number * cluster : (number + 1) * cluster].ljust(cluster, b"\0")
        if not any(content):
            continue
        if pack is None or number in stored:
            data += bytes(-(data_at + len(data)) % cluster)
            l2[number] = (data_at + len(data)) | 1 << 63
            data += content
        else:
            packed, at = pack(content), data_at + len(data)
            sectors = ((at + len(packed) - 1) // 512) - at // 512
            l2[number] = at | sectors << (62 - (bits - 8)) | 1 << 62
            data += packed
    data += bytes(-len(data) % 512)
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", version, 0, 0, bits, len(disk), 0, tables, l1_at, 0, 0, 0, 0)
    if version == 3:
        zstd = pack is not None and pack(b"")[:4] == b"\x28\xb5\x2f\xfd"
        header += struct.pack(">QQQIIB7x", 8 if zstd else 0, 0, 0, 4, 112, int(zstd))
    l1 = struct.pack(f">{tables}Q", *(l2_at + index * cluster | 1 << 63 for index in range(tables)))
    table = struct.pack(f">{len(l2)}Q", *l2)
    return header.ljust(cluster, b"\0") + l1.ljust(cluster, b"\0") + table + bytes(data)


def deflated(content):
    """Compress as qcow2 does with zlib."""
    packer = zlib.compressobj(wbits=-12)
    return packer.compress(content) + packer.flush()


def fat16(files, *, label=b"ESP        "):
    """Give a FAT16 file system of 4 MiB of files in folders, with long names where they are needed."""
    clusters, table_sectors, roots = 8000, 32, 64
    table, data = [0xFFF8, 0xFFFF], bytearray()

    def stored(content):
        first = len(table)
        count = max(1, -(-len(content) // SECTOR))
        table.extend([*range(first + 1, first + count), 0xFFFF])
        data.extend(content.ljust(count * SECTOR, b"\0"))
        return first

    def folder(inside, above):
        found = bytearray() if above is None else bytearray(_fat_entry(b".          ", 0x10, 0, 0) * 2)
        for name, content in inside.items():
            is_folder = isinstance(content, dict)
            first = stored(folder(content, inside)) if is_folder else stored(content)
            short = f"F{len(found) // 32:07d}   ".encode()
            found += _long_name(name, short) + _fat_entry(
                short, 0x10 if is_folder else 0x20, first, 0 if is_folder else len(content)
            )
        return bytes(found)

    root = folder(files, None).ljust(roots * 32, b"\0")
    sectors = 1 + table_sectors + roots * 32 // SECTOR + clusters
    boot = struct.pack(
        "<3s8sHBHBHHBHHHII",
        b"\xeb\x3c\x90",
        b"by hand ",
        SECTOR,
        1,
        1,
        1,
        roots,
        sectors,
        0xF8,
        table_sectors,
        1,
        1,
        0,
        0,
    )
    boot += struct.pack("<BBBI11s8s", 0x80, 0, 0x29, 0x1234ABCD, label, b"FAT16   ")
    boot = boot.ljust(510, b"\0") + b"\x55\xaa"
    tables = struct.pack(f"<{len(table)}H", *table).ljust(table_sectors * SECTOR, b"\0")
    return (boot + tables + root + bytes(data)).ljust(sectors * SECTOR, b"\0")


def _fat_entry(name, attributes, first, size):
    return struct.pack("<11sBBBHHHHHHHI", name, attributes, 0, 0, 0, 0, 0, 0, 0, 0, first, size)


def _long_name(name, short):
    check = 0
    for sign in short:
        check = ((check >> 1) | (check & 1) << 7) + sign & 0xFF
    text = (name + "\0").encode("utf-16-le")
    text = text.ljust(-(-len(text) // 26) * 26, b"\xff")
    pieces = [text[at : at + 26] for at in range(0, len(text), 26)]
    found = b""
    for index, piece in reversed(list(enumerate(pieces, start=1))):
        order = index | (0x40 if index == len(pieces) else 0)
        found += struct.pack("<B10sBBB12sH4s", order, piece[:10], 0x0F, 0, check, piece[10:22], 0, piece[22:])
    return found
