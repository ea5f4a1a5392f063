# SPDX-License-Identifier: Apache-2.0
import contextlib

from hypothesis import example, given
from hypothesis import strategies as st

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference import IdReference, Reference, TagReference

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


@given(st.text() | st.text().map("glance://".__add__) | st.text().map("glance://tag/".__add__), st.booleans())
@example("glance://[", False)
def test_parsing_raises_only_our_error(text, bare):
    with contextlib.suppress(InvalidReferenceError):
        reference = Reference.parse(text, bare_word_is_tag=bare)
        assert Reference.parse(str(reference)) == reference
