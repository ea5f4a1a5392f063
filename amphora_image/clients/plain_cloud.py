# SPDX-License-Identifier: Apache-2.0
"""The plain entries of clouds.yaml, read without openstacksdk, which costs more to load than all else of a command.

Plain is what nobody can read in two ways: who one is, by a password or an application credential; and where, by
``region_name``, ``interface`` and the two about TLS. Whatever else there is, in the entry, beside it or in the environment,
is openstacksdk's to read, and so is the telling of what is wrong (``doc/adr/0018``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from keystoneauth1 import loading
from keystoneauth1.session import Session

from amphora_image.clients.http import Http
from amphora_image.clients.session import SERVICE_TYPES, find_elsewhere
from amphora_image.config.options import AMPHORA_IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from oslo_config import cfg

#: What may be in the environment of what it begins with; all other such variables are openstacksdk's to mind.
_MINDED = ("OS_", "XDG_CONFIG_", "SNAP_REAL_HOME")
_KNOWN = frozenset({"OS_CLOUD", "OS_CLIENT_CONFIG_FILE"})
_SUFFIXES = (".yaml", ".yml", ".json")

_WORD = re.compile(r"[\w.-]+")
_DOMAINS = frozenset({"user_domain_name", "user_domain_id", "project_domain_name", "project_domain_id"})
#: auth_type → what its ``auth`` has to have, and what it may have besides.
_AUTH = {
    "password": ({"auth_url", "username", "password"}, {"project_name", "project_id", *_DOMAINS}),
    "v3applicationcredential": ({"auth_url", "application_credential_id", "application_credential_secret"}, set()),
}
_INTERFACES = ("public", "internal", "admin")


def plain_session(
    name: str | None, conf: cfg.ConfigOpts, environ: Mapping[str, str], folders: Sequence[Path] | None = None
) -> Session | None:
    """Make a session for the cloud ``name``, or that of OS_CLOUD, where its entry is plain; nothing is sent.

    The cloud's region and interface replace those in ``conf``. ``folders`` are searched for clouds.yaml, and unless given
    those that openstacksdk searches.
    """
    name = name or environ.get("OS_CLOUD")
    if not name or any(variable.startswith(_MINDED) and variable not in _KNOWN for variable in environ):
        return None
    if folders is None:
        if not (home := environ.get("HOME")):
            return None
        folders = [Path(), Path(home, ".config/openstack"), Path("/etc/xdg/openstack"), Path("/etc/openstack")]
    file = _file(environ.get("OS_CLIENT_CONFIG_FILE"), folders)
    entry = _entry(file, name) if file else None
    if entry is None:
        return None
    auth_type = entry.get("auth_type", "password")
    auth: Any = loading.get_plugin_loader(auth_type).load_from_options(**entry["auth"])
    verify = entry.get("cacert", entry.get("verify", True))
    for group in SERVICE_TYPES:
        place = {"region_name": entry.get("region_name", ""), "endpoint_type": entry.get("interface", "public")}
        find_elsewhere(conf, group, place)
    timeout = float(conf[AMPHORA_IMAGE].request_timeout_seconds)
    return Session(auth=auth, session=Http(), verify=verify, timeout=timeout)


def _file(named: str | None, folders: Sequence[Path]) -> Path | None:
    """Find the file that openstacksdk would read, None where there is none, or one with secrets apart from it."""
    if any((folder / f"secure{suffix}").exists() for folder in folders for suffix in _SUFFIXES):
        return None
    places = [Path(named)] if named else []
    places += [folder / f"clouds{suffix}" for folder in folders for suffix in _SUFFIXES]
    return next((place for place in places if place.exists()), None)


def _entry(file: Path, name: str) -> dict[str, Any] | None:
    """Read the entry, None where it, or the file, is not plain."""
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return None
    if not isinstance(content, dict) or content.keys() != {"clouds"} or not isinstance(content["clouds"], dict):
        return None
    entry = content["clouds"].get(name)
    return entry if isinstance(entry, dict) and _is_plain(entry) else None


def _is_plain(entry: Mapping[str, Any]) -> bool:
    checks: dict[str, Callable[[Any], bool]] = {
        "auth": lambda value: _is_plain_auth(entry.get("auth_type", "password"), value),
        "auth_type": [*_AUTH].__contains__,
        "identity_api_version": lambda value: value in (3, "3"),
        "region_name": lambda value: isinstance(value, str) and bool(_WORD.fullmatch(value)),
        "interface": _INTERFACES.__contains__,
        "verify": lambda value: isinstance(value, bool) and (value or "cacert" not in entry),
        "cacert": lambda value: isinstance(value, str) and value.startswith("/") and not {"{", "}"} & {*value},
    }
    return "auth" in entry and all(key in checks and checks[key](value) for key, value in entry.items())


def _is_plain_auth(auth_type: Any, auth: Any) -> bool:
    if auth_type not in [*_AUTH] or not isinstance(auth, dict):
        return False
    needed, allowed = _AUTH[auth_type]
    if not needed <= auth.keys() <= needed | allowed:
        return False
    return all(isinstance(value, str) and value for value in auth.values()) and not {"{", "}"} & {*auth["auth_url"]}
