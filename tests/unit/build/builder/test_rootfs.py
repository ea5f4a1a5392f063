# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

from amphora_image.build.builder.rootfs import _Watch, forget_the_build, own_keys


def test_what_tells_builds_apart_is_removed_and_nothing_outside_the_tree(tmp_path):
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    for folder in (tree / "etc", tree / "var" / "cache" / "ldconfig", outside):
        folder.mkdir(parents=True)
    (tree / "etc" / "dib-manifests").symlink_to(outside)
    (outside / "dib_arguments").touch()
    for name in ("aux-cache", "another"):
        (tree / "var" / "cache" / "ldconfig" / name).touch()
    forget_the_build(tree)
    assert (outside / "dib_arguments").exists()
    assert [path.name for path in (tree / "var" / "cache" / "ldconfig").iterdir()] == ["another"]


def test_a_key_ring_of_ones_own_is_trusted_without_apt_key():
    given = {"DIB_APT_KEYRING": "/keys/my ring.gpg", "DIB_MMDEBSTRAP_EXTRA_ARGS": "--aptopt=x"}
    found = own_keys(given)
    assert found["DIB_APT_KEYRING"] == found["DIB_DEBIAN_KEYRING"] == ""
    assert found["DIB_ADD_APT_KEYS"] == "/keys/my ring.gpg"
    assert found["DIB_DEBOOTSTRAP_EXTRA_ARGS"] == "--keyring='/keys/my ring.gpg'"
    assert found["DIB_MMDEBSTRAP_EXTRA_ARGS"] == "--aptopt=x --keyring='/keys/my ring.gpg'"
    assert own_keys({}) == {}
    assert own_keys({**given, "DIB_ADD_APT_KEYS": "/more"})["DIB_ADD_APT_KEYS"] == "/more"


def test_a_log_of_an_earlier_build_is_nobody_elses_and_a_device_stays_as_it_is(tmp_path):
    earlier = tmp_path / "x.log"
    earlier.touch(mode=0o644)
    master, terminal = os.openpty()
    os.fchmod(terminal, 0o622)
    for number, (log, mode) in enumerate(((earlier, 0o600), (Path(os.ttyname(terminal)), 0o622))):
        _Watch(tmp_path / f"fifo-{number}", log, print).close()
        assert log.stat().st_mode & 0o777 == mode
    os.close(master)
    os.close(terminal)
