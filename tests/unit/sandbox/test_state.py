# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import json

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox.state import FORMAT, USERS, State


def test_a_saved_state_is_read_back(tmp_path):
    state = State.new()
    state.ports["nova"] = 20001
    state.save(tmp_path / "state.json")
    assert State.load(tmp_path / "state.json") == state


def test_where_nothing_was_saved_there_is_no_state(tmp_path):
    assert State.load(tmp_path / "state.json") is None


def test_only_the_owner_may_read_it(tmp_path):
    State.new().save(tmp_path / "state.json")
    assert (tmp_path / "state.json").stat().st_mode & 0o777 == 0o600


def test_every_password_is_new_and_none_is_shown():
    one, other = State.new(), State.new()
    assert set(one.passwords) == set(USERS)
    assert len({*one.passwords.values(), *other.passwords.values()}) == 2 * len(USERS)
    assert not [password for password in one.passwords.values() if password in repr(one)]


@pytest.mark.parametrize("text", ["", "[]", "{", '{"unknown": 1}', '"text"'])
def test_a_file_that_is_no_state_is_an_error_of_ours(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(SandboxError, match="begin anew"):
        State.load(tmp_path / "state.json")


def test_a_file_that_cannot_be_read_is_an_error_with_a_remedy(tmp_path):
    """Finding: "Unreadable `state.json` … is reported as "a defect of amphora-image""; a folder is unreadable to root too."""
    (tmp_path / "state.json").mkdir()
    with pytest.raises(SandboxError, match=r"state\.json cannot be read: .*; run this as its owner"):
        State.load(tmp_path / "state.json")


def test_a_state_of_another_format_is_refused(tmp_path):
    State.new().save(tmp_path / "state.json")
    raw = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**raw, "format": FORMAT + 1}))
    with pytest.raises(SandboxError, match=f"format {FORMAT + 1}"):
        State.load(tmp_path / "state.json")
