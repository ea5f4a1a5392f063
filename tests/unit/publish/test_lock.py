# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys

import pytest

from amphora_image.errors import ConfigurationError, PromotionBusyError
from amphora_image.publish.lock import check_lock, promotion_lock


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    """This user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_only_one_holds_the_lock_at_a_time():
    with promotion_lock("", wait_seconds=0):
        with pytest.raises(PromotionBusyError, match="0 s") as caught, promotion_lock("", wait_seconds=0):
            pytest.fail("two hold it")
        assert caught.value.exit_code == 6
    with promotion_lock("", wait_seconds=0):
        pass


def test_without_a_url_it_is_a_file_of_this_user_alone_and_no_coordinator_is_loaded(state):
    with promotion_lock("", wait_seconds=0):
        pass
    assert (state / "amphora-image").stat().st_mode & 0o777 == 0o700
    assert "tooz" not in sys.modules


def test_a_folder_that_cannot_be_made_is_told_with_the_option(state):
    state.touch()
    with pytest.raises(ConfigurationError, match=r"Not a directory.*promotion_lock_url"):
        promotion_lock("", wait_seconds=0).__enter__()


def test_whether_it_can_be_held_is_told_before_it_is_and_while_another_holds_it(state):
    with promotion_lock("", wait_seconds=0):
        check_lock("")
    (state / "amphora-image" / "amphora-image-promotion.lock").unlink()
    (state / "amphora-image").rmdir()
    state.rmdir()
    state.touch()
    with pytest.raises(ConfigurationError, match=r"Not a directory.*promotion_lock_url"):
        check_lock("")


def test_an_error_inside_lets_go_of_it():
    with pytest.raises(KeyError), promotion_lock("", wait_seconds=0):
        raise KeyError
    with promotion_lock("", wait_seconds=0):
        pass
