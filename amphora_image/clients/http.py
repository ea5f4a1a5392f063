# SPDX-License-Identifier: Apache-2.0
"""The HTTP session under keystoneauth's, without what a service's API never needs.

Of requests' work for one request more than half goes into what keystoneauth has settled already or no API asks for:
reading the environment's proxies, looking into ``~/.netrc``, keeping cookies, quoting a URL that is quoted, merging
settings. What counts for security is left to requests: its adapter opens the connections and verifies certificates. What
goes over them then is :mod:`amphora_image.clients.exchange`'s matter.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.structures import CaseInsensitiveDict

from amphora_image.clients.exchange import OpenConnections

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
    ``tls_ciphers`` and ``tls_min_version`` where ``tls`` has them.

    :raises ValueError: there is no such version of TLS.
    :raises OSError: there are no such ciphers.
    """

    def __init__(self, *, tls: Mapping[str, str] | None = None) -> None:
        super().__init__()
        keeping = OpenConnections(_CONNECTIONS, tls or {})
        for scheme in list(self.adapters):
            self.mount(scheme, keeping)
        self._settings: dict[tuple[str, Any, Any], Any] = {}

    def request(self, method: str, url: str, **keywords: Any) -> requests.Response:  # type: ignore[override]
        """Send a request and read its answer; ``keywords`` are those of requests.

        :raises requests.RequestException: no answer came, or none that can be read.
        """
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
