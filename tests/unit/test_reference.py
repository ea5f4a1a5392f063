# SPDX-License-Identifier: Apache-2.0
from pathlib import PurePosixPath

import pytest

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

UUID = "6b3c0f7e-1234-4abc-8def-0123456789ab"
SHA256 = "0123456789abcdef" * 4
SHA512 = SHA256 * 2
PIN = Pin("sha256", SHA256)
SUMS = ChecksumUrl(UrlReference("https", "images.example", None, "/SHA256SUMS"))


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
        (f"{UUID}#sha256={SHA256}", IdReference(UUID, pin=PIN)),
        (f"glance://{UUID}#sha256={SHA256.upper()}", IdReference(UUID, pin=PIN)),
        (f"glance://tag/x?owner=p#sha512={SHA512}", TagReference("x", "p", pin=Pin("sha512", SHA512))),
        ("https://images.example/a.qcow2", UrlReference("https", "images.example", None, "/a.qcow2")),
        ("HTTPS://Images.Example:8443", UrlReference("https", "images.example", 8443, "/")),
        ("http://[::1]:80/a?b=c/d", UrlReference("http", "::1", 80, "/a?b=c/d")),
        ("http://h?b", UrlReference("http", "h", None, "/?b")),
        (f"https://h/a%20b#sha256={SHA256}", UrlReference("https", "h", None, "/a%20b", pin=PIN)),
        ("https://h/a#checksum=https://images.example/SHA256SUMS", UrlReference("https", "h", None, "/a", pin=SUMS)),
        ("file:///srv/a.qcow2", FileReference(PurePosixPath("/srv/a.qcow2"))),
        ("file:///srv/a%3F%23%E2%98%83", FileReference(PurePosixPath("/srv/a?#☃"))),
        ("file:///srv/%FF", FileReference(PurePosixPath("/srv/\udcff"))),
        (f"file:///a#sha256={SHA256}", FileReference(PurePosixPath("/a"), pin=PIN)),
        ("example://anything/at-all?x", OtherReference("example", "anything/at-all?x")),
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
        "https://",
        "https:///x",
        "https://[",
        "https://[::1",
        "https://[1.2.3.4]/x",
        "https://[::1%25eth0]/x",
        "https://[::1]x/y",
        "https://a b/x",
        "https://h/a b",
        "https://h/a\nb",
        "https://h\n/a",
        "https://h/☃",
        "https://h/%zz",
        "https://h:0/x",
        "https://h:65536/x",
        "https://h:x/x",
        "https://h:/x",
        "https://-/x",
        "https://h..i/x",
        "https://☃.example/x",
        "https://h\\@i/x",
        "https://h/x#",
        "https://h/x#sha256",
        "https://h/x#sha256=",
        f"https://h/x#sha256={SHA256}0",
        f"https://h/x#sha512={SHA256}",
        f"https://h/x#sha384={SHA256}",
        "https://h/x#md5=d41d8cd98f00b204e9800998ecf8427e",
        "https://h/x#checksum=",
        "https://h/x#checksum=SUMS",
        f"https://h/x#checksum={UUID}",
        "https://h/x#checksum=glance://tag/x",
        f"https://h/x#checksum=https://h/y#sha256={SHA256}",
        "https://h/x" + "#checksum=https://h/x" * 5000,
        "glance://tag/x#checksum=https://h/y",
        "file://srv/x",
        "file://localhost/x",
        "file://",
        "file:///a%00b",
        "file:///a?b",
        "file:///\ud800",
        "example://",
        "example://a b",
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
    assert Reference.parse("a#b", bare_word_is_tag=True) == TagReference("a#b")


def test_a_bare_word_on_the_command_line_may_be_pinned():
    assert Reference.parse(f"my image#sha256={SHA256}", bare_word_is_tag=True) == TagReference("my image", pin=PIN)
    with pytest.raises(InvalidReferenceError, match="too weak"):
        Reference.parse("amphora#md5=0", bare_word_is_tag=True)


@pytest.mark.parametrize("text", ["/srv/a.qcow2", "./a.qcow2", "../a", "~/a", "file:/srv/a", "https:/h/a"])
def test_what_looks_like_a_path_is_no_tag(text):
    for bare in (True, False):
        with pytest.raises(InvalidReferenceError, match=r"looks like a path or a URL.*; write file:///PATH for a file"):
            Reference.parse(text, bare_word_is_tag=bare)
    assert Reference.parse("glance://tag/%2Fsrv") == TagReference("/srv")


@pytest.mark.parametrize("tag", ["", "x" * 256, "a\x00b", "\ud800", "🎈"])
def test_a_tag_that_glance_cannot_hold_is_refused(tag):
    with pytest.raises(InvalidReferenceError):
        TagReference(tag)


def test_a_tag_may_have_255_characters():
    assert TagReference("ü" * 255).tag == "ü" * 255


def test_an_id_reference_holds_a_uuid():
    with pytest.raises(InvalidReferenceError):
        IdReference("../x")


@pytest.mark.parametrize(
    "text",
    [
        "https://me:canary@images.example/x",
        "https://canary@images.example/x",
        "https://me:can/ary@images.example/x",
        "https://me:can?ary@h/x",
        "https://me:can#ary@h/x",
        "ht tp://me:canary@h/x",
        "example://me:canary@h/x",
        "file://me:canary@h/x",
        "https://h/a b?signature=canary",
        "https://h/x#checksum=https://me:canary@h/y",
        "https://h/x?signature=canary#sha256=0",
    ],
)
def test_credentials_in_a_url_are_refused_and_never_told(text):
    with pytest.raises(InvalidReferenceError) as caught:
        Reference.parse(text)
    shown = str(caught.value).partition(" is no image reference")[0]
    assert "can" not in shown
    assert "ary" not in str(caught.value)


@pytest.mark.parametrize("text", ["https://h/x?signature=canary", "example://h/x?signature=canary"])
def test_what_is_shown_of_a_reference_has_no_signature_and_no_pin(text):
    reference = Reference.parse(f"{text}#sha256={SHA256}")
    assert reference.shown == f"{reference.scheme}://h/x?…"
    assert str(reference) == f"{text}#sha256={SHA256}"


def test_an_at_sign_in_a_path_hides_nothing():
    assert Reference.parse("https://h/a@b.img?signature=me@canary").shown == "https://h/a@b.img?…"


def test_a_weak_digest_is_refused_with_the_right_ones():
    with pytest.raises(InvalidReferenceError, match=r"'md5' is too weak to verify by; write #sha256=DIGEST"):
        Reference.parse("https://h/x#md5=d41d8cd98f00b204e9800998ecf8427e")
