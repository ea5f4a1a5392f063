# SPDX-License-Identifier: Apache-2.0
"""A fault-injecting HTTP proxy on a loopback port, between the driver and one real service.

Everything passes through unless a fault was ordered for it. A fault is used up by the request it hits; what it does is
said by its kind, so that a test reads like the issue: *accepted, and then the answer cut*.
"""

from __future__ import annotations

import http.client
import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "date", "server"}


@dataclass(frozen=True)
class Fault:
    """What happens to one request whose ``METHOD path`` matches ``pattern``.

    ``forward``: the service gets the request all the same. Then the client gets ``status`` with ``headers`` and
    ``body``; with status 0 a reset connection, with status None what the service answered. ``hold_seconds`` passes
    before the answer; ``then`` is called before it too. ``alter`` changes the body on its way to the service.
    """

    pattern: str
    status: int | None = 0
    forward: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    body: str = "<html>ordered</html>"
    hold_seconds: float = 0
    then: Callable[[], None] | None = None
    alter: Callable[[bytes], bytes] | None = None


class Proxy:
    """Where the proxy is, the faults still ordered, and each ``METHOD path`` that passed or was hit.

    ``upstream`` may be changed: to a service whose port is known only once it runs.
    """

    def __init__(self, url: str, upstream: str) -> None:
        self.url = url
        self.upstream = upstream
        self.seen: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.closing = threading.Event()

    def order(self, *faults: Fault) -> None:
        """Let the next matching requests fail, each fault once."""
        with self._lock:
            self._faults.extend(faults)

    def calm(self) -> None:
        """Take back what was ordered, and forget what was seen."""
        with self._lock:
            self._faults.clear()
            self.seen.clear()

    def take(self, request: str) -> Fault | None:
        """Note a request and give the fault that is meant for it."""
        with self._lock:
            self.seen.append(request)
            for fault in self._faults:
                if re.search(fault.pattern, request):
                    self._faults.remove(fault)
                    return fault
        return None

    def count(self, pattern: str) -> int:
        """Say how many requests matched."""
        with self._lock:
            return sum(bool(re.search(pattern, request)) for request in self.seen)


@contextmanager
def proxying(upstream: str) -> Iterator[Proxy]:  # noqa: C901 - a handler and a server of its own
    """Run a proxy in front of the service at ``upstream``; its URL has the same path."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            sent = self.rfile.read(length)
            fault = proxy.take(f"{self.command} {self.path}")
            if fault is None:
                self.answer(*self.ask(sent))
                return
            answer = self.ask(fault.alter(sent) if fault.alter else sent) if fault.forward else None
            if fault.then:
                fault.then()
            proxy.closing.wait(fault.hold_seconds)
            if fault.status is None and answer:
                self.answer(*answer)
            elif fault.status:
                self.answer(fault.status, {"Content-Type": "text/html", **fault.headers}, fault.body.encode())
            else:
                self.reset()

        def ask(self, sent: bytes) -> tuple[int, dict[str, str], bytes]:
            parts = urlsplit(proxy.upstream)
            upstream = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=120)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                upstream.request(self.command, self.path, body=sent or None, headers=headers)
                answer = upstream.getresponse()
                return answer.status, dict(answer.getheaders()), answer.read()
            finally:
                upstream.close()

        def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def reset(self) -> None:
            self.close_connection = True
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = pass_on  # noqa: N815 - http.server's names

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, *_: object) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    proxy = Proxy(f"http://127.0.0.1:{server.server_address[1]}{urlsplit(upstream).path}", upstream)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
