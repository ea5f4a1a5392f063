# SPDX-License-Identifier: Apache-2.0
"""How to use a sandbox: its address, its users and ids, in the forms that programs read."""

from __future__ import annotations

import configparser
import io
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import yaml

from amphora_image.errors import SandboxError
from amphora_image.sandbox import catalogue

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Mapping

    from amphora_image.sandbox.state import State

#: The users one works as, with their projects.
USERS = {"admin": "admin", "octavia": "service", "demo": "demo"}

_DOMAIN = "Default"


@dataclass(frozen=True)
class Access:
    """Where a sandbox is and how to get in; ``projects`` are ids by name, ``root`` is its folder, with the logs.

    Its representation shows no password.
    """

    auth_url: str
    region: str
    passwords: Mapping[str, str] = field(repr=False)
    flavor_id: str
    network_id: str
    projects: Mapping[str, str]
    root: pathlib.Path
    #: Where load balancers may have their addresses; empty without Octavia.
    vip_network_id: str = ""
    vip_subnet_id: str = ""
    #: Its Nova's installation UUID, under which Glance keeps relations; empty without them.
    installation: str = ""

    @classmethod
    def of(cls, state: State, root: pathlib.Path) -> Access:
        """Say how to use a complete sandbox.

        :raises SandboxError: it is not complete.
        """
        if not state.prepared:
            raise SandboxError(f"the sandbox in {root} was never started to the end", "run `amphora-image sandbox up`")
        return cls(
            auth_url=catalogue.find("keystone").url(state.ports),
            region=catalogue.REGION,
            passwords={user: state.passwords[user] for user in USERS},
            flavor_id=state.ids["flavor"],
            network_id=state.ids["network"],
            projects={name: state.ids[f"project.{name}"] for name in ("admin", "service", "demo")},
            root=root,
            vip_network_id=state.ids.get("tenant-network", ""),
            vip_subnet_id=state.ids.get("tenant-subnet", ""),
            installation=state.sandbox_id if catalogue.RELATIONS in state.extras else "",
        )

    def clouds(self) -> str:
        """Render a clouds.yaml with one entry for each user."""
        clouds = {
            user: {
                "auth": {
                    "auth_url": self.auth_url,
                    "username": user,
                    "password": self.passwords[user],
                    "project_name": project,
                    "user_domain_name": _DOMAIN,
                    "project_domain_name": _DOMAIN,
                },
                "region_name": self.region,
                "identity_api_version": 3,
            }
            for user, project in USERS.items()
        }
        return str(yaml.safe_dump({"clouds": clouds}, sort_keys=False))

    def shell(self, user: str) -> str:
        """Render lines that make a POSIX shell's OS_* variables those of ``user``, whatever they were.

        :raises SandboxError: there is no such user.
        """
        _check(user)
        variables = {
            "OS_AUTH_TYPE": "password",
            "OS_AUTH_URL": self.auth_url,
            "OS_USERNAME": user,
            "OS_PASSWORD": self.passwords[user],
            "OS_PROJECT_NAME": USERS[user],
            "OS_USER_DOMAIN_NAME": _DOMAIN,
            "OS_PROJECT_DOMAIN_NAME": _DOMAIN,
            "OS_REGION_NAME": self.region,
            "OS_IDENTITY_API_VERSION": "3",
        }
        # What another cloud left behind would win over these, or contradict them.
        unset = "unset OS_CLOUD OS_TOKEN OS_PROJECT_ID OS_USER_ID OS_USER_DOMAIN_ID OS_PROJECT_DOMAIN_ID OS_DOMAIN_NAME OS_SYSTEM_SCOPE"
        # A proxy knows nothing of this machine's loopback.
        direct = 'export no_proxy="127.0.0.1${no_proxy:+,$no_proxy}" NO_PROXY="127.0.0.1${NO_PROXY:+,$NO_PROXY}"'
        return "\n".join(
            [unset, direct, *(f"export {name}={shlex.quote(value)}" for name, value in variables.items()), ""]
        )

    def ini(self, user: str = "octavia", image_tag: str = "amphora") -> str:
        """Render the configuration of a controller worker that boots its amphorae here with our compute driver.

        :param image_tag: what the worker looks for in Glance.
        :raises SandboxError: there is no such user.
        """
        _check(user)
        parser = configparser.RawConfigParser()
        parser.read_dict(
            {
                "controller_worker": {
                    "compute_driver": "amphora_image_driver",
                    "amp_image_tag": image_tag,
                    "amp_flavor_id": self.flavor_id,
                    "amp_boot_network_list": self.network_id,
                },
                "service_auth": {
                    "auth_type": "password",
                    "auth_url": self.auth_url,
                    "username": user,
                    "password": self.passwords[user],
                    "project_name": USERS[user],
                    "user_domain_name": _DOMAIN,
                    "project_domain_name": _DOMAIN,
                },
                "nova": {"endpoint_type": "publicURL", "region_name": self.region},
                "glance": {"endpoint_type": "publicURL", "region_name": self.region},
            }
        )
        rendered = io.StringIO()
        parser.write(rendered)
        return f"[DEFAULT]\n\n{rendered.getvalue()}"


def _check(user: str) -> None:
    if user not in USERS:
        raise SandboxError(f"the sandbox has no user {user!r} to work as", f"use one of {', '.join(USERS)}")
