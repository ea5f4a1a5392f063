# SPDX-License-Identifier: Apache-2.0
import dataclasses

import pytest
from support import amphorae, disks
from support.filesystems import LINUX_TYPE, deflated, ext, gpt, mbr, qcow2

from amphora_image.build.inspection.inspect import inspect
from amphora_image.build.inspection.report import Boot, Partition, Privileged, Software, System
from amphora_image.errors import UnreadableImageError

MIB = 1 << 20


@pytest.fixture(scope="module")
def amphora(tmp_path_factory):
    return amphorae.image(tmp_path_factory.mktemp("amphora"))


def test_all_of_an_amphora_is_told(amphora):
    found = inspect(amphora)
    assert (found.path, found.format, found.compression) == (str(amphora), "qcow2", "zlib")
    assert (found.size, found.partition_table) == (amphora.stat().st_size, "gpt")
    assert found.virtual_size > 7 * MIB
    assert found.boot == Boot(bios="GRUB", uefi="/EFI/BOOT/BOOTX64.EFI (x86_64)")
    assert [dataclasses.replace(each, uuid="") for each in found.partitions] == [
        Partition(number=1, start=32768, size=4096, type="BIOS boot", file_system="", label="", uuid=""),
        Partition(number=2, start=36864, size=8037 * 512, type="EFI system", file_system="vfat", label="ESP", uuid=""),
        Partition(
            number=3, start=36864 + 8037 * 512, size=4 * MIB, type="Linux", file_system="ext4", label="amphora", uuid=""
        ),
    ]
    assert found.system == System(
        id="debian",
        release="12",
        codename="",
        name="Debian GNU/Linux 12",
        architecture="x86_64",
        kernels=("6.1.0-1-amd64",),
    )
    assert found.package_system == "dpkg"
    assert [(each.name, each.version) for each in found.packages] == [
        ("haproxy", "2.6.12-1+deb12u1"),
        ("openssh-server", "1:9.2p1-2"),
    ]
    assert found.agent == Software(version="19.0.0", origin=f"/{amphorae.SITE_PACKAGES}/octavia-19.0.0.dist-info")
    assert found.haproxy == Software(version="2.6.12-1+deb12u1", origin="package haproxy")
    assert found.units == ("amphora-agent.service",)
    assert (found.accounts, found.key_files, found.warnings) == ((), (), ())
    (privileged,) = found.privileged
    assert dataclasses.replace(privileged, owner="") == Privileged(
        path="/usr/bin/su", mode="4755", owner="", capabilities=""
    )


def test_a_raw_image_and_a_fixed_vhd_tell_the_same(amphora, tmp_path):
    disk = amphorae.disk(tmp_path)
    path = tmp_path / "image"
    for name, content in {"raw": disk, "vhd": disk + b"conectix".ljust(60, b"\0") + b"\0\0\0\2" + bytes(448)}.items():
        path.write_bytes(content)
        found = inspect(path)
        assert (found.format, found.compression, found.virtual_size) == (name, None, len(disk))
        assert found.packages == inspect(amphora).packages


def test_a_file_system_without_a_partition_is_read(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(ext(tmp_path, amphorae.FILES))
    found = inspect(path)
    assert (found.partition_table, found.boot) == (None, Boot(bios=None, uefi=None))
    assert (found.partitions[0].number, found.system.id) == (0, "debian")


def test_what_is_missing_in_an_image_is_none_and_warned_of(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(ext(tmp_path, {"data": "x"}))
    found = inspect(path)
    assert (found.system, found.packages, found.agent, found.haproxy) == (None, None, None, None)
    assert [each.partition(":")[0] for each in found.warnings] == [
        "the packages are not known",
        "no operating system was found",
    ]


def test_a_database_that_is_not_read_is_warned_of(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(ext(tmp_path, {"etc/os-release": "ID=centos\n", "var/lib/rpm/Packages": "x"}))
    found = inspect(path)
    assert (found.package_system, found.packages) == ("rpm", None)
    assert "Berkeley DB" in found.warnings[0]


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (b"text\n" * 200, "no partition table, and no file system that is known"),
        (b"x", "no partition table"),
        (bytes(MIB), "no partition table"),
        (disks.vmdk(), "it is vmdk"),
        (disks.vhd(), "VHD of what differs"),
        (disks.vdi(), "it is vdi"),
        (disks.qed(), "it is qed"),
        (disks.iso(), "it has iso9660"),
        (b"vhdxfile" + bytes(MIB), "it is vhdx"),
        (b"LUKS\xba\xbe" + bytes(MIB), "it is luks"),
        (b"\x1f\x8b\x08" + bytes(MIB), "compressed with gzip"),
        (gpt((LINUX_TYPE, b"XFSB".ljust(MIB, b"\0"))), "it has xfs in its partitions, and of file systems only"),
        (mbr((0x83, bytes(1080 + 400) * 100), (0x8E, bytes(512) + b"LABELONE".ljust(MIB, b"\0"))), "LVM2"),
        (gpt((LINUX_TYPE, bytes(MIB))), "nothing that is known"),
        (gpt((LINUX_TYPE, bytes(MIB)))[:-99999], "truncated"),
        (qcow2(b"amphora" * 99999, pack=deflated)[:-600], "truncated"),
        (disks.qcow2(backing=512), "backing file"),
    ],
    ids=[
        "text",
        "byte",
        "zeros",
        "vmdk",
        "vhd",
        "vdi",
        "qed",
        "iso",
        "vhdx",
        "luks",
        "gzip",
        "xfs",
        "lvm",
        "unknown",
        "cut-raw",
        "cut",
        "backing",
    ],
)
def test_what_cannot_be_read_is_told_with_the_path_and_a_remedy(tmp_path, content, part):
    """The issue: "for inspect: truncated, no partition, unknown file system, backing file, zstd: an error that says so"."""
    path = tmp_path / "image"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError) as caught:
        inspect(path)
    assert part in str(caught.value)
    assert str(caught.value).startswith(f"{path} cannot be inspected: ")
