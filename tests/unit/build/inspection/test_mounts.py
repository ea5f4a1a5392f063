# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.file_system import FakeFileSystem

from amphora_image.build.inspection.mounts import Volume, mounted
from amphora_image.build.inspection.partitions import Slice

ROOT = {"etc/os-release": "ID=debian\n", "boot/": "", "data/": ""}


def volume(number, files, **names):
    part = Slice(number=number, start=0, size=0, type="Linux", uuid=f"part-{number}")
    return Volume(partition=part, kind="fake", system=files and FakeFileSystem(files, **names))


@pytest.mark.parametrize("device", ["UUID=1234-ABCD", 'LABEL="boot"', "PARTUUID=PART-1", "/dev/vda1", "/dev/nvme0n1p1"])
def test_what_fstab_mounts_is_where_it_says(device):
    fstab = f"# comment\nLABEL=root / ext4\n{device}\t/boot/ ext4 defaults\n/dev/vda9 /data ext4\nnone\n"
    tree = mounted(
        [volume(1, {"vmlinuz-6": ""}, label="boot", uuid="1234-abcd"), volume(2, ROOT | {"etc/fstab": fstab})]
    )
    assert tree.names("/boot") == ["vmlinuz-6"]
    assert tree.names("/data") == []


def test_the_root_is_the_file_system_with_an_os_release():
    assert mounted([volume(1, {"x": ""}), volume(2, None), volume(3, ROOT)]).text("/etc/os-release") == "ID=debian\n"


def test_without_one_it_is_the_first_that_can_be_read():
    assert mounted([volume(1, None), volume(2, {"x": ""}), volume(3, {"y": ""})]).names("/") == ["x"]
