# SPDX-License-Identifier: Apache-2.0
"""Images that nobody made: whatever is in them, they are told about by our errors, or not at all; soon, and in bounds."""

from __future__ import annotations

import contextlib
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support import amphorae
from support.filesystems import deflated, ext, program, qcow2

from amphora_image.build.inspection.contents import digests_of
from amphora_image.build.inspection.inspect import opened_image, report_of, telling
from amphora_image.build.inspection.versions import dpkg_key
from amphora_image.errors import AmphoraImageError

SEEDED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
VERSION = st.from_regex(r"(?:[0-9]{1,2}:)?[0-9][0-9A-Za-z.+~]{0,6}(?:-[0-9A-Za-z.+~]{1,4})?", fullmatch=True)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Images of each kind, as few bytes as they can be, and where in them something is."""
    folder = tmp_path_factory.mktemp("images")
    files = amphorae.FILES | {"usr/sbin/haproxy": "small", **{f"many/{number}": "x" for number in range(99)}}
    disk = amphorae.disk(folder / "disk", files)
    plain = {
        "disk": disk,
        "qcow2": qcow2(disk, bits=12),
        "qcow2-packed": qcow2(disk, bits=12, pack=deflated),
        "ext4": ext(folder / "ext4", files, options=("-b", "1024", "-O", "inline_data")),
        "ext2": ext(folder / "ext2", files, kind="ext2", options=("-b", "1024")),
    }
    return folder / "image", {
        name: (image, [at for at, byte in enumerate(image) if byte]) for name, image in plain.items()
    }


def read_all(path):
    """Do all that inspecting and comparing do to an image."""
    with contextlib.suppress(AmphoraImageError), opened_image(path) as image:
        report_of(path, image)
        with telling(path):
            digests_of(image.tree, [name for name, file in image.tree.files.items() if file.node.is_file])


@SEEDED
@given(data=st.data(), name=st.sampled_from(["disk", "qcow2", "qcow2-packed", "ext4", "ext2"]))
def test_an_image_that_was_changed_anywhere_raises_nothing_but_our_errors(images, data, name):
    path, kinds = images
    image, places = kinds[name]
    changed = bytearray(image)
    for index in data.draw(st.lists(st.integers(0, len(places) - 1), min_size=1, max_size=20)):
        changed[places[index]] = data.draw(st.integers(0, 255))
    path.write_bytes(changed)
    read_all(path)


@SEEDED
@given(data=st.data(), name=st.sampled_from(["disk", "qcow2", "qcow2-packed", "ext4", "ext2"]))
def test_an_image_whose_first_blocks_are_anything_raises_nothing_but_our_errors(images, data, name):
    """What says how everything else is to be read lies there: headers, tables, descriptors."""
    path, kinds = images
    image, _ = kinds[name]
    changed = bytearray(image)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, min(len(image), 1 << 17) - 8))
        value = data.draw(st.sampled_from([b"\0" * 8, b"\xff" * 8, b"\x7f" + b"\xff" * 7, b"\1" + b"\0" * 7]))
        changed[at : at + 8] = value
    path.write_bytes(changed)
    read_all(path)


@SEEDED
@given(data=st.data(), name=st.sampled_from(["disk", "qcow2", "qcow2-packed", "ext4", "ext2"]))
def test_an_image_that_was_cut_off_anywhere_is_refused(images, data, name):
    path, kinds = images
    image, places = kinds[name]
    path.write_bytes(image[: data.draw(st.integers(1, places[-1] - 511))])
    with pytest.raises(AmphoraImageError), opened_image(path):
        pass


@SEEDED
@given(one=VERSION, other=VERSION)
def test_versions_are_ordered_as_dpkg_itself_orders_them(one, other):
    order = (dpkg_key(one) > dpkg_key(other)) - (dpkg_key(one) < dpkg_key(other))
    asked = subprocess.run(
        [program("dpkg"), "--compare-versions", one, {-1: "lt", 0: "eq", 1: "gt"}[order], other], check=False
    )
    assert asked.returncode == 0, (one, order, other)
