# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import io

from amphora_image.sandbox.server import keeping_connections


def answered(application, body):
    environ = {"wsgi.input": body}
    return b"".join(keeping_connections(application)(environ, lambda *_arguments: None))


def test_a_service_that_closes_the_body_leaves_the_connection_open():
    body = io.BytesIO(b"abc")

    def application(environ, _start_response):
        data = environ["wsgi.input"].read(-1)
        environ["wsgi.input"].close()
        return [data]

    assert answered(application, body) == b"abc"
    assert not body.closed


def test_what_a_service_leaves_unread_is_read_before_the_next_request():
    body = io.BytesIO(b"x" * 1_000_000)
    assert answered(lambda _environ, _start_response: [b"refused"], body) == b"refused"
    assert body.read() == b""
