# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.errors import ChecksumFileError, InvalidReferenceError
from amphora_image.reference import Pin, Reference
from amphora_image.services.checksums import file_name, pin_in

A, B = "0a" * 32, "0b" * 32
LONG = "0c" * 64
NAME = "amphora.img"


@pytest.mark.parametrize(
    ("text", "name", "found"),
    [
        (A, NAME, A),
        (f" {A.upper()} \n", NAME, A),
        (f"{B}  other.img\n{A}  {NAME}\n", NAME, A),
        (f"{A} *{NAME}\r\n{B} *other.img\r\n", NAME, A),
        (f"{A}  ./{NAME}\n{B}  old/{NAME}\n", NAME, A),
        (f"SHA256 ({NAME}) = {A}\nSHA256 (other.img) = {B}\n", NAME, A),
        (f"SHA2-256({NAME})= {B}\nSHA256 ({NAME}) = {A}\n", NAME, A),
        (f"SHA3-256 ({NAME}) = {B}\nSHA256 ({NAME}) = {A}\nBLAKE2b ({NAME}) = {LONG}\n", NAME, A),
        (f"SHA256 (a) = b) = {A}\nSHA256 (a) = {B}\n", "a", B),
        (f"# made today\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{A}  {NAME}\n", NAME, A),
        (f"{A}  a b.img\n{B}  b.img\n", "a b.img", A),
        (f"\\{A}  a\\\\b\\nc\n", "a\\b\nc", A),
        (f"{A}  {NAME}\n{A}  {NAME}\n", NAME, A),
    ],
)
def test_a_digest_is_found_in_each_form(text, name, found):
    assert pin_in(text.encode(), name, "SUMS") == Pin("sha256", found)


def test_of_two_algorithms_either_will_do():
    text = f"{LONG}  {NAME}\nd41d8cd98f00b204e9800998ecf8427e  {NAME}\n{A}  {NAME}\n"
    assert pin_in(text.encode(), NAME, "SUMS").algorithm == "sha256"
    assert pin_in(LONG.encode(), NAME, "SUMS") == Pin("sha512", LONG)


@pytest.mark.parametrize("name", [r"a.*", "amphora-img", "amphora?img", "(", "[a-z]*"])
def test_a_name_is_compared_as_text(name):
    """ "the file name of a checksum-file entry goes unescaped into a regex" """
    with pytest.raises(ChecksumFileError, match="does not list"):
        pin_in(f"{A}  {NAME}\n{B}  amphoraXimg\n".encode(), name, "SUMS")
    assert pin_in(f"{A}  {NAME}\n{B}  {name}\n".encode(), name, "SUMS").digest == B


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "does not list amphora.img"),
        ("<html>log in</html>", "does not list"),
        (f"{A}  other.img\n{B}  more.img\n", "does not list"),
        (f"{A}  {NAME}\n{B}  {NAME}\n", "more than once"),
        ("d41d8cd98f00b204e9800998ecf8427e", "too weak"),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709  amphora.img\n", "too weak"),
        (f"{A[:-1]}  {NAME}\n", "too weak"),
        ("\xff\xfe", "does not list"),
    ],
)
def test_what_gives_no_digest_is_told(text, told):
    with pytest.raises(ChecksumFileError, match=f"^SUMS gives no digest: .*{told}"):
        pin_in(text.encode("latin-1"), NAME, "SUMS")


def test_the_name_to_look_for_is_the_files():
    assert file_name(Reference.parse("https://h/a/b%20c.img?x=/y")) == "b c.img"
    assert file_name(Reference.parse("file:///srv/b.img")) == "b.img"
    with pytest.raises(InvalidReferenceError, match="no file's name"):
        file_name(Reference.parse("https://h/"))
