# SPDX-License-Identifier: Apache-2.0
"""Credentials of web servers, host by host: what belongs to one is never sent to another, and never without TLS."""

from __future__ import annotations

import base64
import configparser
import netrc
import os
import re
import stat
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amphora_image.config.web import WebRules
    from amphora_image.reference import UrlReference

#: type → the keys that a section of that type has.
_KEYS = {"basic": ("username", "password"), "bearer": ("token",), "header": ("header", "value")}
_HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")
#: What would end a header, or could not be sent in one.
_NO_HEADER_VALUE = re.compile(r"[^\x20-\x7e]")


def headers_for(reference: UrlReference, rules: WebRules) -> dict[str, str]:
    """Give the headers that carry the credentials of the host of ``reference``; none over http.

    A section that names the port too comes before one that does not.

    :raises ConfigurationError: a file with credentials is missing, open to others, or cannot be read.
    """
    if reference.scheme != "https":
        return {}
    names = (f"{reference.host}:{reference.port or 443}", reference.host)
    sections = _sections(rules.credentials_file) if rules.credentials_file else {}
    for name in names:
        if name in sections:
            return _from_section(name, sections[name], rules.credentials_file)
    return _from_netrc(reference.host, rules.netrc_file) if rules.netrc_file else {}


def _sections(path: str) -> Mapping[str, Mapping[str, str]]:
    # Not strict=False: of two sections for one host the wrong one might count. No interpolation: % is one of passwords.
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(_private_text(path))
    except configparser.Error as error:
        # The parser's own message quotes the line, which may be a password; its number does not.
        wrong = [number for number, _ in getattr(error, "errors", ())]
        problem = f"{path}, line {getattr(error, 'lineno', None) or wrong[0]}, is no ini"
        raise ConfigurationError(problem, "write a [HOST] section for each host") from None
    return {name.lower(): parser[name] for name in parser.sections()}


def _from_section(host: str, section: Mapping[str, str], path: str) -> dict[str, str]:
    kind = section.get("type", "")
    keys = _KEYS.get(kind)
    if keys is None or set(section) != {"type", *keys}:
        wanted = f"type = {kind}, {' and '.join(keys)}" if keys else f"a type, one of {', '.join(_KEYS)}"
        raise ConfigurationError(f"{path}: [{host}] does not have {wanted}, and nothing else", "complete the section")
    if any(_NO_HEADER_VALUE.search(section[key]) for key in keys if key not in {"username", "password"}):
        raise ConfigurationError(f"{path}: [{host}] holds what no header can", "write printable ASCII, on one line")
    match kind:
        case "basic":
            return _basic(section["username"], section["password"])
        case "bearer":
            return {"Authorization": f"Bearer {section['token']}"}
    if not _HEADER_NAME.fullmatch(section["header"]):
        raise ConfigurationError(f"{path}: [{host}] header is no header's name", "write letters, digits and hyphens")
    return {section["header"]: section["value"]}


def _from_netrc(host: str, path: str) -> dict[str, str]:
    _private_text(path)
    try:
        # Not its `default` entry: that would send one password to every host.
        found = netrc.netrc(path).hosts.get(host)
    except netrc.NetrcParseError as error:
        raise ConfigurationError(f"{path}, line {error.lineno}, is no netrc", "correct the line") from None
    return _basic(found[0], found[2]) if found else {}


def _basic(username: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()}


def _private_text(path: str) -> str:
    """Read a file that nobody but its owner, and maybe a group, may read.

    :raises ConfigurationError: it cannot be read, others may read it, or more than the owner may write it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        with open(descriptor, encoding="utf-8") as file:  # noqa: PTH123 - the status is that of what was opened
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError(f"{path}, which should hold credentials, is no file", "name a file")
            if status.st_mode & (stat.S_IRWXO | stat.S_IWGRP):
                problem = f"{path} holds credentials, and its mode {stat.S_IMODE(status.st_mode):o} lets others at it"
                raise ConfigurationError(problem, f"run `chmod 600 {path}`")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        problem = (
            f"{path}, which should hold credentials, cannot be read: {getattr(error, 'strerror', '') or 'no UTF-8'}"
        )
        raise ConfigurationError(problem, "correct credentials_file or netrc_file in [image_http]") from error
