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
    """Sends what it is given and remembers it: ``sent`` holds (method, path), ``bodies`` the bodies of POSTs."""

    def __init__(self) -> None:
        super().__init__(pool_maxsize=64)
        self._lock = threading.Lock()
        self.sent: list[tuple[str, str]] = []
        self.bodies: list[Any] = []

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
                self.bodies.append(request.body)
        return super().send(request, *args, **kwargs)

    def count(self, method: str, end: str) -> int:
        """Count the requests by ``method`` whose path ends in ``end``."""
        return sum(1 for each, path in self.sent if each == method and path.endswith(end))

    def clear(self) -> None:
        with self._lock:
            self.sent.clear()
            self.bodies.clear()
