# SPDX-License-Identifier: Apache-2.0
"""The command on images that the real programs have made: qemu-img, sfdisk, mke2fs, mkfs.vfat, mtools."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import yaml
from support import amphorae
from support.filesystems import ext, run
from support.image_server import serving_image

from amphora_image.build.inspection.disk import opened
from amphora_image.build.inspection.dpkg import parse
from amphora_image.build.inspection.fat import Fat
from amphora_image.build.inspection.formats import open_disk
from amphora_image.build.inspection.inspect import inspect, opened_image
from amphora_image.build.inspection.tree import Tree
from amphora_image.build.programs import SEARCHED
from amphora_image.errors import UnreadableImageError

MIB = 1 << 20
FORMATS = {
    "zlib": ("-c",),
    "zstd": ("-c", "-o", "compression_type=zstd"),
    "stored": (),
    "v2": ("-c", "-o", "compat=0.10"),
    "small-clusters": ("-c", "-o", "cluster_size=4k"),
    "large-clusters": ("-o", "cluster_size=2M"),
    "preallocated": ("-o", "preallocation=metadata"),
}


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A disk with a GPT of sfdisk's, an ESP of mkfs.vfat's and a root of mke2fs'."""
    folder = tmp_path_factory.mktemp("disk")
    path, efi = folder / "disk.raw", folder / "efi"
    root = ext(folder, amphorae.FILES, options=("-L", amphorae.LABEL), size="16M")
    with path.open("wb") as file:
        file.truncate(64 * MIB)
    layout = "label: gpt\nstart=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649\n"
    run("sfdisk", "-q", path, input=f"{layout}size=36M, type=uefi\nsize=16M, type=linux\n".encode())
    with efi.open("wb") as file:
        file.truncate(36 * MIB)
    run("mkfs.vfat", "-F", "32", "-n", "ESP", "-i", "1234ABCD", efi)
    (folder / "loader.efi").write_bytes(b"MZ" * 99999)
    run("mmd", "-i", efi, "::/EFI", "::/EFI/BOOT", "::/EFI/a folder of a long name")
    run("mcopy", "-i", efi, folder / "loader.efi", "::/EFI/BOOT/BOOTX64.EFI")
    table = json.loads(run("sfdisk", "--json", path))["partitiontable"]["partitions"]
    with path.open("r+b") as file:
        for each, content in zip(table[1:], (efi.read_bytes(), root), strict=True):
            file.seek(each["start"] * 512)
            file.write(content)
    return path


@pytest.fixture(scope="module")
def converted(disk, tmp_path_factory):
    """Convert the disk into a file of its own."""
    folder = tmp_path_factory.mktemp("converted")

    def convert(name, *options, kind="qcow2"):
        path = folder / name
        run("qemu-img", "convert", "-f", "raw", "-O", kind, *options, disk, path)
        return path

    return convert


@pytest.mark.parametrize("name", FORMATS)
def test_an_image_of_each_kind_that_qemu_writes_is_read_to_the_last_byte(disk, converted, name):
    path = converted(f"{name}.qcow2", *FORMATS[name])
    with opened_image(path) as image:
        assert image.disk.read(0, image.disk.size) == disk.read_bytes()
    found = inspect(path)
    assert (found.format, found.compression) == ("qcow2", "zstd" if name == "zstd" else "zlib")
    assert (found.virtual_size, found.partition_table) == (64 * MIB, "gpt")
    assert [each.file_system for each in found.partitions] == ["", "vfat", "ext4"]
    assert found.boot.uefi == "/EFI/BOOT/BOOTX64.EFI (x86_64)"
    assert found.agent.version == "19.0.0"


@pytest.mark.parametrize("kind", ["fixed", "dynamic"])
def test_a_vhd_that_qemu_writes_is_read_to_the_last_byte(disk, converted, kind):
    path = converted(f"{kind}.vhd", "-o", f"subformat={kind}", kind="vpc")
    content = disk.read_bytes()
    with opened_image(path) as image:
        assert image.disk.read(0, image.disk.size) == content.ljust(image.disk.size, b"\0")
    found = inspect(path)
    assert (found.format, found.agent.version) == ("vhd", "19.0.0")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 4])
    with pytest.raises(UnreadableImageError, match="truncated"):
        inspect(path)


def test_an_image_that_qemu_has_written_into_is_not_taken_for_one_that_was_cut_off(disk, tmp_path):
    """QEMU need not write a cluster to its end, where that is the end of the file."""
    path = tmp_path / "written.qcow2"
    run("qemu-img", "create", "-q", "-f", "qcow2", path, str(disk.stat().st_size))
    run("qemu-io", "-c", "write -P 1 0 512", "-c", "write -P 2 1M 4k", path)
    run("qemu-img", "check", "-q", path)
    run("qemu-img", "convert", "-O", "raw", path, tmp_path / "raw")
    with opened(path) as file:
        found = open_disk(file)
        assert found.read(0, found.size) == (tmp_path / "raw").read_bytes()


