# SPDX-License-Identifier: Apache-2.0
import hashlib
from dataclasses import replace

import pytest

from amphora_image.errors import ChecksumFileError, DigestMismatchError, SourceUnavailableError
from amphora_image.reference import Pin, Reference
from amphora_image.services.digest import Expected, verified

REFERENCE = Reference.parse("https://images.example/x?signature=canary")
BLOCKS = [b"a", b"", b"bc" * 1000, b"d"]
WHOLE = b"".join(BLOCKS)
RIGHT = Pin("sha256", hashlib.sha256(WHOLE).hexdigest())
LONG = Pin("sha512", hashlib.sha512(WHOLE).hexdigest())
WRONG = Pin("sha256", "0" * 64)


def read(expected, blocks=BLOCKS):
    with verified(blocks, expected) as stream:
        return b"".join(stream), stream


@pytest.mark.parametrize(("pin", "found"), [(None, RIGHT), (RIGHT, RIGHT), (LONG, LONG)])
def test_right_bytes_pass_and_their_digest_is_known(pin, found):
    passed, stream = read(Expected(replace(REFERENCE, pin=pin), size=len(WHOLE)))
    assert passed == WHOLE
    assert (stream.digest, stream.size) == (found, len(WHOLE))


def test_many_more_blocks_than_are_hashed_at_once_are_hashed_in_order():
    blocks = [bytes([number % 256]) * 5000 for number in range(300)]
    _, stream = read(Expected(REFERENCE), blocks)
    assert stream.digest.digest == hashlib.sha256(b"".join(blocks)).hexdigest()


def test_what_is_held_already_is_hashed_first():
    with verified([WHOLE[5:]], Expected(replace(REFERENCE, pin=RIGHT), size=len(WHOLE))) as stream:
        stream.feed(WHOLE[:5])
        assert b"".join(stream) == WHOLE[5:]


def test_the_last_step_raises_where_the_digest_is_wrong():
    seen = []
    with (
        verified(BLOCKS, Expected(replace(REFERENCE, pin=WRONG))) as stream,
        pytest.raises(DigestMismatchError) as caught,
    ):
        seen.extend(iter(stream.__next__, None))
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("size", [len(WHOLE) - 1, len(WHOLE) + 1, 0])
def test_another_length_is_told_before_the_digest(size):
    with pytest.raises(SourceUnavailableError, match=f"it has {len(WHOLE)} bytes, and its source said {size}"):
        read(Expected(replace(REFERENCE, pin=WRONG), size=size))


def test_the_pin_comes_before_what_the_source_states():
    assert read(Expected(replace(REFERENCE, pin=RIGHT), stated=WRONG))[0] == WHOLE
    with pytest.raises(DigestMismatchError):
        read(Expected(REFERENCE, stated=WRONG))


def test_a_checksum_file_that_nobody_read_verifies_nothing():
    with pytest.raises(ChecksumFileError, match="it was not read"):
        Expected(Reference.parse("https://h/x#checksum=https://h/SUMS"))


def test_a_source_that_fails_is_told_as_it_is():
    def failing():
        yield b"x"
        raise SourceUnavailableError("it", "broke")

    with pytest.raises(SourceUnavailableError, match="broke"):
        read(Expected(REFERENCE), failing())
