# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import shutil
import signal
import sys
import time
import uuid

import pytest

from amphora_image.sandbox.processes import (
    Launch,
    end,
    end_all,
    end_begun_in,
    environment,
    find,
    find_begun_in,
    start,
)

SLEEP = [sys.executable, "-c", "import time; time.sleep(600)"]
STUBBORN = [
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(600)",
]


@pytest.fixture
def sandbox_id():
    made = str(uuid.uuid4())
    yield made
    end_all(made)


def launch(sandbox_id, folder, command):
    return start(Launch(command, environment(sandbox_id, "nova", {}, root=folder), folder, folder / "log"))


def test_a_process_is_found_by_its_mark_and_ended(sandbox_id, tmp_path):
    started = launch(sandbox_id, tmp_path, SLEEP)
    assert [each.pid for each in find(sandbox_id)["nova"]] == [started.pid]
    end_all(sandbox_id)
    assert find(sandbox_id) == {}
    assert started.poll() is not None


def test_another_sandboxs_process_is_not_found(sandbox_id, tmp_path):
    launch(sandbox_id, tmp_path, SLEEP)
    assert find(str(uuid.uuid4())) == {}


def test_a_process_is_found_by_its_folder_too_even_when_that_is_gone(sandbox_id, tmp_path):
    (tmp_path / "one").mkdir()
    started = launch(sandbox_id, tmp_path / "one", SLEEP)
    shutil.rmtree(tmp_path / "one")
    assert [each.pid for each in find_begun_in(tmp_path / "two" / ".." / "one")["nova"]] == [started.pid]
    assert find_begun_in(tmp_path) == {}
    end_begun_in(tmp_path / "one")
    assert find_begun_in(tmp_path / "one") == {}
    assert started.poll() is not None


def test_one_that_does_not_listen_is_killed(sandbox_id, tmp_path):
    launch(sandbox_id, tmp_path, STUBBORN)
    while "ready" not in (tmp_path / "log").read_text():
        time.sleep(0.02)
    began = time.monotonic()
    end(find(sandbox_id)["nova"], signal.SIGTERM, grace_seconds=0.2)
    assert 0.2 <= time.monotonic() - began < 15
    assert find(sandbox_id) == {}


def test_the_callers_cloud_and_database_are_not_handed_on(sandbox_id, tmp_path, monkeypatch):
    monkeypatch.setenv("OS_PASSWORD", "canary")
    monkeypatch.setenv("PGHOST", "elsewhere")
    assert not {"OS_PASSWORD", "PGHOST"} & environment(sandbox_id, "nova", {}, root=tmp_path).keys()
