# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.trial.accelerator import crawls, fault_of_kvm


@pytest.fixture
def qemu(tmp_path):
    """Make a program that stands for QEMU."""

    def make(text):
        program = tmp_path / "qemu"
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        return str(program)

    return make


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("exit 33", ""),
        ("exit 0", "QEMU ended with 0"),
        ("echo Could not access KVM kernel module: No such device >&2; exit 1", "Could not access KVM kernel module"),
        ("exec sleep 30", "a machine of three instructions did not end within"),
    ],
    ids=["works", "runs nothing", "does not open", "hangs"],
)
def test_kvm_works_where_a_machine_has_done_something(tmp_path, qemu, text, fault):
    """The facts: "/dev/kvm may open and then hang"."""
    (tmp_path / "kvm").touch()
    found = fault_of_kvm(tmp_path / "kvm", qemu(text), probe_seconds=0.3 if "30" in text else 9)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


@pytest.mark.parametrize(
    ("kvm", "tcg", "slow"),
    [(2.0, 0.1, True), (0.3, 0.01, False), (2.0, 0.9, False)],
    ids=["crawls", "quick both", "a busy machine"],
)
def test_kvm_that_is_slower_than_emulation_is_of_no_use(kvm, tcg, slow):
    assert crawls(kvm, tcg) == slow


def test_a_device_that_is_not_there_is_told(tmp_path):
    assert fault_of_kvm(tmp_path / "kvm") == f"there is no {tmp_path / 'kvm'}"
