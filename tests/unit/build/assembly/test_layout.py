# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import uuid

import pytest

from amphora_image.build.assembly.layout import MIB, Amount, Identities, Layout, check_size
from amphora_image.errors import DiskTooSmallError


def test_the_partitions_follow_one_another_and_leave_room_for_both_tables():
    layout = Layout(512 * MIB)
    assert layout.bios.begin == MIB
    assert layout.bios.begin + layout.bios.size == layout.esp.begin
    assert layout.esp.begin + layout.esp.size == layout.root.begin
    assert layout.root.begin + layout.root.size == 511 * MIB


def test_the_root_ends_on_a_whole_mib_of_a_disk_that_does_not():
    assert (Layout(512 * MIB + 12345).root.begin + Layout(512 * MIB + 12345).root.size) % MIB == 0


def test_one_seed_gives_the_same_identities_and_each_part_its_own():
    seed = uuid.uuid4()
    names = ("disk", "root", "hash", "partition bios", "partition esp", "partition root")
    assert [Identities(seed).of(name) for name in names] == [Identities(seed).of(name) for name in names]
    assert len({Identities(seed).of(name) for name in names}) == len(names)
    assert Identities(uuid.uuid4()).of("disk") != Identities(seed).of("disk")
    assert len(Identities(seed).volume_id) == 8


def test_the_table_names_what_each_partition_is_for():
    table = Layout(512 * MIB).table(Identities(uuid.uuid4()))
    assert table.startswith("label: gpt\n")
    assert "start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649" in table
    assert "start=4096, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B" in table
    assert "start=36864, " in table


def test_a_tree_is_counted_by_blocks_with_hard_links_once_and_holes_not_at_all(tmp_path):
    before = Amount.of(tmp_path)
    (tmp_path / "file").write_bytes(b"x" * 4097)
    os.link(tmp_path / "file", tmp_path / "same")
    (tmp_path / "short").symlink_to("file")
    (tmp_path / "long").symlink_to("x" * 100)
    with (tmp_path / "hole").open("wb") as file:
        file.truncate(MIB)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "small").write_bytes(b"x")
    after = Amount.of(tmp_path)
    assert after.inodes - before.inodes == 6
    assert 2 + 1 + 1 + 1 <= after.blocks - before.blocks <= 2 + 1 + 1 + 1 + MIB // 4096
    assert before == Amount(1, 1)


def test_a_link_to_a_folder_is_not_followed_and_may_lead_anywhere(tmp_path):
    (tmp_path / "up").symlink_to("/")
    (tmp_path / "nowhere").symlink_to("/nowhere")
    assert Amount.of(tmp_path).inodes == 3


def test_a_disk_that_is_too_small_is_refused_with_the_size_that_would_do():
    """The issue: "size too small: an error that says so"."""
    amount = Amount(blocks=200 * 256, inodes=1000)
    needed = amount.disk_bytes()
    assert needed % MIB == 0
    assert 280 * MIB < needed < 330 * MIB
    check_size(needed, amount)
    with pytest.raises(DiskTooSmallError, match=f"it takes {needed // MIB} MiB"):
        check_size(needed - 1, amount)


def test_many_small_files_need_a_disk_with_as_many_inodes():
    assert Amount(blocks=100, inodes=100_000).disk_bytes() > 100_000 * 16384