@pytest.mark.parametrize("bits", ["12", "16", "32"])
def test_file_systems_of_mkfs_vfat_are_read(tmp_path, bits):
    path = tmp_path / "fat.img"
    with path.open("wb") as file:
        file.truncate({"12": 2, "16": 16, "32": 40}[bits] * MIB)
    run("mkfs.vfat", "-F", bits, path)
    content = os.urandom(300_001)
    (tmp_path / "content").write_bytes(content)
    run("mmd", "-i", path, "::/EFI", "::/EFI/Boot")
    run("mcopy", "-i", path, tmp_path / "content", "::/EFI/Boot/bootx64.efi")
    run("mcopy", "-i", path, tmp_path / "content", "::/a rather long name, with ümlauts.txt")
    with opened_image(path) as image:
        assert isinstance(image.volumes[0].system, Fat)
        tree = Tree(image.volumes[0].system)
        assert set(tree.files) == {
            "/EFI",
            "/EFI/Boot",
            "/EFI/Boot/bootx64.efi",
            "/a rather long name, with ümlauts.txt",
        }
        assert tree.read("/EFI/Boot/bootx64.efi", MIB) == content


def test_the_packages_of_this_machine_are_those_that_dpkg_itself_tells():
    told = run("dpkg-query", "-W", "-f", "${db:Status-Status} ${Package} ${Version} ${Architecture}\n").decode()
    expected = sorted(line.partition(" ")[2] for line in told.splitlines() if line.startswith("installed "))
    found = parse(Path("/var/lib/dpkg/status").read_text(encoding="utf-8"))
    assert sorted(f"{each.name} {each.version} {each.architecture}" for each in found) == expected


def test_the_command_tells_it_as_table_json_and_yaml(command, converted):
    """The issue: "table, json, yaml"."""
    path = converted("told.qcow2", "-c")
    told = {name: command("inspect", path, "-f", name) for name in ("json", "yaml", "table")}
    assert [(each.code, each.stderr) for each in told.values()] == [(0, "")] * 3
    found = json.loads(told["json"].stdout)
    assert found == yaml.safe_load(told["yaml"].stdout)
    assert (found["os"], found["release"], found["architecture"]) == ("debian", "12", "x86_64")
    assert found["packages"][0] == {"name": "haproxy", "version": "2.6.12-1+deb12u1", "architecture": "amd64"}
    assert (found["boot"], found["units"]) == (
        {"bios": None, "uefi": "/EFI/BOOT/BOOTX64.EFI (x86_64)"},
        ["amphora-agent.service"],
    )
    assert "| haproxy         | 2.6.12-1+deb12u1 (package haproxy)" in told["table"].stdout


def test_a_policy_that_is_broken_ends_the_command_with_4(command, converted, tmp_path):
    path, policy = converted("judged.qcow2", "-c"), tmp_path / "policy.yaml"
    policy.write_text("os: debian\npackages: {haproxy: at least 2.6}\npassword_login: false\n")
    kept = command("inspect", path, "--policy", policy, "-f", "json")
    assert (kept.code, json.loads(kept.stdout)["violations"], kept.stderr) == (0, [], "")
    policy.write_text("os: ubuntu\npackages: {haproxy: at least 2.8}\n")
    broken = command("inspect", path, "--policy", policy, "-f", "json")
    assert broken.code == 4
    assert json.loads(broken.stdout)["violations"] == [
        "os: ubuntu wanted, debian found",
        "packages: haproxy: at least 2.8 wanted, 2.6.12-1+deb12u1 found",
    ]
    assert broken.stderr == f"amphora-image: {path} breaks its policy in 2 points; see violations\n"
    policy.write_text("ubuntu: 1\n")
    command("inspect", path, "--policy", policy).failed(2, "'ubuntu' is no rule", "the rules are")


