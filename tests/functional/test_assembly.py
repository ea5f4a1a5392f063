# SPDX-License-Identifier: Apache-2.0
"""Disks made of small trees by the real programs, and read back by others of them; booted elsewhere."""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from amphora_image.build.assembly import Disk, assemble, programs_for
from amphora_image.build.assembly.layout import MIB, Layout
from amphora_image.build.programs import SEARCHED, require, run
from amphora_image.errors import DiskFullError, DiskTooSmallError, MissingProgramsError, UnbootableSystemError

SIZE = 160 * MIB
EPOCH = 1_700_000_000


@pytest.fixture(autouse=True)
def programs():
    names, files = programs_for(Disk())
    try:
        require([*names, "e2fsck"], files)
    except MissingProgramsError as error:
        pytest.skip(str(error))


@pytest.fixture
def tree(tmp_path):
    return make_tree(tmp_path / "root")


def make_tree(root):
    for folder in ("etc", "boot", "usr/bin"):
        (root / folder).mkdir(parents=True)
    (root / "boot" / "vmlinuz-6.1").write_text("kernel")
    (root / "boot" / "initrd.img-6.1").write_text("initrd")
    (root / "usr" / "bin" / "tool").write_bytes(os.urandom(64) if not root.name.startswith("same") else b"tool" * 16)
    os.link(root / "usr" / "bin" / "tool", root / "usr" / "bin" / "other")
    (root / "bin").symlink_to("usr/bin")
    (root / "usr" / "bin" / "tool").chmod(0o4755)
    return root


def made(tree, tmp_path, name="disk.raw", **wanted):
    work = tmp_path / f"work-{name}"
    work.mkdir()
    output = tmp_path / name
    assemble(tree, output, Disk(**{"size": SIZE, "format": "raw", **wanted}), folder=work)
    return output


def root_of(disk):
    return f"{disk}?offset={Layout(SIZE).root.begin}"


def ask(disk, request):
    return run("debugfs", "-R", request, root_of(disk))


