# SPDX-License-Identifier: Apache-2.0
"""The services' configuration files, rendered from the templates beside this module."""

from __future__ import annotations

import os
import pathlib
import re
from importlib import metadata, resources
from string import Template
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue, database
from amphora_image.sandbox.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from amphora_image.sandbox.layout import Layout
    from amphora_image.sandbox.state import State

#: The file that each service looks for in its folder.
FILES = {
    "keystone": "keystone.conf",
    "glance": "glance-api.conf",
    "placement": "placement.conf",
    "nova": "nova.conf",
    "neutron": "neutron.conf",
    "octavia": "octavia.conf",
}

#: What a user may add to Octavia's file.
_LOCAL = """# Read after octavia.conf, and never written again: what you set here wins, and stays.
# Send SIGHUP to the processes that `sandbox status` shows, and they take over what is mutable; else `down` and `up`.
"""

#: The pipelines that a distribution brings as data files, by service.
_RELATIONS_PASTE = pathlib.PurePath("glance", "paste-with-relations.ini")
_PASTE_FILES = {"glance": "glance-api-paste.ini", "nova": "api-paste.ini", "neutron": "api-paste.ini"}


def write(layout: Layout, state: State) -> None:
    """Write the files of all services, readable by their owner only.

    :raises SandboxError: an installed service lacks its paste file.
    :raises OSError: a file cannot be written.
    """
    for service in catalogue.services(state.extras):
        write_private(config_file(layout, service.name), _render(service, layout, state))
    if catalogue.RELATIONS in state.extras:
        stock = pathlib.Path(_paste_file(catalogue.find("glance"))).read_text(encoding="utf-8")
        write_private(layout.config / _RELATIONS_PASTE, _with_filter(stock))
    local = layout.config / "octavia" / "local.conf"
    if "octavia" in state.extras and not local.exists():
        write_private(local, _LOCAL)


def config_file(layout: Layout, service: str) -> pathlib.Path:
    """Give the path of a service's own file."""
    return layout.config / service / FILES[service]


def told(layout: Layout, path: pathlib.Path) -> str:
    """Say to a service where a file is: from the sandbox's folder, in which each of them runs.

    oslo.config looks for the names of options in its own arguments, too, and there a dollar sign cannot be escaped.
    """
    return str(path.relative_to(layout.root))


def arguments(layout: Layout, each: catalogue.Service | catalogue.Program) -> list[str]:
    """Give the arguments by which a service or program finds its files."""
    return [value.format(etc=told(layout, layout.config)) for value in each.arguments]


def script(program: catalogue.Program) -> str:
    """Find a program where its distribution recorded it at installation.

    :raises SandboxError: it was installed without it.
    """
    return _recorded(program.distribution, pathlib.PurePath("bin", program.name))


def environ(layout: Layout, service: catalogue.Service) -> dict[str, str]:
    """Give the variables by which a service finds its files.

    :raises SandboxError: it was installed without its paste file.
    """
    places = {"etc": told(layout, layout.config), "paste": _paste_file(service)}
    return {name: value.format_map(places) for name, value in service.environ.items()}


def template(name: str, values: Mapping[str, object]) -> str:
    """Fill in the template ``name``; a value that is missing is a defect and raises KeyError."""
    text = resources.files(__package__).joinpath("templates", f"{name}.ini").read_text(encoding="utf-8")
    return Template(text).substitute(values)


def write_private(path: pathlib.Path, text: str) -> None:
    """Write a file that nobody but its owner can read, not even while it is written.

    :raises OSError: it cannot be written.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def _render(service: catalogue.Service, layout: Layout, state: State) -> str:
    values: dict[str, object] = {
        "database": database.url(state),
        "host": HOST,
        "keystone_url": catalogue.find("keystone").url(state.ports),
        "password": state.passwords.get(service.name, ""),
        "paste": _paste_file(service),
        "port": state.ports[service.name],
        "region": catalogue.REGION,
        "root": layout.root,
        "service": service.name,
    }
    if service.name == "octavia":
        values.update(_octavia(state))
    with_relations = service.name == "glance" and catalogue.RELATIONS in state.extras
    if with_relations:
        values.update(paste=layout.config / _RELATIONS_PASTE, installation=state.sandbox_id)
    values = {name: _literal(value) for name, value in values.items()}
    own = template(service.name, values) + (template("relations", values) if with_relations else "")
    return own if service.name == "keystone" else f"{template('common', values)}\n{own}"


def _literal(value: object) -> str:
    """Write a value so that oslo.config, to whom a dollar sign begins the name of another option, gives it back."""
    return str(value).replace("$", "$$")


def _paste_file(service: catalogue.Service) -> str:
    """Find a data file by what its distribution recorded at installation: its place differs between schemes."""
    if service.name not in _PASTE_FILES:
        return ""
    return _recorded(service.distribution, pathlib.PurePath("etc", service.name, _PASTE_FILES[service.name]))


def _recorded(distribution: str, wanted: pathlib.PurePath) -> str:
    for recorded in metadata.files(distribution) or ():
        if recorded.parts[-len(wanted.parts) :] == wanted.parts:
            return str(pathlib.Path(str(recorded.locate())).resolve())
    version = metadata.version(distribution)
    raise SandboxError(
        f"{distribution} {version} was installed without {wanted}",
        f"install it again: pip install --force-reinstall --no-deps {distribution}=={version}",
    )


def _with_filter(stock: str) -> str:
    """Put our filter where the documentation says: after ``context``, in each pipeline that has a user.

    :raises SandboxError: the pipelines are not what they were.
    """
    changed, count = re.subn(r"(?m)^(keystone\S* = .*\bauthtoken context)\b", r"\1 amphora_image_relations", stock)
    if not count:
        raise SandboxError("Glance's paste file has no pipeline with `authtoken context`", "install glance 33")
    factory = "amphora_image.relation.middleware:filter_factory"
    return f"{changed}\n[filter:amphora_image_relations]\npaste.filter_factory = {factory}\n"


def _octavia(state: State) -> dict[str, object]:
    """Give what only Octavia's file says; the ids are empty as long as nothing has them."""
    return {
        "ca_passphrase": state.passwords["octavia-ca"],
        "certificates_passphrase": state.passwords["octavia-certificates"],
        "compute_driver": state.compute_driver,
        "flavor": state.ids.get("flavor", ""),
        "health_port": state.ports["octavia-health-manager"],
        "heartbeat_key": state.passwords["octavia-heartbeat"],
        "network": state.ids.get("network", ""),
    }
