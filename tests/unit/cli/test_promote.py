# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.cli.promote import _image, _tag
from amphora_image.errors import ConfigurationError, InvalidReferenceError

UUID = "00000000-0000-0000-0000-00000000000A"


def test_an_image_is_named_by_its_id_in_either_form():
    assert _image(UUID).image_id == _image(f"glance://{UUID}").image_id == UUID.lower()


@pytest.mark.parametrize("text", ["", "amphora-2026.1", "glance://tag/t", "file:///x.raw", "https://host/x", "ftp://x"])
def test_whatever_else_names_no_image_here_and_the_remedy_is_the_id(text):
    with pytest.raises(InvalidReferenceError, match=r"; give the id; `openstack image list` shows it$") as caught:
        _image(text)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["", "a/b", "x" * 256, "ß"])
def test_a_tag_that_cannot_be_moved_is_refused(text):
    with pytest.raises(ConfigurationError) as caught:
        _tag(text)
    assert caught.value.exit_code == 2


def test_a_pin_is_not_ignored():
    with pytest.raises(InvalidReferenceError, match="a pin is not compared here"):
        _image(f"glance://{UUID}#sha512={'0' * 128}")
