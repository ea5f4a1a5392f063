# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import threading

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox.lock import locked
from amphora_image.sandbox.progress import Deadline


def test_a_second_holder_gives_up_at_its_deadline(tmp_path):
    path = tmp_path / "lock"
    with (
        locked(path, Deadline(1)),
        pytest.raises(SandboxError, match="another `sandbox up` or `down`"),
        locked(path, Deadline(0.05)),
    ):
        pytest.fail("two hold the lock")


def test_the_lock_is_free_again_after_an_error(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(ValueError, match="inside"), locked(path, Deadline(1)):
        raise ValueError("inside")
    with locked(path, Deadline(0)):
        pass


def test_a_lock_whose_file_was_removed_meanwhile_is_taken_anew(tmp_path):
    path, held = tmp_path / "lock", threading.Event()

    def hold_after_removal():
        with locked(path, Deadline(5)):
            held.set()

    waiting = threading.Thread(target=hold_after_removal)
    with locked(path, Deadline(1)):
        waiting.start()
        assert not held.wait(0.3)
        path.unlink()
    waiting.join(5)
    assert held.is_set()
    assert path.exists()
