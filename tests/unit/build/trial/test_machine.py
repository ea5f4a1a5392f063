# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from amphora_image.build.trial.machine import Hardware, Network

MANAGEMENT = Network(name="management", prefix="10.0.2", mac="52:54:00:00:00:01", forwards=("1111-:9443",))
VIP = Network(name="vip", prefix="10.0.3", mac="52:54:00:00:00:02")


def command(**wanted):
    return Hardware(image=Path("/i/a,b.qcow2"), image_format="qcow2", networks=(MANAGEMENT, VIP), **wanted).command(
        Path("/folder")
    )


def values(words, option):
    return [value for name, value in pairwise(words) if name == option]


def test_the_image_is_not_changed_and_its_format_is_not_guessed():
    [image] = values(command(), "-drive")
    assert image == "file=/i/a,,b.qcow2,if=virtio,format=qcow2,snapshot=on"


def test_the_machine_is_reached_on_loopback_alone():
    assert values(command(), "-netdev") == [
        "user,id=management,net=10.0.2.0/24,ipv6=off,hostfwd=tcp:127.0.0.1:1111-:9443",
        "user,id=vip,net=10.0.3.0/24,ipv6=off",
    ]
    assert MANAGEMENT.host == "10.0.2.2"


def test_only_the_first_network_has_an_interface_from_the_start():
    interfaces = [each for each in values(command(), "-device") if each.startswith("virtio-net")]
    assert interfaces == ["virtio-net-pci,netdev=management,mac=52:54:00:00:00:01,romfile="]


def test_the_accelerator_is_always_said():
    assert values(command(), "-machine") == ["pc,accel=tcg,hpet=off"]
    assert values(command(accelerator="kvm"), "-machine") == ["pc,accel=kvm,hpet=off"]


def test_a_vhd_is_what_qemu_calls_vpc():
    assert (
        "format=vpc" in values(Hardware(image=Path("/x.vhd"), image_format="vhd").command(Path("/folder")), "-drive")[0]
    )


def test_the_machine_dies_with_whoever_started_it():
    assert command()[:4] == ["setpriv", "--pdeathsig", "KILL", "--"]
