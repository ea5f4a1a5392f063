# SPDX-License-Identifier: Apache-2.0
"""A request and its answer on a connection that is open already: bytes out, bytes in.

requests and urllib3 open each connection, verify its peer, and send the first request on it. The next ones are the usual
JSON of an API; most of what requests, urllib3 and http.client do for each of them is for what they might be otherwise.
What is not usual goes their way: a proxy, a stream, a body in pieces, an answer that is chunked, compressed or odd.
"""

from __future__ import annotations

import io
import queue
import re
from http.client import HTTPException, HTTPResponse, IncompleteRead, LineTooLong, RemoteDisconnected
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

import requests
import urllib3
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3.exceptions import ProtocolError
from urllib3.util import is_connection_dropped

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping

_RECEIVE_BYTES = 65536
#: Within so many bytes an answer's headers have ended; http.client allows a single line as many.
_HEAD_BYTES = 65536
#: A request's headers that go as they are: names are tokens, values visible ASCII (RFC 9110, 5.1 and 5.5).
_PLAIN_LINES = re.compile(r"(?:[\w!#$%&'*+.^`|~-]+: [\t\x20-\x7e]*\r\n)*", re.ASCII)
#: The first line of a usual answer; 1xx, 204 and 304 have no body, whatever their headers say.
_STATUS = re.compile(r"HTTP/1\.1 (20[0-3]|30[0-35-9]|[45][0-9][0-9])(?: (.*))?")
#: A header in a line of its own (RFC 9112, 5; what goes on in the next line is not the usual).
_HEADER = re.compile(r"^([\w!#$%&'*+.^`|~-]+):[ \t]*([^\r\n]*?)[ \t]*\r\n", re.ASCII | re.MULTILINE)
#: Where a header goes on in the next line, for which a space may stand (RFC 9112, 5.2).
_FOLD = re.compile(r"[ \t]*\r\n[ \t]+")
_LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)


