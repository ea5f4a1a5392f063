# SPDX-License-Identifier: Apache-2.0
"""The HTTP session under keystoneauth's, without what a service's API never needs.

Of requests' work for one request more than half goes into what keystoneauth has settled already or no API asks for:
reading the environment's proxies, looking into ``~/.netrc``, keeping cookies, quoting a URL that is quoted, merging
settings. Some of the rest its adapter finds out anew for each request, though it is the same for all to one host. What
counts for security is left to them: they open the connections, verify certificates and tell errors apart.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakSet

import requests
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

#: A URL that requests would send as it stands: a plain host, and nothing to quote (RFC 3986, 2.2 to 2.4).
_PLAIN_URL = re.compile(r"https?://[a-z0-9.-]+(?::[0-9]+)?/(?:[\w.~:/?\[\]@!$&'()*+,;=-]|%[0-9A-F]{2})*", re.ASCII)
#: As many connections to a host are kept for the next request as a busy worker has threads; requests keeps 10.
_CONNECTIONS = 64
#: What keystoneauth passes for the requests of an API.
_USUAL = {"headers", "data", "timeout", "verify", "cert", "allow_redirects"}


class Http(requests.Session):
    """Requests' session, fast for the requests of an API; anything else is sent as requests sends it. Thread-safe.

    Proxies and CA bundles from the environment count as ever, but are read once for each host. Cookies are not kept,
    and ``~/.netrc`` is not read: who we are is the token's matter. Connections have keystoneauth's keep-alive, and its
    ``tls_ciphers`` and ``tls_min_version`` where ``tls`` has them. What can be asked again, a read or a token, is waited for
    no longer than ``reading_seconds``.

    :raises ValueError: there is no such version of TLS.
    :raises OSError: there are no such ciphers.
    """

    def __init__(self, *, tls: Mapping[str, str] | None = None, reading_seconds: float = math.inf) -> None:
        super().__init__()
        self._reading_seconds = reading_seconds
        keeping = _HostAdapter(pool_maxsize=_CONNECTIONS, **(tls or {}))
        for scheme in list(self.adapters):
            self.mount(scheme, keeping)
        self._settings: dict[tuple[str, Any, Any], Any] = {}

    def request(self, method: str, url: str, **keywords: Any) -> requests.Response:  # type: ignore[override]
        """Send a request and read its answer; ``keywords`` are those of requests.

        :raises requests.RequestException: no answer came, or none that can be read.
        """
        if (method == "GET" or url.endswith("/auth/tokens")) and self._reading_seconds < math.inf:
            keywords["timeout"] = min(keywords.get("timeout") or math.inf, self._reading_seconds)
        data, follow = keywords.get("data"), keywords.get("allow_redirects", True)
        is_plain = isinstance(data, str | bytes | None) and _PLAIN_URL.fullmatch(url)
        if follow or not is_plain or keywords.keys() - _USUAL:
            return super().request(method, url, **keywords)
        prepared = self._prepared(method, url, data, keywords.get("headers"))
        settings = self._environment(url, keywords.get("verify"), keywords.get("cert"))
        answer = self.get_adapter(url).send(prepared, timeout=keywords.get("timeout"), **settings)
        _ = answer.content  # read while errors still are this request's, and the connection goes back to its pool
        return answer

    def _prepared(self, method: str, url: str, data: str | bytes | None, headers: Any) -> requests.PreparedRequest:
        prepared = requests.PreparedRequest()
        prepared.method = method.upper()
        prepared.url = url
        merged: CaseInsensitiveDict[Any] = CaseInsensitiveDict()
        merged.update(self.headers)
        merged.update(headers or {})
        for name in [name for name, value in merged.items() if value is None]:
            del merged[name]
        prepared.headers = merged
        prepared.body = (data.encode() if isinstance(data, str) else data) or None
        if prepared.body or prepared.method not in {"GET", "HEAD"}:
            prepared.headers["Content-Length"] = str(len(prepared.body or b""))
        return prepared

    def _environment(self, url: str, verify: Any, cert: Any) -> Any:
        """Give the proxies and certificates for a host, as requests would: arguments first, then the environment."""
        parts = urlsplit(url)
        key = (f"{parts.scheme}://{parts.netloc}", verify, cert)
        if key not in self._settings:
            self._settings[key] = self.merge_environment_settings(key[0], {}, False, verify, cert)
        return self._settings[key]


class _HostAdapter(TCPKeepAliveAdapter):
    """Keystoneauth's adapter, which settles once what is the same for all requests to a host. Thread-safe.

    What it replaces are those steps of requests' ``send`` that requests leaves to subclasses.
    """

    def __init__(self, **keywords: Any) -> None:
        super().__init__(**keywords)
        #: Scheme, host, and how its certificate is verified and ours shown → urllib3's pool of connections for these.
        self._pools: dict[tuple[Any, ...], Any] = {}
        self._told: WeakSet[Any] = WeakSet()

    def close(self) -> None:
        """Close all connections."""
        self._pools.clear()
        super().close()

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Give the pool of connections for a request; see requests."""
        if proxies:
            return super().get_connection_with_tls_context(request, verify, proxies, cert)
        parts = urlsplit(request.url)
        key = (parts.scheme, parts.netloc, verify, cert)
        if key not in self._pools:
            self._pools[key] = super().get_connection_with_tls_context(request, verify, proxies, cert)
        return self._pools[key]

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Tell a pool how to verify certificates and which is ours, of which each has its own; see requests.

        :raises OSError: there are no such files.
        """
        if conn not in self._told:
            super().cert_verify(conn, url, verify, cert)  # type: ignore[no-untyped-call]  # requests has none here
            self._told.add(conn)

    def request_url(self, request: Any, proxies: Any) -> str:
        """Give what stands behind the method; see requests."""
        return super().request_url(request, proxies) if proxies else request.path_url

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Make requests' answer of urllib3's, but leave cookies where they are."""
        answer = requests.Response()
        answer.status_code, answer.reason, answer.raw = resp.status, resp.reason, resp
        answer.headers = CaseInsensitiveDict(resp.headers)
        answer.encoding = get_encoding_from_headers(answer.headers)
        answer.request, answer.url, answer.connection = req, req.url, self
        return answer
