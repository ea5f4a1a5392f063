# SPDX-License-Identifier: Apache-2.0
"""Connections to web servers: to an address that was checked, under deadlines, and without losing what came before a cut."""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.errors import (
    ConfigurationError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceUnavailableError,
)
from amphora_image.services.web.addresses import objection

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from amphora_image.config.web import Tls, WebRules
    from amphora_image.reference import UrlReference

DEFAULT_PORTS = {"http": 80, "https": 443}

#: What lies ready to be read line by line; larger reads go past it.
_BUFFER_BYTES = 64 * 1024
_OVER = "the total deadline is over"
#: A server that has sent all and goes on is noticed if it does so within this time.
_SURPLUS_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Net:
    """The network and the time, as :mod:`socket` and :mod:`time` give them."""

    resolve: Callable[..., list[Any]] = socket.getaddrinfo
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


class Wire(io.RawIOBase):
    """A connection as http.client reads it. A fault looks like its end, so that what came before is not thrown away.

    ``fault`` is that fault; ``ends_at`` is when, by ``clock``, all reading has to be over.
    """

    def __init__(self, connection: socket.socket, *, read_seconds: float, ends_at: float, clock: Any) -> None:
        self._connection = connection
        self._read_seconds = read_seconds
        self._ends_at = ends_at
        self._clock = clock
        self._reader = _Reader(self, _BUFFER_BYTES)
        self.fault: Exception | None = None

    def readable(self) -> bool:
        """Tell the buffer above that it may read."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Wait for some bytes; 0 means the end or a fault."""
        left = self._ends_at - self._clock()
        if self.fault is None and left <= 0:
            self.fault = TimeoutError(_OVER)
        if self.fault:
            return 0
        try:
            if left < self._read_seconds:
                self._connection.settimeout(left)
            return self._connection.recv_into(buffer)
        except TimeoutError:
            self.fault = TimeoutError(_OVER if left < self._read_seconds else f"nothing for {self._read_seconds} s")
        except (OSError, ValueError) as error:
            self.fault = error
        return 0

    def makefile(self, *_: object) -> io.BufferedReader:
        """Give what http.client reads an answer from."""
        return self._reader

    def sendall(self, request: bytes) -> None:
        """Send a request."""
        self._connection.sendall(request)

    def has_surplus(self) -> bool:
        """Tell whether the server sends more after the end of its answer."""
        self._connection.settimeout(_SURPLUS_SECONDS)
        return bool(self._reader.peek(1))

    def close(self) -> None:
        """Do nothing: who has opened the connection closes it."""


class _Reader(io.BufferedReader):
    """The buffer that http.client reads from, and closes at the end of an answer though there may be more in it."""

    def close(self) -> None:
        """Do nothing: what it reads from is closed by who has opened it."""


@contextlib.contextmanager
def connected(reference: UrlReference, rules: WebRules, net: Net, ends_at: float) -> Iterator[Wire]:
    """Connect to the host of ``reference``: its name is resolved once, and what is checked is what is connected to.

    :raises SourceForbiddenError: the port, or every address of the host, is one that the rules do not allow.
    :raises SourceRefusedError: TLS cannot be spoken with it: its certificate, mostly.
    :raises SourceNotFoundError: there is no such host.
    :raises SourceUnavailableError: its name could not be looked up, or no connection within the deadline.
    :raises ConfigurationError: a file that TLS needs cannot be used.
    """
    port = port_of(reference, rules)
    context = tls_context(rules.tls) if reference.scheme == "https" else None
    deadline = min(ends_at, net.clock() + rules.connect_deadline_seconds)
    with contextlib.closing(_connect(reference, port, (rules, net, deadline))) as plain:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with contextlib.closing(_secured(plain, context, reference) if context else plain) as connection:
            connection.settimeout(rules.read_deadline_seconds)
            yield Wire(connection, read_seconds=rules.read_deadline_seconds, ends_at=ends_at, clock=net.clock)


