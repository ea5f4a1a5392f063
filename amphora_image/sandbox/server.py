# SPDX-License-Identifier: Apache-2.0
"""The web server of every service: streaming, threaded, on a socket that somebody else opened."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from cheroot import wsgi

if TYPE_CHECKING:
    from types import FrameType

#: Longer than any client of ours keeps an idle connection: one that the server closes first costs a request.
_IDLE_SECONDS = 900
_KEPT_CONNECTIONS = 200
_BACKLOG = 512
_DRAINED_BYTES = 256 * 1024

Application: TypeAlias = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _Body:
    """A request's body, of which a service may leave a part unread, and which it cannot close.

    Glance closes what it has read, and for cheroot that would be the connection, on which the next request comes.
    """

    def __init__(self, raw: Any) -> None:
        self._raw = raw

    def read(self, size: int | None = None) -> bytes:
        """Read up to ``size`` bytes, all that follow if there is no limit; empty at the end."""
        data: bytes = self._raw.read(None if size is not None and size < 0 else size)
        return data

    def readline(self, size: int | None = None) -> bytes:
        """Read one line."""
        line: bytes = self._raw.readline(size)
        return line

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.readline, b"")

    def close(self) -> None:
        """Read what is left, so that the connection can take another request."""
        with contextlib.suppress(OSError, ValueError):  # the client left in the middle: there is no next request
            while self.read(_DRAINED_BYTES):
                pass


def keeping_connections(application: Application) -> Application:
    """Make an application fit for connections that stay open, however it treats the bodies of requests."""

    def answer(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        body = environ["wsgi.input"] = _Body(environ["wsgi.input"])
        result = application(environ, start_response)
        try:
            yield from result
        finally:
            if hasattr(result, "close"):
                result.close()
            body.close()

    return answer


class _InheritedSocketServer(wsgi.Server):
    """A WSGI server on a listening socket; opening it elsewhere leaves no moment in which the port is anybody's."""

    keep_alive_conn_limit = _KEPT_CONNECTIONS

    def __init__(self, listening: socket.socket, application: Application, threads: int) -> None:
        self._listening = listening
        super().__init__(
            listening.getsockname(),
            application,
            numthreads=threads,
            server_name=listening.getsockname()[0],
            request_queue_size=_BACKLOG,
            timeout=_IDLE_SECONDS,
        )

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002, ARG002  # cheroot's names
        """Take the socket that is there; without delay, or each answer in two packets waits 40 ms for an acknowledgement."""
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = self._listening
        return self._listening


def serve(descriptor: int, application: Application, threads: int, ready: int) -> None:
    """Serve until SIGTERM or SIGINT, then end the process at once, whatever threads a service left running.

    :param descriptor: of a listening TCP socket.
    :param ready: of a pipe that is told when requests are answered, and is then closed.
    """
    server = _InheritedSocketServer(socket.socket(fileno=descriptor), keeping_connections(application), threads)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    server.prepare()
    _tell(ready)
    server.serve()


def _leave(_number: int, _frame: FrameType | None) -> None:
    os._exit(0)


def _tell(ready: int) -> None:
    try:
        os.write(ready, b"ready\n")
    except BrokenPipeError:
        pass  # whoever waited is gone; the next `up` will find this process
    finally:
        os.close(ready)
