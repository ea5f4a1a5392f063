# SPDX-License-Identifier: Apache-2.0
"""The two file systems: the root, an ext4 that mke2fs fills from a tree, and the EFI system partition, a FAT."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.build.assembly.layout import BLOCK_BYTES, BYTES_PER_INODE, INODE_BYTES, JOURNAL_MIB
from amphora_image.build.assembly.system import ROOT_LABEL
from amphora_image.build.programs import run
from amphora_image.errors import DiskTooSmallError, ProgramFailedError

if TYPE_CHECKING:
    from amphora_image.build.assembly.layout import Identities, Partition

#: What this machine's own mke2fs.conf would say depends on the machine, and newer features are unknown to older GRUBs
#: and kernels.
_SETTINGS = f"""[defaults]
    base_features = sparse_super,large_file,filetype,resize_inode,dir_index,ext_attr
    default_mntopts = acl,user_xattr
    enable_periodic_fsck = 0
    blocksize = {BLOCK_BYTES}
    inode_size = {INODE_BYTES}
    inode_ratio = {BYTES_PER_INODE}
    reserved_ratio = 1.0
[fs_types]
    ext4 = {{
        features = has_journal,extent,huge_file,flex_bg,metadata_csum,64bit,dir_nlink,extra_isize
    }}
"""
#: The times of an inode that say when the tree was made and read.
_TIMES = ("ctime", "atime", "crtime", "ctime_extra", "atime_extra", "crtime_extra")
_TOO_SMALL = ("Could not allocate", "No free space", "no free", "too small")


@dataclass(frozen=True, slots=True)
class RootFileSystem:
    """The root: the ``tree`` it is filled from, what it is known by, and the ``epoch`` that all its times become."""

    tree: Path
    identities: Identities
    epoch: int | None = None

    def make(self, disk: Path, partition: Partition) -> None:
        """Make it in ``disk``, in the place of ``partition``; the disk reads as zeros there.

        :raises DiskTooSmallError: the tree does not fit.
        """
        if self.epoch is not None:
            _clamp(self.tree, self.epoch)
        settings = disk.with_name("mke2fs.conf")
        settings.write_text(_SETTINGS, encoding="utf-8")
        environment = {"MKE2FS_CONFIG": str(settings), **_fake_time(self.epoch)}
        # Everything the tables do not use is zeros already, so that the kernel need not write them at the first boot.
        extended = f"offset={partition.begin},hash_seed={self.identities.of('hash')}"
        extended += ",lazy_itable_init=1,assume_storage_prezeroed=1,root_owner=0:0"
        command = ["mke2fs", "-q", "-F", "-t", "ext4", "-L", ROOT_LABEL, "-U", self.identities.of("root")]
        command += ["-J", f"size={JOURNAL_MIB}", "-E", extended, "-d", str(self.tree), str(disk)]
        try:
            run(*command, f"{partition.size // 1024}k", environment=environment, folder=disk.parent)
        except ProgramFailedError as error:
            if any(sign in error.detail for sign in _TOO_SMALL):
                raise DiskTooSmallError(disk.stat().st_size, 0) from error
            raise
        if self.epoch is not None:
            self._set_times(disk, partition)

    def _set_times(self, disk: Path, partition: Partition) -> None:
        """Give every inode the same times but for that of its contents.

        mke2fs takes them over from the tree, which was made now; on when that is the image should not depend.
        """
        where = f"{disk}?offset={partition.begin}"
        told = run("dumpe2fs", "-h", where, environment=_fake_time(self.epoch))
        counts = {
            name: int(value) for name, value in re.findall(r"^(Inode count|Free inodes): +(\d+)", told, re.MULTILINE)
        }
        used = counts["Inode count"] - counts["Free inodes"]
        moment = f"@{self.epoch}"
        commands = [f"sif <{number}> {field} {moment}" for number in range(1, used + 1) for field in _TIMES]
        run("debugfs", "-w", "-f", "-", where, given="\n".join([*commands, ""]), environment=_fake_time(self.epoch))


def make_esp(image: Path, identities: Identities, loaders: dict[str, bytes], epoch: int | None) -> None:
    """Make the FAT in the file ``image``, which has its size, with ``loaders`` by name in ``EFI/BOOT``."""
    folder = image.with_name("esp") / "EFI"
    (folder / "BOOT").mkdir(parents=True)
    for name, content in loaders.items():
        (folder / "BOOT" / name).write_bytes(content)
    if epoch is not None:
        for path in (*(folder / "BOOT").iterdir(), folder / "BOOT", folder):
            os.utime(path, (epoch, epoch))
    run("mkfs.vfat", "--invariant", "-F", "16", "-s", "1", "-i", identities.volume_id, "-n", "ESP", image)
    run("mcopy", "-s", "-m", "-i", image, folder, "::/", environment={"MTOOLSRC": os.devnull})


def _fake_time(epoch: int | None) -> dict[str, str]:
    """Tell e2fsprogs what time it is; those of 1.47.1 and later also know the common variable."""
    return {} if epoch is None else {"E2FSPROGS_FAKE_TIME": str(epoch), "SOURCE_DATE_EPOCH": str(epoch)}


def _clamp(folder: Path, epoch: int) -> None:
    """Make ``epoch`` of each later time of contents: such a file was written by the build itself."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _clamp(Path(entry.path), epoch)
            elif entry.stat(follow_symlinks=False).st_mtime > epoch:
                os.utime(entry.path, (epoch, epoch), follow_symlinks=False)
    if folder.stat().st_mtime > epoch:
        os.utime(folder, (epoch, epoch))
