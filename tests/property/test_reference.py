# SPDX-License-Identifier: Apache-2.0
import contextlib
import os
from dataclasses import replace
from pathlib import PurePosixPath

from hypothesis import example, given
from hypothesis import strategies as st

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference import (
    ChecksumUrl,
    FileReference,
    IdReference,
    OtherReference,
    Pin,
    Reference,
    TagReference,
    UrlReference,
)

TAGS = st.text(st.characters(max_codepoint=0xFFFF, exclude_characters="\x00", codec="utf-8"), min_size=1, max_size=255)
OWNERS = st.none() | st.from_regex(r"[A-Za-z0-9_-]{1,40}", fullmatch=True)


@given(TAGS, OWNERS)
def test_every_tag_survives_printing_and_parsing(tag, owner):
    reference = TagReference(tag, owner)
    assert Reference.parse(str(reference)) == reference


@given(st.uuids())
def test_every_id_survives_printing_and_parsing(image_id):
    reference = IdReference(str(image_id))
    assert Reference.parse(str(reference)) == reference


PINS = st.builds(Pin, st.just("sha256"), st.from_regex(r"[0-9a-fA-F]{64}", fullmatch=True)) | st.builds(
    Pin, st.just("sha512"), st.from_regex(r"[0-9a-fA-F]{128}", fullmatch=True)
)
HOSTS = st.from_regex(
    r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,20}[a-zA-Z0-9])?(\.[a-z0-9]{1,9}){0,3}", fullmatch=True
) | st.ip_addresses(v=6).map(str)
TARGETS = st.from_regex(r"/([A-Za-z0-9._~:/?@!$&'()*+,;=-]|%[0-9A-F]{2}){0,40}", fullmatch=True)
PORTS = st.none() | st.integers(1, 65535)
URLS = st.builds(UrlReference, st.sampled_from(["http", "https"]), HOSTS, PORTS, TARGETS)
PATHS = st.binary(min_size=1, max_size=40).filter(lambda name: b"\0" not in name)
FILES = PATHS.map(lambda name: FileReference(PurePosixPath("/", os.fsdecode(name))))
OTHERS = st.builds(OtherReference, st.just("example"), st.from_regex(r"[a-z0-9./=?-]{1,40}", fullmatch=True))
ALL_PINS = st.none() | PINS | (URLS | FILES | OTHERS).map(ChecksumUrl)


@given(URLS | FILES | OTHERS, ALL_PINS)
def test_every_url_survives_printing_and_parsing(reference, pin):
    pinned = replace(reference, pin=pin)
    assert Reference.parse(str(pinned)) == pinned
    assert Reference.parse(str(pinned)).pin == pin


@given(TAGS, PINS)
def test_every_pinned_tag_survives_printing_and_parsing(tag, pin):
    reference = TagReference(tag, pin=pin)
    assert Reference.parse(str(reference)) == reference


BEGINNINGS = st.sampled_from(
    ["", "glance://", "glance://tag/", "https://", "http://[", "file:///", "x://", "HTTP://h:"]
)
MIDDLES = st.text() | st.text("ab/:?#@[]%.=0\n ")
ENDS = st.sampled_from(["", "#", "#sha256=", "#checksum=https://h/", "#checksum=", "#sha256=" + "0" * 64])


@given(BEGINNINGS, MIDDLES, ENDS, st.booleans())
@example("glance://[", "", "", False)
@example("https://", "h", "#checksum=https://h/" * 2000, False)
def test_parsing_raises_only_our_error(beginning, middle, end, bare):
    with contextlib.suppress(InvalidReferenceError):
        reference = Reference.parse(f"{beginning}{middle}{end}", bare_word_is_tag=bare)
        assert Reference.parse(str(reference)) == reference
        assert reference.scheme


@given(st.sampled_from(["https", "http", "file", "example", "glance"]), st.text("ab:/?#[]%. "), st.text("ab/?# "))
def test_a_password_is_never_told(scheme, before, after):
    try:
        Reference.parse(f"{scheme}://{before}:CANARY{before}@{after}")
    except InvalidReferenceError as error:
        assert "CANARY" not in str(error)  # noqa: PT017 - some of it is a reference
