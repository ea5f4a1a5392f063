# SPDX-License-Identifier: Apache-2.0
"""The web server of every service: streaming, threaded, on a socket that somebody else opened."""

from __future__ import annotations

import os
import signal
import socket
import sys
from types import FrameType
from typing import Any

from cheroot import wsgi

#: Longer than any client of ours keeps an idle connection: one that the server closes first costs a request.
_IDLE_SECONDS = 900
_STOP_SECONDS = 1
_KEPT_CONNECTIONS = 200
_BACKLOG = 512


class _InheritedSocketServer(wsgi.Server):  # type: ignore[misc]  # cheroot's stubs do not cover its WSGI server
    """A WSGI server on a listening socket; opening it elsewhere leaves no moment in which the port is anybody's."""

    keep_alive_conn_limit = _KEPT_CONNECTIONS

    def __init__(self, listening: socket.socket, application: Any, threads: int) -> None:
        self._listening = listening
        super().__init__(
            listening.getsockname(),
            application,
            numthreads=threads,
            server_name=listening.getsockname()[0],
            request_queue_size=_BACKLOG,
            timeout=_IDLE_SECONDS,
            shutdown_timeout=_STOP_SECONDS,
        )

    def bind(self, family: int, type: int, proto: int = 0) -> socket.socket:  # noqa: A002, ARG002  # cheroot's names
        """Take the socket that is there."""
        self.socket = self._listening
        return self._listening


def serve(descriptor: int, application: Any, threads: int, ready: int) -> None:
    """Serve until SIGTERM or SIGINT, then end the process at once, whatever threads a service left running.

    :param descriptor: of a listening TCP socket.
    :param ready: of a pipe that is told when requests are answered, and is then closed.
    """
    server = _InheritedSocketServer(socket.socket(fileno=descriptor), application, threads)
    signal.signal(signal.SIGTERM, _leave)
    signal.signal(signal.SIGINT, _leave)
    server.prepare()
    _tell(ready)
    try:
        server.serve()
    finally:
        server.stop()
        sys.stderr.flush()
        os._exit(0)


def _leave(_number: int, _frame: FrameType | None) -> None:
    raise SystemExit(0)


def _tell(ready: int) -> None:
    try:
        os.write(ready, b"ready\n")
    except BrokenPipeError:
        pass  # whoever waited is gone; the next `up` will find this process
    finally:
        os.close(ready)
