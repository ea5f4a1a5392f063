# SPDX-License-Identifier: Apache-2.0
"""The seam at which the tests count and look at requests: a transport under the session, which sends them for real."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from keystoneauth1.session import Session


class Wire(HTTPAdapter):
    """Sends what it is given and remembers it: ``sent`` holds (method, path), ``bodies`` the bodies of POSTs.

    While ``passing`` is cleared, answers that have come are kept back, in number ``held``.
    """

    def __init__(self) -> None:
        super().__init__(pool_maxsize=64)
        self._lock = threading.Lock()
        self.sent: list[tuple[str, str]] = []
        self.bodies: list[bytes] = []
        self.passing = threading.Event()
        self.passing.set()
        self.held = 0

    @classmethod
    def under(cls, session: Session) -> Wire:
        """Put one under a keystoneauth session."""
        wire = cls()
        session.session.mount("http://", wire)
        return wire

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            self.sent.append((request.method, urlsplit(request.url).path))
            if request.method == "POST":
                self.bodies.append(request.body.encode() if isinstance(request.body, str) else request.body or b"")
        answer = super().send(request, *args, **kwargs)
        with self._lock:
            self.held += not self.passing.is_set()
        assert self.passing.wait(30), "nobody lets the answer pass"
        return answer

    def count(self, method: str, end: str) -> int:
        """Count the requests by ``method`` whose path ends in ``end``."""
        return sum(1 for each, path in self.sent if each == method and path.endswith(end))

    def clear(self) -> None:
        with self._lock:
            self.sent.clear()
            self.bodies.clear()
