# SPDX-License-Identifier: Apache-2.0
from fakes.file_system import link, tree

from amphora_image.build.inspection.units import enabled_units

WANTS = "etc/systemd/system/multi-user.target.wants"


def test_units_that_something_in_etc_wants_are_enabled():
    files = {
        f"{WANTS}/haproxy.service": link("/lib/systemd/system/haproxy.service"),
        "etc/systemd/system/sockets.target.requires/own.socket": link("../own.socket"),
        "etc/systemd/system/own.socket": "[Socket]",
        "lib": link("usr/lib"),
        "usr/lib/systemd/system/haproxy.service": "[Unit]",
        "usr/lib/systemd/system/multi-user.target.wants/always.service": link("../always.service"),
        "usr/lib/systemd/system/always.service": "[Unit]",
    }
    assert enabled_units(tree(files)) == ("haproxy.service", "own.socket")


def test_an_instance_is_enabled_by_its_template():
    files = {
        f"{WANTS}/getty@tty1.service": link("/lib/systemd/system/getty@.service"),
        "lib/systemd/system/getty@.service": "[Unit]",
    }
    assert enabled_units(tree(files)) == ("getty@tty1.service",)


def test_units_that_are_masked_or_missing_are_not_enabled():
    files = {
        f"{WANTS}/masked.service": link("/lib/systemd/system/masked.service"),
        f"{WANTS}/empty.service": link("/lib/systemd/system/empty.service"),
        f"{WANTS}/missing.service": link("/lib/systemd/system/missing.service"),
        "etc/systemd/system/masked.service": link("/dev/null"),
        "etc/systemd/system/empty.service": "",
        "lib/systemd/system/masked.service": "[Unit]",
        "lib/systemd/system/empty.service": "[Unit]",
    }
    assert enabled_units(tree(files)) == ()
