# SPDX-License-Identifier: Apache-2.0
"""A real web server on a loopback port that has one image, and does to its answers what a test orders."""

from __future__ import annotations

import re
import socket
import struct
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator


@dataclass
class Fault:
    """What happens to one GET, or HEAD with ``method``: what is not said is as it should be.

    ``cut_after``: so many bytes of the body are sent, then the connection ends, by a reset with ``reset``.
    ``hold_seconds`` passes before the body, or where it is cut, and ``drip_seconds`` before each thousand bytes of it. ``then`` is called at the end of the request.
    """

    status: int | None = None
    headers: dict[str, str | None] = field(default_factory=dict)
    body: bytes | None = None
    cut_after: int | None = None
    reset: bool = False
    surplus: bytes = b""
    hold_seconds: float = 0
    drip_seconds: float = 0
    method: str = "GET"
    then: Callable[[], None] | None = None


class ImageServer:
    """Where the server is, what it has, what is ordered, and what it was asked: (method, path, headers) each."""

    def __init__(self, content: bytes) -> None:
        self.url = ""
        self.port = 0
        self.content = content
        self.etag: str | None = '"one"'
        self.ranges = True
        self.head = True
        self.every: Fault | None = None
        self.faults: list[Fault] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.closing = threading.Event()

    def fault_of(self, method: str) -> Fault:
        for fault in self.faults:
            if fault.method == method:
                self.faults.remove(fault)
                return fault
        return self.every if self.every and method == "GET" else Fault()

    @property
    def sent_ranges(self) -> list[str | None]:
        """The Range of each GET, None for none."""
        return [headers.get("range") for method, _, headers in self.asked if method == "GET"]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    image_server: ImageServer

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        server = self.image_server
        server.asked.append((self.command, self.path, {name.lower(): value for name, value in self.headers.items()}))
        fault = server.fault_of(self.command)
        status, headers, body = self.plain()
        if not server.head and self.command == "HEAD":
            status, headers, body = 405, {}, b""
        if fault.body is not None:
            body = fault.body
        headers = {
            "Content-Length": str(len(body)),
            "Content-Type": "application/octet-stream",
            **headers,
            **fault.headers,
        }
        self.send_response(fault.status or status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        if self.command == "GET":
            self.send_body(body, fault)
        if fault.then:
            fault.then()

    def plain(self) -> tuple[int, dict[str, str], bytes]:
        server = self.image_server
        headers = {"ETag": server.etag} if server.etag else {}
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        condition = self.headers.get("If-Range")
        if not asked or not server.ranges or (condition and condition != server.etag):
            return 200, headers, server.content
        begin, size = int(asked[1]), len(server.content)
        if begin >= size:
            return 416, {"Content-Range": f"bytes */{size}", **headers}, b""
        return 206, {"Content-Range": f"bytes {begin}-{size - 1}/{size}", **headers}, server.content[begin:]

    def send_body(self, body: bytes, fault: Fault) -> None:
        if fault.cut_after is not None:
            self.wfile.write(body[: fault.cut_after])
            self.wfile.flush()
        self.image_server.closing.wait(fault.hold_seconds)
        if fault.drip_seconds:
            for begin in range(0, len(body), 1000):
                self.image_server.closing.wait(fault.drip_seconds)
                self.wfile.write(body[begin : begin + 1000])
        elif fault.cut_after is None:
            self.wfile.write(body + fault.surplus)
        elif fault.reset:
            self.image_server.closing.wait(0.05)  # a reset throws away what the client has not read yet
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serving_image(
    content: bytes, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, name: str | None = None
) -> Iterator[ImageServer]:
    """Serve ``content`` at ``url``, which names the server ``name``."""
    image_server = ImageServer(content)
    handler = type("Handler", (_Handler,), {"image_server": image_server})
    server = _Server((host, 0), handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    image_server.port = server.server_address[1]
    image_server.url = f"{'https' if tls else 'http'}://{name or host}:{image_server.port}/amphora.img"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield image_server
    finally:
        image_server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()
