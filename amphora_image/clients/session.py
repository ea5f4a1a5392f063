# SPDX-License-Identifier: Apache-2.0
"""The keystoneauth session: from ``[service_auth]``, or from clouds.yaml and OS_* for a command."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from keystoneauth1 import exceptions as ksa
from keystoneauth1 import loading
from keystoneauth1.adapter import Adapter
from keystoneauth1.identity import BaseIdentityPlugin
from keystoneauth1.session import Session
from oslo_config import cfg

from amphora_image.clients.http import Http
from amphora_image.clients.translate import retried, translated
from amphora_image.config import check_group
from amphora_image.config.options import AMPHORA_IMAGE, CINDER, GLANCE, NEUTRON, NOVA, SERVICE_AUTH
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Group of options → what the catalogue calls its service.
SERVICE_TYPES = {GLANCE: "image", NOVA: "compute", CINDER: "block-storage", NEUTRON: "network"}

#: As many reads that nobody answers fit into the deadline for all of them: one that hangs is no reason to give up.
_READS = 3

#: Options that keystoneauth's later releases have.
_TLS_OPTIONS = ("tls_ciphers", "tls_min_version")


def list_opts() -> list[tuple[str, list[cfg.Opt]]]:
    """List ``[service_auth]`` for oslo-config-generator, with what the most used auth plug-ins take."""
    options = loading.get_auth_common_conf_options() + loading.get_session_conf_options()
    for plugin in ("password", "v3applicationcredential"):
        options += loading.get_auth_plugin_conf_options(plugin)
    unique = {option.dest: option for option in options}
    return [(SERVICE_AUTH, [unique[name] for name in sorted(unique)])]


def has_credentials(conf: cfg.ConfigOpts) -> bool:
    """Tell whether ``[service_auth]`` is there at all, complete or not.

    :raises ConfigurationError: what would say so cannot be read.
    """
    loading.register_auth_conf_options(conf, SERVICE_AUTH)
    check_group(conf, SERVICE_AUTH, ["auth_section"])
    if conf[SERVICE_AUTH].auth_section:
        return True
    check_group(conf, SERVICE_AUTH, ["auth_type"])
    return bool(conf[SERVICE_AUTH].auth_type)


def load_session(conf: cfg.ConfigOpts) -> Session:
    """Make a session from ``[service_auth]``: any auth plug-in that keystoneauth has, with its TLS options.

    Nothing is sent: the first request that needs a token fetches it.

    :raises ConfigurationError: the group names no plug-in, an unknown one, or lacks what the plug-in needs.
    """
    loading.register_auth_conf_options(conf, SERVICE_AUTH)
    loading.register_session_conf_options(conf, SERVICE_AUTH)
    try:
        auth = loading.load_auth_from_conf_options(conf, SERVICE_AUTH)
        check_group(conf, SERVICE_AUTH, [*conf[SERVICE_AUTH]])
        session = _Loading().load_from_conf_options(conf, SERVICE_AUTH, auth=auth, session=_http(conf))
    except ksa.AuthPluginException as error:
        raise ConfigurationError(f"[service_auth]: {error}", "complete the group for its auth_type") from error
    except ImportError as error:
        problem = f"[service_auth] auth_type needs a package that is not installed: {error}"
        raise ConfigurationError(problem, "install it, or choose another auth_type") from error
    except cfg.Error as error:
        check_group(conf, SERVICE_AUTH, [*conf[SERVICE_AUTH]])
        raise ConfigurationError("[service_auth] cannot be read", "compare it with the sample configuration") from error
    if auth is None:
        raise ConfigurationError(
            "there are no credentials: [service_auth] has no auth_type",
            "write the group into the ini, or give --os-cloud NAME to a command",
        )
    if session.timeout is None:
        session.timeout = float(conf[AMPHORA_IMAGE].request_timeout_seconds)
    return session


def _http(conf: cfg.ConfigOpts) -> Http:
    """Make what is under the session, with the options of TLS that keystoneauth hands to its own alone.

    :raises ConfigurationError: they are of no use.
    """
    found = {name: getattr(conf[SERVICE_AUTH], name, None) for name in _TLS_OPTIONS}
    try:
        reading_seconds = conf[AMPHORA_IMAGE].retry_deadline_seconds / _READS
        return Http(tls={name: value for name, value in found.items() if value}, reading_seconds=reading_seconds)
    except (OSError, ValueError) as error:
        problem = f"[service_auth] {' or '.join(_TLS_OPTIONS)} cannot be used: {error}"
        raise ConfigurationError(problem, "write ciphers as OpenSSL does, and a version as 1.2 or 1.3") from error


class _Session(Session):
    """Keystoneauth's session, which reads from a token once, and not for each request, when it ends. Thread-safe."""

    #: A token's headers, what it came with, and until when by :func:`time.time` it may be used.
    _token: tuple[dict[str, str], Any, float] | None = None

    def get_auth_headers(self, auth: Any = None) -> dict[str, str] | None:
        """Give the headers that tell who we are; see keystoneauth."""
        token = self._token
        plugin = auth or self.auth
        if token and plugin is self.auth and getattr(plugin, "auth_ref", None) is token[1] and time.time() < token[2]:
            return token[0]
        headers: dict[str, str] | None = super().get_auth_headers(auth)
        if plugin is self.auth and isinstance(plugin, BaseIdentityPlugin):
            access = plugin.auth_ref
            if headers and access and access.expires and access.auth_token in headers.values():
                self._token = headers, access, access.expires.timestamp() - plugin.MIN_TOKEN_LIFE_SECONDS
        return headers


