# SPDX-License-Identifier: Apache-2.0
"""The real cloud that the functional tests share, and the means to speak to it."""

from __future__ import annotations

import os
import pathlib

import pytest
from keystoneauth1 import session
from keystoneauth1.identity import v3

from amphora_image.sandbox import Sandbox

#: The folder of a running sandbox that the tests shall use, and leave running, instead of one of their own.
GIVEN = "AMPHORA_IMAGE_TEST_SANDBOX"

_DEADLINE_SECONDS = 300


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory):
    """One running sandbox for all tests, who leave in it what they found."""
    given = os.environ.get(GIVEN)
    box = Sandbox(pathlib.Path(given) if given else tmp_path_factory.mktemp("shared") / "sandbox")
    box.up(deadline_seconds=_DEADLINE_SECONDS)
    yield box
    if not given:
        box.down(remove=True)


@pytest.fixture
def session_of(sandbox):
    """Give a keystoneauth session of one of the sandbox's users."""
    opened = []

    def open_session(user, box=sandbox):
        made = connect(box.access(), user)
        opened.append(made)
        return made

    yield open_session
    for each in opened:
        each.session.close()


def connect(access, user):
    """Open a session as a user of that sandbox; whoever opens it closes its ``session``."""
    auth = v3.Password(
        auth_url=access.auth_url,
        username=user,
        password=access.passwords[user],
        project_name={"octavia": "service"}.get(user, user),
        user_domain_name="Default",
        project_domain_name="Default",
    )
    made = session.Session(auth=auth)
    _ = made.session  # make the HTTP session now, so that it can be closed
    return made
