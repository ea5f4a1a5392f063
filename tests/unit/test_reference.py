# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.errors import InvalidReferenceError
from amphora_image.reference import IdReference, Reference, TagReference

UUID = "6b3c0f7e-1234-4abc-8def-0123456789ab"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (UUID, IdReference(UUID)),
        (f"glance://{UUID}", IdReference(UUID)),
        ("glance://tag/amphora-x64", TagReference("amphora-x64")),
        ("glance://tag/a%2Fb%23%3F%25%22", TagReference('a/b#?%"')),
        ("glance://tag/%E2%98%83", TagReference("☃")),
        ("glance://tag/amphora?owner=0123abc", TagReference("amphora", "0123abc")),
        (f"glance://tag/{UUID}", TagReference(UUID)),
    ],
)
def test_a_reference_is_read_and_written_alike(text, value):
    assert Reference.parse(text) == value
    assert Reference.parse(str(value)) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "amphora",
        "https://images.example/x",
        "glance://",
        "glance://[",
        "glance://tag",
        "glance://tag/",
        "glance://tag/a/b",
        "glance://tag/a b",
        "glance://tag/a#b",
        "glance://tag/%zz",
        "glance://tag/%ff",
        "glance://tag/%00",
        "glance://tag/%F0%9F%8E%88",
        "glance://tag/x?owner=",
        "glance://tag/x?owner=a&b",
        "glance://tag/x?owner=../y",
        "glance://tag/x?tenant=y",
        "glance://image/x",
        f"glance://{UUID}/x",
        "x" * 256,
        "glance://tag/" + "x" * 256,
        f"{UUID}\n",
    ],
)
def test_what_is_no_reference_is_refused_in_one_line_with_a_remedy(text):
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(text)
    assert "\n" not in str(caught.value)
    assert "; " in str(caught.value)


def test_a_bare_word_in_an_ini_is_refused_with_the_right_form():
    with pytest.raises(InvalidReferenceError, match=r"write glance://tag/my%20image for a tag"):
        Reference.parse("my image")


def test_a_bare_word_on_the_command_line_is_a_tag():
    assert Reference.parse("my image", bare_word_is_tag=True) == TagReference("my image")
    assert Reference.parse(UUID, bare_word_is_tag=True) == IdReference(UUID)


@pytest.mark.parametrize("tag", ["", "x" * 256, "a\x00b", "\ud800", "🎈"])
def test_a_tag_that_glance_cannot_hold_is_refused(tag):
    with pytest.raises(InvalidReferenceError):
        TagReference(tag)


def test_a_tag_may_have_255_characters():
    assert TagReference("ü" * 255).tag == "ü" * 255


def test_an_id_reference_holds_a_uuid():
    with pytest.raises(InvalidReferenceError):
        IdReference("../x")
