# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.builder.memory import spare_memory

GIB = 1 << 30


@pytest.fixture
def machine(tmp_path):
    """Write what the kernel would say: memory available, in GiB, the control groups, and files of limits by path."""

    def make(available, groups="", limits=()):
        (tmp_path / "proc" / "self").mkdir(parents=True)
        told = f"MemTotal: 1 kB\nMemAvailable: {available << 20} kB\n"
        (tmp_path / "proc" / "meminfo").write_text(told, encoding="ascii")
        (tmp_path / "proc" / "self" / "cgroup").write_text(groups, encoding="ascii")
        for path, text in dict(limits).items():
            file = tmp_path / "cgroup" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n", encoding="ascii")
            for name in ("memory.current", "memory.usage_in_bytes"):
                file.with_name(name).write_text(f"{2 * GIB}\n", encoding="ascii")
            file.with_name("memory.stat").write_text(f"anon {GIB}\ninactive_file {GIB // 2}\nactive_file {GIB // 2}\n")
        return tmp_path / "proc", tmp_path / "cgroup"

    return make


@pytest.mark.parametrize(("available", "spare"), [(24, 12 * GIB), (8, 4 * GIB), (7, 0)])
def test_a_build_may_have_half_of_the_memory_if_that_is_enough(machine, available, spare):
    assert spare_memory(*machine(available)) == spare


@pytest.mark.parametrize(
    ("groups", "limits"),
    [
        ("0::/\n", {"memory.max": 11 * GIB}),  # a container, as it sees itself
        ("0::/a/b\n", {"a/b/memory.max": "max", "a/memory.max": 11 * GIB}),
        ("0::/a\n", {"a/memory.max": "max", "a/memory.high": 11 * GIB}),
        ("3:cpu,memory:/a\n1:cpuset:/c\n0::/\n", {"memory/a/memory.limit_in_bytes": 11 * GIB}),
        ("3:memory:/outside\n", {"memory/memory.limit_in_bytes": 11 * GIB}),  # a container, as its host sees it
    ],
)
def test_no_more_than_is_left_to_a_control_group_is_taken(machine, groups, limits):
    """Of the 2 GiB that each uses, 1 GiB are pages of files, which the kernel takes back."""
    assert spare_memory(*machine(24, groups, limits)) == 5 * GIB


def test_a_limit_counts_where_nothing_is_known_of_what_is_used(machine):
    proc, cgroups = machine(24, "0::/\n", {"memory.max": 11 * GIB})
    (cgroups / "memory.stat").unlink()
    assert spare_memory(proc, cgroups) == 11 * GIB // 2


def test_a_small_container_on_a_large_machine_builds_on_the_disk(machine):
    assert spare_memory(*machine(240, "0::/\n", {"memory.max": 3 * GIB})) == 0


def test_where_nothing_is_known_of_the_memory_the_disk_is_used(tmp_path):
    assert spare_memory(tmp_path, tmp_path) == 0
