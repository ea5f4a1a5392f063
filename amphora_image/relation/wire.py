# SPDX-License-Identifier: Apache-2.0
"""WSGI by hand, for what the filter needs: to ask Glance behind it, to read a small body, to answer with JSON."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any, TypeAlias

Environ: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[[Environ, Any], Iterable[bytes]]

#: What Glance and WebOb leave in the environment about one request's body and query.
_OF_ONE_REQUEST = (
    "webob._parsed_query_vars",
    "webob._parsed_post_vars",
    "webob.is_body_readable",
    "wsgiorg.routing_args",
)
_HEADERS_OF_A_BODY = ("CONTENT_TYPE", "HTTP_TRANSFER_ENCODING", "HTTP_CONTENT_ENCODING")


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: ``status`` as "200 OK"."""

    status: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    @property
    def code(self) -> int:
        """The status as a number."""
        return int(self.status.partition(" ")[0])

    @classmethod
    def of(cls, code: int, value: Any = None) -> Answer:
        """Answer with ``value`` as JSON, or, for 204, with no body."""
        status = f"{code} {HTTPStatus(code).phrase}"
        if value is None:
            return cls(status, (), b"")
        headers = (("Content-Type", "application/json"), ("Content-Length", ""))
        return cls(status, headers, b"").with_json(value)

    @classmethod
    def error(cls, code: int, message: str) -> Answer:
        """Answer with an error, of the shape that Glance gives to who accepts JSON."""
        title = HTTPStatus(code).phrase
        return cls.of(code, {"message": message, "code": f"{code} {title}", "title": title})

    def json(self) -> Any:
        """Read the body.

        :raises ValueError: it is no JSON.
        """
        return json.loads(self.body)

    def with_json(self, value: Any) -> Answer:
        """Give the same answer with another body."""
        body = json.dumps(value, ensure_ascii=False).encode()
        kept = tuple((name, text) for name, text in self.headers if name.lower() != "content-length")
        return replace(self, headers=(*kept, ("Content-Length", str(len(body)))), body=body)

    def send(self, environ: Environ, start_response: Any) -> list[bytes]:
        """Answer the request; to HEAD without the body."""
        start_response(self.status, list(self.headers))
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [self.body]


def ask(application: Application, environ: Environ) -> Answer:
    """Send a request to ``application`` and take the whole answer."""
    told: list[Any] = []
    written = io.BytesIO()

    def start_response(status: str, headers: list[tuple[str, str]], _exc_info: Any = None) -> Callable[[bytes], object]:
        told[:] = [status, tuple(headers)]
        return written.write

    result = application(environ, start_response)
    try:
        for part in result:
            written.write(part)
    finally:
        if hasattr(result, "close"):
            result.close()
    return Answer(told[0], told[1], written.getvalue())


def reading(environ: Environ, path: str, query: str = "") -> Environ:
    """Make a GET of another path by the same caller, with the same token and context."""
    made = with_body(environ, b"")
    for name in (*_HEADERS_OF_A_BODY, "HTTP_ACCEPT_ENCODING", "HTTP_RANGE", "HTTP_IF_NONE_MATCH"):
        made.pop(name, None)
    made.update(REQUEST_METHOD="GET", PATH_INFO=path, QUERY_STRING=query, HTTP_ACCEPT="application/json")
    return made


def with_body(environ: Environ, body: bytes) -> Environ:
    """Make the same request with another body, of which the length is known."""
    made = {name: value for name, value in environ.items() if name not in _OF_ONE_REQUEST}
    made.pop("HTTP_TRANSFER_ENCODING", None)
    made["webob.adhoc_attrs"] = dict(environ.get("webob.adhoc_attrs", ()))
    made.update({"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))})
    return made


def read_body(environ: Environ) -> bytes:
    """Read a request's body to its end, however it is framed; ``wsgi.input`` is used up by it."""
    if "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower():
        # uWSGI leaves the chunks of a body to the application; every other server undoes them.
        read: Callable[[], bytes] | None = getattr(sys.modules.get("uwsgi"), "chunked_read", None)
        return b"".join(iter(read, b"")) if read else bytes(environ["wsgi.input"].read())
    length = environ.get("CONTENT_LENGTH") or "0"
    return bytes(environ["wsgi.input"].read(int(length))) if length.isdecimal() and int(length) else b""
