# SPDX-License-Identifier: Apache-2.0
"""One request to a web server, and the redirects that follow from it: each hop is judged as if it had been asked for."""

from __future__ import annotations

import contextlib
import http.client
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from amphora_image.errors import InvalidReferenceError, SourceForbiddenError, SourceRefusedError, SourceUnavailableError
from amphora_image.reference import Reference, UrlReference
from amphora_image.services.web.credentials import headers_for
from amphora_image.services.web.wire import DEFAULT_PORTS, Net, Wire, connected

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from amphora_image.config.web import WebRules

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_HOPS = 10
#: What is given on at once: large, so that a block costs little, and small against the memory.
BLOCK_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How requests for one image are sent: by which rules, over which network, and when all has to be over."""

    rules: WebRules
    net: Net
    ends_at: float


class Answer:
    """What a server answered: ``status``, ``header(name)``, and the body's ``blocks``, once."""

    def __init__(self, reference: UrlReference, response: http.client.HTTPResponse, wire: Wire) -> None:
        self.status = response.status
        self.length = None if response.chunked else response.length
        self.chunked = bool(response.chunked)
        self._reference = reference
        self._response = response
        self._wire = wire
        self._skipped = 0
        self._damage: Exception | None = None

    def header(self, name: str) -> str:
        """Give a header's value, empty where there is none."""
        return (self._response.getheader(name) or "").strip()

    def blocks(self) -> Iterator[bytes]:
        """Give the body in large blocks. What came before a cut is given before the cut is told.

        :raises SourceUnavailableError: the body ends early.
        :raises SourceRefusedError: the server goes on after its end.
        """
        received = 0
        for block in self._read():
            received += len(block)
            if received > self._skipped:
                yield block if received - len(block) >= self._skipped else block[self._skipped - received :]
        if self._fault or (self.length is not None and received != self.length):
            raise self._cut(received) from self._fault
        if (self.chunked or self.length is not None) and self._wire.has_surplus():
            detail = f"it sends more than the {received} bytes that it stated"
            raise SourceRefusedError(self._reference.shown, detail, "ask who runs the server")

    def skip(self, count: int) -> None:
        """Leave out the first ``count`` bytes of the body."""
        self._skipped = count

    @property
    def _fault(self) -> Exception | None:
        return self._wire.fault or self._damage

    def _read(self) -> Iterator[bytes]:
        """Read until the end of the body, or up to a fault, which is kept."""
        try:
            while block := self._response.read(BLOCK_BYTES):
                yield block
        except http.client.IncompleteRead as error:  # a chunk that was cut
            self._damage = error
            yield error.partial
        except (http.client.HTTPException, ValueError) as error:  # a chunk that has no size
            self._damage = error

    def _cut(self, received: int) -> SourceUnavailableError:
        of = "" if self.length is None else f" of {self.length}"
        why = f" ({self._fault})" if self._fault else ""
        return SourceUnavailableError(self._reference.shown, f"the answer ended after {received}{of} bytes{why}")


@contextlib.contextmanager
def asked(method: str, reference: UrlReference, headers: Mapping[str, str], way: Way) -> Iterator[Answer]:
    """Send a request and give the answer that is no redirect; its status may be any.

    :raises SourceForbiddenError: an address, or a redirect, that the rules do not allow.
    :raises SourceRefusedError: TLS cannot be spoken with a host.
    :raises SourceUnavailableError: no answer, or none that is HTTP.
    :raises ConfigurationError: credentials or files for TLS cannot be used.
    """
    hop = replace(reference, pin=None)
    seen = {str(hop)}
    while True:
        with _exchange(method, hop, headers, _for_hop(way, hop, reference)) as answer:
            if answer.status not in _REDIRECTS:
                yield answer
                return
            hop = _next_hop(reference, hop, answer.header("Location"))
        if str(hop) in seen or len(seen) > _MAX_HOPS:
            raise SourceForbiddenError(reference.shown, "its redirects come to no end", "name where the image is")
        seen.add(str(hop))


def _for_hop(way: Way, hop: UrlReference, first: UrlReference) -> Way:
    """Show our certificate to no other host than the one that was named."""
    if hop.host == first.host:
        return way
    tls = replace(way.rules.tls, client_certificate_file="", client_key_file="")
    return replace(way, rules=replace(way.rules, tls=tls))


@contextlib.contextmanager
def _exchange(method: str, hop: UrlReference, headers: Mapping[str, str], way: Way) -> Iterator[Answer]:
    """Send one request over a connection of its own. Proxies in the environment are not asked: what they connect to
    could not be judged.
    """
    host = f"[{hop.host}]" if ":" in hop.host else hop.host
    port = "" if hop.port in {None, DEFAULT_PORTS[hop.scheme]} else f":{hop.port}"
    sent = {
        "Host": f"{host}{port}",
        "User-Agent": "amphora-image",
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
        **headers,
        **headers_for(hop, way.rules),
    }
    with connected(hop, way.rules, way.net, way.ends_at) as wire:
        line = http.client.HTTPConnection(hop.host)
        line.sock = wire
        try:
            line.request(method, hop.target, headers=sent)
            answer = line.getresponse()
        except (OSError, http.client.HTTPException, ValueError) as error:
            detail = f"it gave no answer in HTTP: {wire.fault or error or type(error).__name__}"
            raise SourceUnavailableError(hop.shown, detail) from error
        with contextlib.closing(answer):
            yield Answer(hop, answer, wire)


def _next_hop(first: UrlReference, hop: UrlReference, location: str) -> UrlReference:
    """Judge where a redirect leads to.

    :raises SourceForbiddenError: nowhere, to another scheme, from https down to http, or to a URL with credentials.
    """
    remedy = "name where the image is, if that is to be trusted"
    try:
        found = Reference.parse(urljoin(str(hop), location).partition("#")[0])
    except (InvalidReferenceError, ValueError) as error:
        reason = error.reason if isinstance(error, InvalidReferenceError) else "it is no URL"
        raise SourceForbiddenError(first.shown, f"it redirects to what cannot be followed: {reason}", remedy) from None
    if not location:
        raise SourceForbiddenError(first.shown, "it redirects, and does not say to where", remedy)
    if not isinstance(found, UrlReference):
        raise SourceForbiddenError(first.shown, f"it redirects to {found.scheme}://", remedy)
    if hop.scheme == "https" and found.scheme != "https":
        raise SourceForbiddenError(first.shown, f"it redirects from https down to {found.shown}", remedy)
    return found