def port_of(reference: UrlReference, rules: WebRules) -> int:
    """Give the port to connect to.

    :raises SourceForbiddenError: the rules do not allow it.
    """
    port = reference.port or DEFAULT_PORTS[reference.scheme]
    if rules.allowed_ports and port not in rules.allowed_ports:
        remedy = "add the port to allowed_ports in [image_http] if it is right"
        raise SourceForbiddenError(reference.shown, f"port {port} is not allowed", remedy)
    return port


def addresses_of(reference: UrlReference, port: int, net: Net) -> list[Any]:
    """Look up the addresses of the host, as :func:`socket.getaddrinfo` gives them.

    :raises SourceNotFoundError: there is no such host.
    :raises SourceUnavailableError: nobody can tell just now.
    """
    try:
        return net.resolve(reference.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        detail = f"{reference.host} has no address ({getattr(error, 'strerror', '') or error})"
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            raise SourceUnavailableError(reference.shown, detail) from error
        raise SourceNotFoundError(reference.shown, detail) from error


def forbidden(reference: UrlReference, objections: Iterable[str | None]) -> SourceForbiddenError:
    """Make the error that tells what is against the addresses of a host."""
    remedy = "add its network to allowed_addresses in [image_http] if it is yours"
    return SourceForbiddenError(reference.shown, ", ".join(filter(None, objections)), remedy)


def _connect(reference: UrlReference, port: int, by: tuple[WebRules, Net, float]) -> socket.socket:
    """Try the allowed ones of the host's addresses in their order; the deadline is for all of them."""
    rules, net, deadline = by
    found = addresses_of(reference, port, net)
    objections = {address[0]: objection(address[0], rules) for *_, address in found}
    if all(objections.values()):
        raise forbidden(reference, objections.values())
    fault: Exception = TimeoutError("the deadline was over")
    for family, kind, protocol, _, address in found:
        left = deadline - net.clock()
        if objections[address[0]] or left <= 0:
            continue
        try:
            connection = socket.socket(family, kind, protocol)
        except OSError as error:  # this machine has no IPv6, and the name an address of it
            fault = error
            continue
        try:
            connection.settimeout(left)
            connection.connect(address)
            connection.settimeout(max(deadline - net.clock(), 0.01))  # for TLS
            return connection
        except OSError as error:
            connection.close()
            fault = error
    raise SourceUnavailableError(reference.shown, f"no connection to {reference.host}: {fault}") from fault


def _secured(plain: socket.socket, context: ssl.SSLContext, reference: UrlReference) -> ssl.SSLSocket:
    """Speak TLS with the host that the reference names, whatever address it was found at."""
    try:
        return context.wrap_socket(plain, server_hostname=reference.host)
    except ssl.SSLCertVerificationError as error:
        detail = f"its certificate is not to be trusted: {error.verify_message}"
        remedy = "correct the host, or set ca_certificates_file in [image_http] to what has signed it"
        raise SourceRefusedError(reference.shown, detail, remedy) from error
    except (ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        raise SourceUnavailableError(reference.shown, "it cut the connection while TLS began") from error
    except ssl.SSLError as error:
        detail = f"TLS cannot be spoken with it: {error.reason or error}"
        remedy = "correct the port, or minimum_tls_version and client_certificate_file in [image_http]"
        raise SourceRefusedError(reference.shown, detail, remedy) from error
    except OSError as error:
        raise SourceUnavailableError(reference.shown, f"TLS did not begin: {error}") from error


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Make what TLS is spoken by.

    :raises ConfigurationError: one of the files cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=tls.ca_certificates_file or None)
        context.minimum_version = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}[tls.minimum_version]
        if tls.client_certificate_file:
            context.load_cert_chain(tls.client_certificate_file, tls.client_key_file or None, password="")
    except (OSError, ssl.SSLError) as error:
        problem = f"a file that TLS needs cannot be used: {error}"
        remedy = "correct ca_certificates_file, client_certificate_file and client_key_file in [image_http]"
        raise ConfigurationError(problem, remedy) from error
    return context