def test_two_images_are_compared(command, converted, tmp_path):
    before = converted("before.qcow2", "-c")
    raw, after = tmp_path / "after.raw", tmp_path / "after.qcow2"
    run("qemu-img", "convert", "-O", "raw", before, raw)
    (tmp_path / "motd").write_text("changed\n")
    commands = [f"write {tmp_path}/motd /etc/motd", "rm /usr/bin/su", "set_inode_field /etc/passwd mode 0100600"]
    place = json.loads(run("sfdisk", "--json", raw))["partitiontable"]["partitions"][2]["start"] * 512
    run("debugfs", "-w", "-f", "-", f"{raw}?offset={place}", input="\n".join(commands).encode())
    run("qemu-img", "convert", "-O", "qcow2", raw, after)
    ended = command("inspect", "--diff", before, after, "-f", "json")
    assert ended.code == 0, ended.stderr
    changes = json.loads(ended.stdout)
    assert set(changes["files"]) == {"/etc/motd", "/usr/bin/su", "/etc/passwd"}
    assert changes["files"]["/etc/passwd"] == {"before": "mode 0644", "after": "mode 0600"}
    assert list(changes["privileged"]) == ["/usr/bin/su"]
    command("inspect", "--diff", before).failed(2, "compares two images, and 1", "--help")


def test_what_cannot_be_read_ends_the_command_with_1_and_one_line(command, converted, tmp_path):
    """The issue: "for inspect: truncated, no partition, unknown file system, backing file, zstd: an error that says so"."""
    whole = converted("whole.qcow2", "-c")
    cut, overlay = tmp_path / "cut.qcow2", tmp_path / "overlay.qcow2"
    cut.write_bytes(whole.read_bytes()[:-70_000])
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", whole, overlay)
    command("inspect", cut).failed(1, str(cut), "truncated", "download or build it again")
    command("inspect", overlay).failed(1, "backing file", "qemu-img convert")
    command("inspect", tmp_path).failed(2, "is a folder", "give the image file in it")


def test_what_a_reference_names_is_fetched_and_called_by_its_name(command, converted, tmp_path):
    """So that what a tag leads to can be compared with what shall follow it."""
    whole, ini = converted("web.qcow2", "-c"), tmp_path / "x.ini"
    ini.write_text("[image_http]\nallowed_addresses = 127.0.0.1/32\nallowed_ports =\nallow_unpinned_http = true\n")
    environ = {"TMPDIR": str(tmp_path)}
    with serving_image(whole.read_bytes()) as server:
        found = command("--config-file", ini, "inspect", server.url, "-f", "json", environ=environ)
        same = command("--config-file", ini, "inspect", "--diff", server.url, whole, "-f", "json", environ=environ)
    assert (found.code, json.loads(found.stdout)["path"]) == (0, server.url), found.stderr
    assert set(map(len, json.loads(same.stdout).values())) == {0}
    with serving_image(b"text\n" * 999) as server:
        ended = command("--config-file", ini, "inspect", server.url, environ=environ)
    assert (ended.code, ended.stdout) == (1, "")
    assert f"amphora-image: {server.url} cannot be inspected: it has no partition table" in ended.stderr
    assert not list(tmp_path.glob("amphora-image-*")), "nothing is left"


@pytest.mark.parametrize(
    ("name", "kind", "options", "part"),
    [
        ("disk.vmdk", "vmdk", (), "it is vmdk"),
        ("disk.vhdx", "vhdx", (), "it is vhdx"),
        ("disk.vdi", "vdi", (), "it is vdi"),
        ("extended.qcow2", "qcow2", ("-o", "extended_l2=on,cluster_size=64k"), "extended L2"),
    ],
)
def test_other_kinds_of_images_are_told_by_name(converted, name, kind, options, part):
    with pytest.raises(UnreadableImageError, match=part):
        inspect(converted(name, *options, kind=kind))


@pytest.mark.parametrize(
    ("kind", "program", "at", "mark"),
    [
        ("xfs", "mkfs.xfs", 0, b"XFSB"),
        ("btrfs", "mkfs.btrfs", 0x10040, b"_BHRfS_M"),
        ("LVM2", "", 512, b"LABELONE"),
    ],
    ids=["xfs", "btrfs", "lvm"],
)
def test_a_system_on_what_is_not_read_is_refused_though_its_esp_is_read(disk, tmp_path, kind, program, at, mark):
    """The issue: "unknown file system … an error that says so"; made by the real program where there is one."""
    made, image = tmp_path / "made", tmp_path / "image.raw"
    with made.open("wb") as file:
        file.truncate(512 * MIB)
    found = shutil.which(program, path=SEARCHED) if program else None
    if found:
        run(found, "-q", "-f", made)
    else:
        with made.open("r+b") as file:
            file.seek(at)
            file.write(mark)
    shutil.copy(disk, image)
    root = json.loads(run("sfdisk", "--json", disk))["partitiontable"]["partitions"][-1]
    with made.open("rb") as source, image.open("r+b") as file:
        file.seek(root["start"] * 512)
        file.write(source.read(MIB))
    with pytest.raises(UnreadableImageError, match=f"it has {kind} in its partitions, and of file systems only ext2"):
        inspect(image)
