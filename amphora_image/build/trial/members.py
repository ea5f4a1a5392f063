# SPDX-License-Identifier: Apache-2.0
"""The members that the amphora balances among: web servers on loopback that each answer with a name of its own."""

from __future__ import annotations

import http.server
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType


class Members:
    """So many web servers; inside the block they answer, at ``ports``, each with its name out of ``names``."""

    def __init__(self, count: int = 2) -> None:
        self.names = tuple(f"member-{number}" for number in range(1, count + 1))
        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), _answering(name)) for name in self.names]
        self.ports = tuple(server.server_address[1] for server in self._servers)

    def __enter__(self) -> Self:
        """Answer from now on."""
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Answer no more."""
        for server in self._servers:
            server.shutdown()
            server.server_close()


def _answering(name: str) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the library's name
            body = name.encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Say nothing."""

    return Handler
