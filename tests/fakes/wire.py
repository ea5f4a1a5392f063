# SPDX-License-Identifier: Apache-2.0
"""A real server on a loopback port that says what it is told to, to the byte, whatever it is asked."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: As the end of an answer, or in its place: hang up.
HANG_UP = b"<hang up>"


class Wire:
    """``url`` is where the server is, ``asked`` the bytes of each request, ``connections`` how many there were."""

    def __init__(self, *answers: bytes) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}"
        self.answers = list(answers)
        self.asked: list[bytes] = []
        self.connections = 0
        self._ended = threading.Event()
        self._open = self._server

    def serve(self) -> None:
        """Answer one connection after another, until :meth:`end`."""
        while not self._ended.is_set():
            with contextlib.suppress(OSError):
                self._open, _ = self._server.accept()
                self.connections += 1
                with self._open as connection, connection.makefile("rb") as asked:
                    while self._answer(connection, asked):
                        pass

    def end(self) -> None:
        """Stop serving, whoever still has a connection."""
        self._ended.set()
        for one in (self._server, self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._server.close()

    def _answer(self, connection, asked) -> bool:
        """Answer a request; tell whether the connection goes on."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (line := asked.readline()):
                return False
            head += line
        length = re.search(rb"(?i)content-length: (\d+)", head)
        self.asked.append(head + asked.read(int(length[1]) if length else 0))
        answer = self.answers.pop(0) if self.answers else HANG_UP
        connection.sendall(answer.removesuffix(HANG_UP))
        return not answer.endswith(HANG_UP)


@contextlib.contextmanager
def saying(*answers: bytes) -> Iterator[Wire]:
    """Serve ``answers`` in their order, one connection at a time, and hang up when none is left."""
    wire = Wire(*answers)
    thread = threading.Thread(target=wire.serve)
    thread.start()
    try:
        yield wire
    finally:
        wire.end()
        thread.join()