class _Loading(loading.session.Session):
    """Makes our kind of session from options."""

    @property
    def plugin_class(self) -> type[Session]:
        """Name the kind."""
        return _Session


def project_id(session: Session, *, deadline_seconds: float = 60) -> str | None:
    """Tell the id of the project that the session's token is scoped to, None for none; read from the token.

    :raises AmphoraImageError: Keystone refuses the credentials or gives no answer within the deadline.
    """
    auth = session.auth
    if isinstance(auth, BaseIdentityPlugin) and auth.auth_ref is not None:
        return auth.auth_ref.project_id  # as the last token said: all that one's credentials get are of one project

    def once() -> str | None:
        with translated("Keystone", "give a token"):
            return session.get_project_id()

    return retried(once, deadline_seconds=deadline_seconds)


def user(session: Session, *, deadline_seconds: float = 60) -> tuple[str, str]:
    """Tell name and id of the user whom the session's token is of; empty where its plug-in has no such token.

    :raises AmphoraImageError: Keystone refuses the credentials or gives no answer within the deadline.
    """

    def once() -> tuple[str, str]:
        with translated("Keystone", "give a token"):
            get_access = getattr(session.auth, "get_access", None)
            token = get_access(session) if get_access else None
            return (token.username or "", token.user_id or "") if token else ("", "")

    return retried(once, deadline_seconds=deadline_seconds)


def roles(session: Session, *, deadline_seconds: float = 60) -> frozenset[str]:
    """Tell the names of the roles that the session's token gives, in lower case; read from the token.

    :raises AmphoraImageError: Keystone refuses the credentials or gives no answer within the deadline.
    """

    def once() -> frozenset[str]:
        with translated("Keystone", "give a token"):
            auth: Any = session.auth
            return frozenset(role.lower() for role in auth.get_access(session).role_names)

    return retried(once, deadline_seconds=deadline_seconds)


def find_elsewhere(conf: cfg.ConfigOpts, group: str, place: Mapping[str, Any]) -> None:
    """Have the service of ``group`` found in a command's cloud, by ``place``: the ini's is that of ``[service_auth]``.

    ``place`` may have ``region_name``, ``endpoint_type``, ``endpoint`` and ``service_name``.
    """
    without = {"region_name": None, "endpoint": None, "service_name": None, "ca_certificates_file": None}
    for name, value in {**without, "endpoint_type": "public", "insecure": False, **place}.items():
        conf.set_override(name, value, group)


def service_session(session: Session, group: cfg.ConfigOpts.GroupAttr) -> Session:
    """Give the session for one service, with the TLS options of the service's group where it has some.

    Those hold for the service alone: Keystone is always verified as ``[service_auth]`` says.
    """
    verify = False if group.insecure else group.ca_certificates_file or None
    return cast("Session", _ServiceSession(session, verify=verify))


class _ServiceSession(Adapter):
    """A session as one service's client sees it: its endpoint is looked up once for each token, and not each request.

    ``verify`` is the service's own rule for certificates; tokens are fetched as the session behind it does.
    """

    def __init__(self, session: Session, *, verify: bool | str | None) -> None:
        super().__init__(session)
        self._verify = verify
        self._found: tuple[Any, dict[str, Any], str] | None = None

    def request(self, url: str, method: str, **keywords: Any) -> Any:
        """Send a request to the service."""
        wanted = keywords.get("endpoint_filter")
        if wanted and url.startswith("/") and not keywords.get("endpoint_override"):
            keywords["endpoint_override"] = self._endpoint(wanted)
        if self._verify is not None:
            keywords.setdefault("verify", self._verify)
        return self.session.request(url, method, **keywords)

    def _endpoint(self, wanted: dict[str, Any]) -> str | None:
        """Give the endpoint in the catalogue that came with the token in use; None leaves it to keystoneauth."""
        auth = self.session.auth
        if not isinstance(auth, BaseIdentityPlugin):
            return None
        # A token that ends is renewed for the request itself: the request after it has the new catalogue's endpoint.
        if self._found is None or self._found[0] is not auth.auth_ref or self._found[1] != wanted:
            catalogue, endpoint = auth.get_access(self.session), self.session.get_endpoint(**wanted)
            if endpoint is None:
                return None
            # keystoneauth fills in what it calls templates: a percent sign is none.
            self._found = (catalogue, dict(wanted), endpoint.replace("%", "%%"))
        return self._found[2]


def adapter(session: Session, group: cfg.ConfigOpts.GroupAttr, service_type: str) -> Adapter:
    """Bind ``session`` to one service, found as the endpoint options in ``group`` say; nothing is sent."""
    return Adapter(
        service_session(session, group),
        service_type=service_type,
        interface=group.endpoint_type,
        service_name=group.service_name or None,
        endpoint_override=group.endpoint or None,
        region_name=group.region_name or None,
    )
