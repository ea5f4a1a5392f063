# SPDX-License-Identifier: Apache-2.0
"""The amphora agent's API over mutual TLS, as Octavia speaks it, and the heartbeats that the agent sends."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import json
import socket
import ssl
import zlib
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

#: Three times what Octavia gives the agent, which may be on an emulated CPU here.
_ANSWER_SECONDS = 180.0
_MAX_DATAGRAM_BYTES = 65_535
_DIGEST_CHARACTERS = 64


class Agent:
    """The agent behind a port of loopback; without ``client`` we show no certificate."""

    def __init__(self, port: int, authority: Path, client: Path | None) -> None:
        self._port = port
        self._context = ssl.create_default_context(cafile=str(authority))
        if client is not None:
            self._context.load_cert_chain(str(client))

    def ask(
        self, method: str, path: str, body: bytes | None = None, *, seconds: float = _ANSWER_SECONDS
    ) -> tuple[int, Any]:
        """Send a request and give the answer's status and its JSON.

        :raises OSError: there is no answer; ``ssl.SSLError`` where the two sides do not trust each other.
        :raises http.client.HTTPException: the answer is no HTTP.
        """
        address = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=seconds, context=self._context)
        with contextlib.closing(address) as connection:
            kind = {"Content-Type": "application/json"} if method == "POST" else {}
            connection.request(method, path, body, kind)
            response = connection.getresponse()
            text = response.read()
        try:
            return response.status, json.loads(text)
        except ValueError:
            return response.status, text.decode(errors="replace")[:200]


class Heartbeats:
    """Hears the agent's heartbeats on a UDP port of loopback; what is not signed with ``key`` is not heard."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def __enter__(self) -> Self:
        """Listen."""
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        """Listen no more."""
        self._socket.close()

    def heard(self, seconds: float) -> Iterator[dict[str, Any]]:
        """Give the messages that come, for as long as none is further away than ``seconds``."""
        self._socket.settimeout(max(seconds, 0.001))
        with contextlib.suppress(TimeoutError):
            while True:
                message = read_heartbeat(self._socket.recv(_MAX_DATAGRAM_BYTES), self._key)
                if message is not None:
                    yield message


def read_heartbeat(datagram: bytes, key: bytes) -> dict[str, Any] | None:
    """Read a heartbeat: JSON, compressed, and behind it the hexadecimal HMAC-SHA256; None where that is not right."""
    payload, digest = datagram[:-_DIGEST_CHARACTERS], datagram[-_DIGEST_CHARACTERS:]
    if not hmac.compare_digest(hmac.new(key, payload, hashlib.sha256).hexdigest().encode(), digest):
        return None
    message = json.loads(zlib.decompress(payload))
    return message if isinstance(message, dict) else None
