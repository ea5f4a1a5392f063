# SPDX-License-Identifier: Apache-2.0
"""What the commands on a cloud share: finding configuration and credentials, reading a reference, showing values."""

from __future__ import annotations

import argparse
import contextlib
import os
import re
from typing import TYPE_CHECKING, Any

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.config.policy import Policy, Wanted
    from amphora_image.drivers.runtime import Runtime

_SERVER_ID = re.compile(r"[0-9a-fA-F]{8}-?(?:[0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")


def names_a_cloud(options: argparse.Namespace) -> bool:
    """Tell whether --os-cloud or OS_* variables give credentials."""
    return bool(options.os_clouds or os.environ.get("OS_CLOUD") or os.environ.get("OS_AUTH_URL"))


def open_runtime(options: argparse.Namespace, prepare: Callable[[cfg.ConfigOpts], None] | None = None) -> Runtime:
    """Do what :func:`open_session` does, and make what a driver works with.

    :raises ConfigurationError: as for :func:`open_session`.
    """
    from amphora_image.drivers.runtime import Runtime  # noqa: PLC0415 - heavy

    return Runtime(*open_session(options, prepare))


def open_session(
    options: argparse.Namespace, prepare: Callable[[cfg.ConfigOpts], None] | None = None
) -> tuple[cfg.ConfigOpts, Session]:
    """Load the ini and choose the credentials: --os-cloud, then OS_*, then ``[service_auth]``; nothing is sent.

    ``prepare`` may change what was loaded.

    :raises ConfigurationError: the ini, the cloud's entry or ``[service_auth]`` cannot be used, or there are more clouds.
    """
    conf = _loaded(options, prepare)
    return conf, session_of(options, conf)


def session_of(options: argparse.Namespace, conf: cfg.ConfigOpts) -> Session:
    """Do what :func:`open_session` does with an ini that is loaded already.

    :raises ConfigurationError: as for :func:`open_session`.
    """
    if len(options.os_clouds) > 1:
        raise ConfigurationError("this command works on one cloud, and --os-cloud names several", "give one of them")
    return _session(options, next(iter(options.os_clouds), None), conf)


def open_sessions(
    options: argparse.Namespace,
) -> dict[str, tuple[cfg.ConfigOpts, Session]]:
    """Do what :func:`open_session` does for each --os-cloud, by its name; empty is the name of what no option names.

    :raises ConfigurationError: as for :func:`open_session`.
    """
    opened = {}
    for name in options.os_clouds or [""]:
        conf = _loaded(options)
        opened[name] = conf, _session(options, name or None, conf)
    return opened


def _loaded(options: argparse.Namespace, prepare: Callable[[cfg.ConfigOpts], None] | None = None) -> cfg.ConfigOpts:
    from amphora_image.config import load  # noqa: PLC0415 - heavy

    conf = load(options.config_file, options.config_dir)
    if prepare is not None:
        prepare(conf)
    return conf


def _session(options: argparse.Namespace, cloud: str | None, conf: cfg.ConfigOpts) -> Session:
    if names_a_cloud(options):
        from amphora_image.clients.plain_cloud import plain_session  # noqa: PLC0415 - heavy

        if (session := plain_session(cloud, conf, os.environ)) is not None:
            return session
        from amphora_image.clients.cloud import cloud_session  # noqa: PLC0415 - heavier still

        return cloud_session(cloud, conf)
    from amphora_image.clients.session import load_session  # noqa: PLC0415 - heavy

    return load_session(conf)


def wanted_by(policy: Policy, text: str | None, zone: str | None = None) -> Wanted:
    """Say what is wanted: the reference on the command line, else what by ``policy`` a build in ``zone`` would want."""
    from amphora_image.config.policy import Wanted  # noqa: PLC0415 - heavy
    from amphora_image.reference import Reference  # noqa: PLC0415 - heavy

    if text is None:
        return policy.wanted(zone=zone)
    return Wanted.of(Reference.parse(text, bare_word_is_tag=True), "the command line")


def server_id(text: str) -> str:
    """Check that ``text`` can be a server's id before it becomes part of a path.

    :raises ConfigurationError: it is no UUID.
    """
    if not _SERVER_ID.fullmatch(text):
        raise ConfigurationError(f"{text!r} is no server id", "give the UUID that `amphora-image boot` printed")
    return text


def seconds(text: str) -> float:
    """Read a time to wait from the command line.

    :raises argparse.ArgumentTypeError: it is none.
    """
    with contextlib.suppress(ValueError):
        if 0 < float(text) < float("inf"):
            return float(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")


def columns(value: Any, names: tuple[str, ...]) -> tuple[tuple[str, ...], list[Any]]:
    """Give the named attributes of ``value`` as cliff's ShowOne takes them."""
    return names, [getattr(value, name) for name in names]