class OpenConnections(TCPKeepAliveAdapter):
    """requests' adapter, with keystoneauth's keep-alive, quick on the connections that are open. Thread-safe.

    ``connections`` to each host are kept; ``tls`` may have keystoneauth's ``tls_ciphers`` and ``tls_min_version``.
    """

    def __init__(self, connections: int, tls: Mapping[str, Any]) -> None:
        super().__init__(pool_maxsize=connections, **tls)
        #: Scheme, host, and how its certificate is verified and ours shown → the pool that urllib3 keeps for these.
        self._pools: WeakValueDictionary[tuple[Any, ...], Any] = WeakValueDictionary()

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,  # noqa: FBT001, FBT002 - requests' own signature
        timeout: Any = None,
        verify: Any = True,  # noqa: FBT002 - as above
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request and give its answer; see requests.

        :raises requests.RequestException: no answer came, or none that can be read.
        """
        parts, is_usual = urlsplit(str(request.url)), isinstance(timeout, int | float | None) and not stream
        told = None if proxies or not is_usual else _told(request, parts.netloc)
        if told is None:
            return super().send(request, stream, timeout, verify, cert, proxies)
        host = (parts.scheme, parts.netloc, verify, cert)
        pool = self._pools.get(host)
        connection = pool and _taken(pool)
        if pool is None or connection is None:
            answer = super().send(request, stream, timeout, verify, cert, proxies)
            self._pools[host] = self.get_connection_with_tls_context(request, verify, cert=cert)
            return answer
        try:
            return self._exchange(request, told, connection, timeout)
        finally:
            _put_back(pool, connection)

    def _exchange(
        self, request: requests.PreparedRequest, told: bytes, connection: Any, timeout: float | None
    ) -> requests.Response:
        """Send what is ``told`` and read the answer; the connection is closed where it cannot be used again."""
        reusable = False
        try:
            sock = connection.sock
            sock.settimeout(timeout)
            sock.sendall(told)
            head, begun = _head(sock)
            answer, reusable = _usual(head, begun, sock) or self._any(request, head + begun, sock)
        except TimeoutError as error:
            raise requests.ReadTimeout(error, request=request) from error
        except (OSError, HTTPException) as error:
            raise requests.ConnectionError(ProtocolError("Connection aborted.", error), request=request) from error
        finally:
            if not reusable:
                connection.close()
        answer.request, answer.url = request, str(request.url)
        return answer

    def _any(self, request: requests.PreparedRequest, begun: bytes, sock: socket.socket) -> tuple[Any, bool]:
        """Have http.client and requests read an answer of which ``begun`` has come; tell whether another may follow."""
        with HTTPResponse(_Resumed(begun, sock), method=request.method) as raw:  # type: ignore[arg-type]  # enough for it
            raw.begin()
            body, reusable = io.BytesIO(raw.read()), not raw.will_close
            told = urllib3.HTTPHeaderDict((name, _FOLD.sub(" ", value)) for name, value in raw.headers.items())
            whole = urllib3.HTTPResponse(body, told, raw.status, reason=raw.reason, preload_content=False)
        return self.build_response(request, whole), reusable


def _told(request: requests.PreparedRequest, host: str) -> bytes | None:
    """Give the bytes of a usual request; None for any other."""
    headers, body = request.headers, request.body
    is_text = all(isinstance(value, str) for value in headers.values())
    if (
        request.method == "HEAD"
        or not isinstance(body, bytes | None)
        or "@" in host
        or "Host" in headers
        or not is_text
    ):
        return None
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    if lines.count("\n") != len(headers) or not _PLAIN_LINES.fullmatch(lines):
        return None
    return f"{request.method} {request.path_url} HTTP/1.1\r\nHost: {host}\r\n{lines}\r\n".encode("ascii") + (
        body or b""
    )


def _taken(pool: Any) -> Any:
    """Take an open connection out of a pool; None where there is none at the moment."""
    try:
        connection = pool.pool.get_nowait()
    except (queue.Empty, AttributeError):  # all are in use, or the pool is closed and its queue None
        return None
    if connection is None or connection.sock is None or is_connection_dropped(connection):
        _put_back(pool, connection)  # for urllib3, which opens it
        return None
    return connection


def _put_back(pool: Any, connection: Any) -> None:
    """Give a connection back, or a None that stands for one; urllib3 opens anew what is closed."""
    try:
        pool.pool.put_nowait(connection)
    except (queue.Full, AttributeError):
        if connection is not None:
            connection.close()


def _head(sock: socket.socket) -> tuple[bytes, bytes]:
    """Receive an answer's status and headers, with the empty line, and give them and what has come of the body.

    :raises http.client.HTTPException: they do not come, or are too long.
    """
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > _HEAD_BYTES:
            raise LineTooLong("header line")
        if not (piece := sock.recv(_RECEIVE_BYTES)):
            raise RemoteDisconnected("Remote end closed connection without response")
        received += piece
    return received[: end + 4], received[end + 4 :]


def _usual(head: bytes, begun: bytes, sock: socket.socket) -> tuple[requests.Response, bool] | None:
    """Read an answer whose body has a length and is as it stands; tell whether another may follow. None for any other.

    :raises http.client.HTTPException: the body ends early.
    """
    first, _, lines = head[:-2].decode("latin-1").partition("\r\n")
    status, pairs = _STATUS.fullmatch(first), _HEADER.findall(lines)
    headers: CaseInsensitiveDict[str] = CaseInsensitiveDict()
    for name, value in pairs:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    length = headers.get("Content-Length", "")
    is_other = "Transfer-Encoding" in headers or "Content-Encoding" in headers or len(pairs) != lines.count("\n")
    if status is None or is_other or not _LENGTH.fullmatch(length):
        return None
    body, wanted = bytearray(begun), int(length)
    while len(body) < wanted:
        if not (piece := sock.recv(_RECEIVE_BYTES)):
            raise IncompleteRead(bytes(body), wanted - len(body))
        body += piece
    answer = requests.Response()
    answer.status_code, answer.reason, answer.headers = int(status[1]), status[2] or "", headers
    answer.encoding = get_encoding_from_headers(headers)
    answer.raw = io.BytesIO(body[:wanted])
    # What follows an answer that nobody asked for more could be taken for the next one.
    return answer, len(body) == wanted and "close" not in headers.get("Connection", "").lower()


class _Resumed(io.RawIOBase):
    """A socket as http.client asks for one, with what was received from it already."""

    def __init__(self, begun: bytes, sock: socket.socket) -> None:
        super().__init__()
        self._begun = io.BytesIO(begun)
        self._rest = sock.makefile("rb", buffering=0)

    def makefile(self, *_: Any) -> io.BufferedReader:
        """Give what is to be read, from its start."""
        return io.BufferedReader(self)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read some bytes; 0 at the end."""
        return self._begun.readinto(buffer) or self._rest.readinto(buffer)

    def close(self) -> None:
        """Let the socket go, which stays open."""
        self._rest.close()
        super().close()
