# SPDX-License-Identifier: Apache-2.0
"""Glance as the filter meets it behind itself: an application that notes each request and answers as told."""

from __future__ import annotations

import json
from typing import Any


class FakeImages:
    """``answers`` gives (status, body) for the next requests; after them all is well."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, str, Any]] = []
        self.environs: list[dict[str, Any]] = []
        self.answers: list[tuple[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        self.environs.append(environ)
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        body = environ["wsgi.input"].read() if method in {"POST", "PATCH"} else b""
        self.seen.append((method, path, environ.get("QUERY_STRING", ""), json.loads(body) if body else None))
        status, value = self.answers.pop(0) if self.answers else (_usual(method), {})
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(value).encode()]


def _usual(method: str) -> str:
    return {"POST": "201 Created", "DELETE": "204 No Content"}.get(method, "200 OK")
