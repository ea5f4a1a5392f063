# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.errors import ConfigurationError, PromotionBusyError
from amphora_image.publish.lock import promotion_lock


def test_only_one_holds_the_lock_at_a_time(tmp_path):
    url = f"file://{tmp_path}"
    with promotion_lock(url, wait_seconds=0):
        with pytest.raises(PromotionBusyError, match="0 s") as caught, promotion_lock(url, wait_seconds=0):
            pytest.fail("two hold it")
        assert caught.value.exit_code == 6
    with promotion_lock(url, wait_seconds=0):
        pass


def test_without_a_url_it_is_a_file_of_this_user_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with promotion_lock("", wait_seconds=0):
        pass
    folder = tmp_path / "state" / "amphora-image" / "locks"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("url", ["nonsense://x", "no url"])
def test_a_url_that_cannot_be_used_is_told_with_the_option(url):
    with pytest.raises(ConfigurationError, match="promotion_lock_url"), promotion_lock(url, wait_seconds=0):
        pytest.fail("it was held")


def test_a_folder_that_cannot_be_made_is_told(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    with pytest.raises(ConfigurationError, match="Not a directory"), promotion_lock("", wait_seconds=0):
        pytest.fail("it was held")


def test_an_error_inside_lets_go_of_it(tmp_path):
    url = f"file://{tmp_path}"
    with pytest.raises(KeyError), promotion_lock(url, wait_seconds=0):
        raise KeyError
    with promotion_lock(url, wait_seconds=0):
        pass
