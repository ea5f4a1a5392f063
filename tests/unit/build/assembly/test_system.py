# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.assembly.system import BootOptions, Kernel, find_kernel, make_bootable
from amphora_image.errors import UnbootableSystemError

UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "root"
    for folder in ("etc", "boot"):
        (root / folder).mkdir(parents=True)
    add_kernel(root, "6.1.0-9-amd64")
    return root


def add_kernel(root, version, initrd="initrd.img-{}"):
    (root / "boot" / f"vmlinuz-{version}").write_text("kernel")
    if initrd:
        (root / "boot" / initrd.format(version)).write_text("initrd")


def menu_of(tree):
    return (tree / "boot" / "grub" / "grub.cfg").read_text()


def test_the_newest_kernel_that_has_an_initial_ram_disk_is_found(tree):
    add_kernel(tree, "6.1.0-10-amd64")
    add_kernel(tree, "6.2.0-1-amd64", initrd=None)
    assert find_kernel(tree) == Kernel("/boot/vmlinuz-6.1.0-10-amd64", "/boot/initrd.img-6.1.0-10-amd64")


def test_a_kernel_is_found_by_the_names_of_red_hat_too(tree):
    add_kernel(tree, "6.12.0-55.el10.x86_64", initrd="initramfs-{}.img")
    assert find_kernel(tree).initrd == "/boot/initramfs-6.12.0-55.el10.x86_64.img"


def test_a_system_without_kernel_or_without_its_ram_disk_is_refused(tree):
    (tree / "boot" / "initrd.img-6.1.0-9-amd64").unlink()
    with pytest.raises(UnbootableSystemError, match=r"a kernel \(6.1.0-9-amd64\) and no initial RAM disk"):
        find_kernel(tree)
    (tree / "boot" / "vmlinuz-6.1.0-9-amd64").unlink()
    with pytest.raises(UnbootableSystemError, match="no kernel"):
        find_kernel(tree)


def test_the_menu_starts_the_kernel_from_the_root_of_that_uuid(tree):
    make_bootable(tree, UUID, BootOptions(kernel_options="console=ttyS0  quiet", timeout_seconds=3))
    assert f"linux /boot/vmlinuz-6.1.0-9-amd64 root=UUID={UUID} ro console=ttyS0 quiet\n" in menu_of(tree)
    assert "initrd /boot/initrd.img-6.1.0-9-amd64\n" in menu_of(tree)
    assert "set timeout=3\n" in menu_of(tree)


def test_what_the_system_says_of_its_kernel_is_added(tree):
    (tree / "etc" / "kernel").mkdir()
    (tree / "etc" / "kernel" / "cmdline").write_text("isolcpus=1-3\n nohz_full=1-3\n")
    make_bootable(tree, UUID, BootOptions(kernel_options="quiet"))
    assert "ro quiet isolcpus=1-3 nohz_full=1-3\n" in menu_of(tree)


def test_fstab_gets_the_root_by_its_label_and_keeps_the_rest(tree):
    fstab = tree / "etc" / "fstab"
    fstab.write_text(
        "# UNCONFIGURED FSTAB FOR BASE SYSTEM\nLABEL=old / ext3 ro 0 0\ntmpfs /run/x tmpfs size=1m 0 0\n\n"
    )
    make_bootable(tree, UUID, BootOptions())
    make_bootable(tree, UUID, BootOptions())
    lines = [line for line in fstab.read_text().splitlines() if line]
    assert lines == ["LABEL=cloudimg-rootfs / ext4 defaults,errors=remount-ro 0 1", "tmpfs /run/x tmpfs size=1m 0 0"]


def test_no_symlink_of_the_tree_leads_a_write_out_of_it(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("untouched")
    (tree / "etc" / "fstab").symlink_to(outside)
    (tree / "boot" / "grub").mkdir()
    (tree / "boot" / "grub" / "grub.cfg").symlink_to(outside)
    (tree / "etc" / "kernel").symlink_to(tmp_path)
    (tmp_path / "cmdline").write_text("foreign")
    make_bootable(tree, UUID, BootOptions())
    assert outside.read_text() == "untouched"
    assert "foreign" not in menu_of(tree)
    assert not (tree / "etc" / "fstab").is_symlink()


@pytest.mark.parametrize("name", ["boot", "etc"])
def test_a_folder_that_is_a_symlink_is_refused(tree, tmp_path, name):
    (tree / name).rename(tmp_path / name)
    (tree / name).symlink_to(tmp_path / name)
    with pytest.raises(UnbootableSystemError, match=f"its /{name} is no folder"):
        make_bootable(tree, UUID, BootOptions())