def test_the_disk_has_a_sound_table_and_root_with_what_the_tree_has(tree, tmp_path):
    disk = made(tree, tmp_path)
    table = json.loads(run("sfdisk", "--json", disk))["partitiontable"]
    assert table["label"] == "gpt"
    assert [each["start"] for each in table["partitions"]] == [2048, 4096, 36864]
    root = tmp_path / "root.img"
    with disk.open("rb") as file, root.open("wb") as out:
        file.seek(Layout(SIZE).root.begin)
        shutil.copyfileobj(file, out)
    checked = subprocess.run(
        ["e2fsck", "-fn", root], env={"PATH": SEARCHED}, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout
    assert "Mode:  04755" in ask(disk, "stat /usr/bin/tool")
    assert "Links: 2" in ask(disk, "stat /usr/bin/tool")
    assert "User:     0" in ask(disk, "stat /")
    assert "LABEL=cloudimg-rootfs / ext4" in ask(disk, "cat /etc/fstab")
    assert "/boot/vmlinuz-6.1" in ask(disk, "cat /boot/grub/grub.cfg")


def test_the_boot_sector_leads_to_the_core_and_the_esp_holds_the_loader(tree, tmp_path):
    disk = made(tree, tmp_path)
    with disk.open("rb") as file:
        sector = file.read(512)
        file.seek(MIB)
        core = file.read(512)
    assert sector[510:] == b"\x55\xaa"
    assert sector[446 + 4] == 0xEE  # the entry that protects the disk from who knows no GPT
    assert struct.unpack_from("<Q", sector, 0x5C) == (2048,)
    assert b"GRUB" in sector
    assert struct.unpack_from("<Q", core, 0x1F4) == (2049,)
    listed = run("mdir", "-b", "-i", f"{disk}@@{Layout(SIZE).esp.begin}", "::/EFI/BOOT")
    assert listed.split() == ["::/EFI/BOOT/BOOTX64.EFI"]


def test_the_same_tree_made_at_another_time_and_place_gives_the_same_bytes(tmp_path):
    """The issue: "two builds under different clocks, paths, host names and core counts give the same sha256"."""
    first = made(make_tree(tmp_path / "same-1"), tmp_path, "first.qcow2", format="qcow2", epoch=EPOCH)
    later = make_tree(tmp_path / "elsewhere" / "same-2")
    os.utime(later / "etc", (EPOCH + 10**8, EPOCH + 10**8))
    second = made(later, tmp_path, "second.qcow2", format="qcow2", epoch=EPOCH)
    assert first.read_bytes() == second.read_bytes()


def test_two_disks_of_one_tree_are_known_by_other_names_unless_asked_otherwise(tree, tmp_path):
    found = [json.loads(run("sfdisk", "--json", made(tree, tmp_path, name)))["partitiontable"]["id"] for name in "ab"]
    assert found[0] != found[1]


@pytest.mark.parametrize(
    ("wanted", "format_", "told"),
    [
        ({"format": "qcow2"}, "qcow2", "zlib"),
        ({"format": "qcow2", "compression": "zstd"}, "qcow2", "zstd"),
        ({"format": "vhd"}, "vpc", ""),
    ],
)
def test_every_format_holds_the_same_disk(tree, tmp_path, wanted, format_, told):
    disk = made(tree, tmp_path, "disk.img", **wanted)
    info = json.loads(run("qemu-img", "info", "--output=json", "-f", format_, disk))
    assert info["virtual-size"] == SIZE
    assert info.get("format-specific", {}).get("data", {}).get("compression-type", "") == told
    back = tmp_path / "back.raw"
    run("qemu-img", "convert", "-f", format_, "-O", "raw", disk, back)
    assert "cloudimg-rootfs" in ask(back, "cat /etc/fstab")


def test_a_disk_too_small_is_refused_before_anything_is_made(tree, tmp_path):
    """The issue: "size too small"."""
    (tree / "large").write_bytes(bytes(100 * MIB))
    with pytest.raises(DiskTooSmallError, match="a disk of 160 MiB does not hold the system, it takes 2"):
        made(tree, tmp_path)
    assert not (tmp_path / "disk.raw").exists()


def test_the_least_size_that_is_told_is_enough_indeed(tree, tmp_path):
    for number in range(3000):
        (tree / "etc" / f"{number}").write_bytes(b"x" * 5000)
    (tree / "large").write_bytes(os.urandom(100 * MIB))
    with pytest.raises(DiskTooSmallError) as caught:
        made(tree, tmp_path, "small.raw")
    assert made(tree, tmp_path, "enough.raw", size=caught.value.needed).exists()


def test_a_tree_without_kernel_is_refused(tree, tmp_path):
    (tree / "boot" / "vmlinuz-6.1").unlink()
    with pytest.raises(UnbootableSystemError, match="no kernel"):
        made(tree, tmp_path)


def test_a_full_disk_is_told_as_such(tree, tmp_path):
    """The issue: "full disk: an error that says so"."""
    small = tmp_path / "small"
    small.mkdir()
    code = (
        "import sys, pathlib; from amphora_image.build.assembly import Disk, assemble\n"
        "from amphora_image.errors import DiskFullError\n"
        "folder = pathlib.Path(sys.argv[2]); (folder / 'work').mkdir()\n"
        f"disk = Disk(size={SIZE}, format='raw')\n"
        "try: assemble(pathlib.Path(sys.argv[1]), folder / 'disk.raw', disk, folder=folder / 'work')\n"
        "except DiskFullError as error: print(error)\n"
    )
    (tree / "noise").write_bytes(os.urandom(20 * MIB))
    mounted = f'mount -t tmpfs -o size=8m none {small} && exec "$@"'
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", mounted, "-"]
    told = run(*command, shutil.which("python3"), "-c", code, tree, small)
    assert f"there is no room in {small}" in told
    assert DiskFullError.__name__ not in told


def test_a_disk_is_assembled_of_relative_paths_too(tree, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "work").mkdir()
    assemble(Path(tree.name), Path("disk.qcow2"), Disk(size=SIZE), folder=Path("work"))
    assert (tmp_path / "disk.qcow2").stat().st_size > 1 << 16
