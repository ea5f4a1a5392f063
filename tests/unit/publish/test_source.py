# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import socket
from contextlib import contextmanager

import pytest

from amphora_image.errors import DigestMismatchError, SourceChangedError, UnusableFileError
from amphora_image.publish.body import CheckedPass
from amphora_image.publish.source import BLOCK_BYTES, FileSource, ServiceSource
from amphora_image.reference import Reference

SIZE = 2 * BLOCK_BYTES + 7


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(bytes(SIZE))
    return path


def read(source):
    with source.open() as blocks:
        return b"".join(blocks)


def test_a_file_is_read_whole_and_more_than_once_in_blocks(file):
    source = FileSource(file)
    assert source.size == SIZE
    assert read(source) == read(source) == bytes(SIZE)
    with source.open() as blocks:
        assert [len(block) for block in blocks] == [BLOCK_BYTES, BLOCK_BYTES, 7]


def test_what_is_no_image_file_is_told_before_anything_is_sent(tmp_path):
    """The issue: "a file that is missing, empty, a folder"; a pipe or a socket would never end."""
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(tmp_path / "socket"))
        for name, part in {
            "missing": "does not exist",
            "empty": "is empty",
            ".": "is a folder",
            "pipe": "no regular file",
            "socket": "no regular file",
            "a\0b": "cannot be read",
        }.items():
            with pytest.raises(UnusableFileError, match=part):
                FileSource(f"{tmp_path}/{name}")
    with pytest.raises(UnusableFileError, match="no regular file"):
        FileSource("/dev/null")


def test_a_file_that_loses_its_end_or_its_reader_is_told(file):
    with pytest.raises(UnusableFileError, match="cannot be read"):
        FileSource(file / "below")
    source = FileSource(file)
    file.unlink()
    with pytest.raises(UnusableFileError, match="does not exist"):
        read(source)


def append(path):
    with path.open("ab") as more:
        more.write(b"x")


def cut(path):
    os.truncate(path, BLOCK_BYTES + 1)


def overwrite(path):
    with path.open("r+b") as same:
        same.write(b"x")
    os.utime(path, ns=(1, 1))


@pytest.mark.parametrize(("change", "part"), [(append, "had 2097159 bytes"), (cut, "ends"), (overwrite, "written to")])
def test_a_file_that_changes_while_it_is_read_never_gives_its_last_block(file, change, part):
    """The issue: "a file that is … growing, shrinking"."""
    source, got = FileSource(file), []

    def read_and_change():
        with source.open() as blocks:
            for block in blocks:
                got.append(len(block))
                change(file)

    with pytest.raises(SourceChangedError, match=part):
        read_and_change()
    assert sum(got) < SIZE


@pytest.mark.parametrize(("change", "part"), [(append, "had"), (overwrite, "written to")])
def test_a_file_that_changed_between_two_readings_is_told_at_once(file, change, part):
    source = FileSource(file)
    change(file)
    with pytest.raises(SourceChangedError, match=part):
        read(source)


def test_another_file_of_that_name_is_not_read(file, tmp_path):
    source = FileSource(file)
    (tmp_path / "other").write_bytes(bytes(SIZE))
    (tmp_path / "other").rename(file)
    with pytest.raises(SourceChangedError, match="another file"):
        read(source)


class Service:
    """Reads the same few bytes each time, and proves nothing of them."""

    def __init__(self):
        self.blocks = [b"one ", b"", b"two ", b"three"]

    @contextmanager
    def read(self, _):
        yield iter(self.blocks)


WHOLE = b"one two three"


def source_of(service, pin="", size=13):
    return ServiceSource(service, Reference.parse(f"other://place{pin}"), size)


def test_what_a_service_reads_is_given_whole_and_more_than_once():
    source = source_of(Service())
    assert read(source) == read(source) == WHOLE
    assert (source.name, source.size, source.sha512) == ("other://place", 13, None)


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_nobody_gets_the_last_block_of_what_is_not_what_the_pin_says(algorithm):
    assert read(source_of(Service(), f"#{algorithm}={hashlib.new(algorithm, WHOLE).hexdigest()}")) == WHOLE
    with source_of(Service(), f"#{algorithm}={hashlib.new(algorithm, b'x').hexdigest()}").open() as blocks:
        assert [next(blocks), next(blocks)] == [b"one ", b"two "]
        with pytest.raises(DigestMismatchError):
            next(blocks)


def test_what_the_pin_proves_is_not_hashed_twice():
    good = hashlib.sha512(WHOLE).hexdigest()
    checked = CheckedPass(source_of(Service(), f"#sha512={good}"), "raw")
    assert b"".join(checked) == WHOLE
    assert checked.sha512 == good


@pytest.mark.parametrize(("size", "told"), [(14, "and has 13"), (12, "and has more")])
def test_more_or_less_than_was_said_is_never_given_whole(size, told):
    given = []
    with source_of(Service(), size=size).open() as blocks:
        got = map(given.append, blocks)
        with pytest.raises(SourceChangedError, match=told):
            list(got)
    assert b"three" not in given
