# SPDX-License-Identifier: Apache-2.0
"""The means to speak to the real cloud that the tests share; ``sandbox`` itself is in ``support/fixtures.py``."""

from __future__ import annotations

import pytest
from keystoneauth1 import session
from keystoneauth1.identity import v3
from support.published import file
from support.roles import least, of, passwords, proxies, server_id

__all__ = ["file", "least", "of", "passwords", "proxies", "server_id"]  # fixtures


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
