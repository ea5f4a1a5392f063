# SPDX-License-Identifier: Apache-2.0
import os

import pytest

from amphora_image.build.inspection.disk import File, Window, opened
from amphora_image.build.inspection.structure import DamagedError
from amphora_image.errors import UnusableFileError


def test_a_file_is_read_at_any_place_and_not_behind_its_end(tmp_path):
    (tmp_path / "image").write_bytes(b"0123456789")
    with opened(tmp_path / "image") as file:
        assert file.read(3, 4) == b"3456"
        for place in ((8, 3), (-1, 1), (0, -1), (1 << 70, 1)):
            with pytest.raises(DamagedError):
                file.read(*place)


def test_a_file_that_becomes_shorter_is_no_endless_wait(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(bytes(100))
    with path.open("rb") as handle:
        file = File(handle.fileno())
        os.truncate(path, 10)
        with pytest.raises(DamagedError, match="became shorter"):
            file.read(0, 100)


@pytest.mark.parametrize("kind", ["folder", "FIFO", "nothing", "empty"])
def test_what_is_no_file_with_contents_is_refused_and_never_waited_for(tmp_path, kind):
    """The issue: for inspect, whatever cannot be read is "an error that says so"."""
    path = tmp_path / "image"
    {"folder": path.mkdir, "FIFO": lambda: os.mkfifo(path), "nothing": lambda: None, "empty": path.touch}[kind]()
    with pytest.raises(UnusableFileError), opened(path):
        pass


def test_a_path_that_no_system_has_is_refused(tmp_path):
    with pytest.raises(UnusableFileError), opened(tmp_path / "a\0b"):
        pass


def test_a_window_shows_its_part_and_nothing_else(tmp_path):
    (tmp_path / "image").write_bytes(b"0123456789")
    with opened(tmp_path / "image") as file:
        window = Window(file, 2, 5)
        assert window.read(0, 5) == b"23456"
        for place in ((0, 6), (-1, 2), (5, 1)):
            with pytest.raises(DamagedError):
                window.read(*place)
        with pytest.raises(DamagedError):
            Window(file, 6, 5)
