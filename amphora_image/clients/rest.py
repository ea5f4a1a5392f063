# SPDX-License-Identifier: Apache-2.0
"""One service's REST API over keystoneauth: what is read is tried again, what fails is told as our error."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from amphora_image.clients.translate import retried, translated
from amphora_image.errors import RequestRefusedError
from amphora_image.trail import note_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from keystoneauth1.adapter import Adapter

T = TypeVar("T")


class SizedBytes(Protocol):
    """Bytes in pieces whose number is known before; each iteration begins at the first."""

    def __iter__(self) -> Iterator[bytes]: ...
    def __len__(self) -> int: ...


class Rest:
    """``service`` as errors name it, over ``adapter``. Thread-safe.

    All methods raise :class:`AuthenticationError`, :class:`AccessDeniedError`, :class:`ResourceNotFoundError` (404),
    :class:`RequestRefusedError`, :class:`QuotaExceededError` or :class:`ServiceUnavailableError`. ``action`` completes
    "Glance does not allow this user to …". What ``sleep`` raises ends the trying again.
    """

    def __init__(
        self,
        adapter: Adapter,
        service: str,
        *,
        deadline_seconds: float = 60,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._adapter = adapter
        self._service = service
        self._deadline_seconds = deadline_seconds
        self._sleep = sleep

    def read(self, path: str, action: str, decode: Callable[[Any], T]) -> T:
        """GET ``path`` and decode its JSON, trying again what is transient within the deadline."""

        def once() -> T:
            with translated(self._service, action):
                # A third of the deadline, so that a request that hangs can be sent again within it.
                answer = self._send("GET", path, timeout=self._deadline_seconds / 3)
                return decode(answer.json())

        return retried(once, deadline_seconds=self._deadline_seconds, sleep=self._sleep)

    def change(
        self, method: str, path: str, action: str, *, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        """Send what changes something, once: whether to send it again is for the caller, who knows what it means.

        ``body`` is sent as JSON; the answer's JSON is given, None where it has none.
        """
        with translated(self._service, action):
            keywords = {} if body is None else {"json": body}
            answer = self._send(method, path, headers=dict(headers or {}), timeout=self._deadline_seconds, **keywords)
            return answer.json() if answer.content else None

    def send_body(
        self, path: str, action: str, body: SizedBytes, *, headers: Mapping[str, str], timeout_seconds: float
    ) -> None:
        """PUT what ``body`` yields, as it yields it; ``len(body)`` is announced as the Content-Length.

        Where the token turns out to be no longer valid, ``body`` is iterated once more, from its start. A redirect is
        not followed, for it would be sent nothing. What iterating raises is let through.

        :raises AmphoraImageError: see the class.
        """
        with translated(self._service, action):
            keywords = {"data": body, "redirect": False, "log": False, "timeout": timeout_seconds}
            answer = self._send("PUT", path, headers=dict(headers), **keywords)
        if not answer.ok or answer.is_redirect:
            raise RequestRefusedError(self._service, action, f"HTTP {answer.status_code}, which sends elsewhere")

    def renew_token(self, *, needed_seconds: float) -> None:
        """Get another token, where the one in use ends within ``needed_seconds``; a plug-in without an end has none.

        :raises AmphoraImageError: see the class.
        """
        session = self._adapter.session
        with translated("Keystone", "give a token"):
            auth: Any = self._adapter.auth or session.auth
            if hasattr(auth, "get_access") and auth.get_access(session).will_expire_soon(needed_seconds):
                session.invalidate(auth)

    def _send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **keywords: Any) -> Any:
        headers = {"Accept": "application/json", **(headers or {})}
        answer = self._adapter.request(path, method, headers=headers, **keywords)
        note_request(answer.headers.get("x-openstack-request-id"))
        return answer
