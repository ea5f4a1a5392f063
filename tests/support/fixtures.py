# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the functional and contract tests over the running sandbox; nothing heavy is imported before its use."""

from __future__ import annotations

import logging
import os
import uuid
from functools import partial
from pathlib import Path

import pytest

#: The folder of a running sandbox that the tests shall use, and leave running, instead of one of their own.
GIVEN = "AMPHORA_IMAGE_TEST_SANDBOX"

_DEADLINE_SECONDS = 300


@pytest.fixture(autouse=True)
def _own_handlers():
    """Take back what a command, run in this process, logs to: the test's own stderr, which the next test finds closed."""
    root = logging.getLogger()
    before = root.handlers[:]
    yield
    root.handlers[:] = [handler for handler in root.handlers if handler in before]


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """One running sandbox for all tests, who leave in it what they found; its Glance has our filter."""
    from amphora_image.sandbox import Sandbox  # noqa: PLC0415 - heavy, and unit tests do without

    given = os.environ.get(GIVEN)
    box = Sandbox(Path(given) if given else tmp_path_factory.mktemp("shared") / "sandbox")
    box.up(deadline_seconds=_DEADLINE_SECONDS, with_=["relations"])
    yield box
    if not given:
        box.down(remove=True)


@pytest.fixture(scope="session")
def access(sandbox):
    """How to use the running sandbox."""
    return sandbox.access()


@pytest.fixture
def relation_store(sandbox):
    """The store that Glance's filter uses."""
    from amphora_image.relation.database import Database, Settings  # noqa: PLC0415 - as above
    from amphora_image.relation.store import RelationStore  # noqa: PLC0415 - as above
    from amphora_image.sandbox import database as cloud_database  # noqa: PLC0415 - as above
    from amphora_image.sandbox.state import State  # noqa: PLC0415 - as above

    database = Database(Settings(f"{cloud_database.url(State.load(sandbox.layout.state))}/relations"))
    yield RelationStore(database)
    database.dispose()


@pytest.fixture
def rows(relation_store):
    """Read the table of relations itself: those of an image."""
    from amphora_image.relation.store import Wanted  # noqa: PLC0415 - as above

    return lambda image_id: [each.relation for each in relation_store.page(Wanted(image_id=image_id))]


@pytest.fixture(scope="session")
def users(access):
    """The users of the sandbox, whose tokens all tests share."""
    from support.cloud import Users  # noqa: PLC0415 - as above

    return Users(access)


@pytest.fixture
def tag():
    """A tag that nothing else has."""
    return f"amphora-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def cloud(access, users, tmp_path):
    """The sandbox as its users see it; what the test makes there is deleted after it."""
    from support.cloud import Cloud  # noqa: PLC0415 - as above

    made = Cloud(access, tmp_path, users)
    yield made
    made.delete_all()


@pytest.fixture
def command(tmp_path):
    """Run ``amphora-image`` with the given arguments in a folder of its own."""
    from support.program import AMPHORA_IMAGE, run  # noqa: PLC0415 - as above

    def call(*arguments, **options):
        return run([AMPHORA_IMAGE, *arguments], tmp_path, **options)

    return call


@pytest.fixture
def open_runtime(cloud):
    """Make a runtime for an ini with the given options (``group__name=value``)."""
    from amphora_image.config import load  # noqa: PLC0415 - as above
    from amphora_image.drivers.runtime import Runtime  # noqa: PLC0415 - as above

    def make(user="octavia", **options):
        return Runtime(load([str(cloud.ini(user, **options))]))

    return make


@pytest.fixture
def warnings_told(caplog):
    """Give the texts of what the library warned of so far."""
    caplog.set_level(logging.WARNING, "amphora_image")
    return partial(_warnings, caplog)


def _warnings(caplog):
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
