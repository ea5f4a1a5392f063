# SPDX-License-Identifier: Apache-2.0
"""Users with the least of roles, whose requests are seen; the fixtures of the tests of what each command needs."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass

import pytest
from keystoneauth1.adapter import Adapter
from support.cloud import until
from support.proxy import proxying

SERVICES = {"glance": "image", "nova": "compute", "neutron": "network"}


@dataclass
class Least:
    """A user with a role or two: its ini, whose services are behind proxies."""

    ini: str
    password: str
    proxies: dict

    def calls(self):
        """Give each kind of request that was sent, and forget them."""
        seen = {_kind(request) for proxy in self.proxies.values() for request in proxy.seen}
        for proxy in self.proxies.values():
            proxy.calm()
        return seen


def _kind(request):
    method, path = request.split(" ")
    path = path.partition("?")[0].removeprefix("/v2.1")
    path = re.sub(r"/os-keypairs/.+", "/os-keypairs/NAME", path)
    path = re.sub(r"/tags/.+", "/tags/TAG", path)
    return f"{method} {re.sub(r'[0-9a-f]{8}-[0-9a-f-]{27}', 'ID', path)}"


@pytest.fixture(scope="module")
def passwords(access, users):
    """Give name and password of a user who has just these roles in the service's project, made when first asked for."""
    identity = Adapter(users("admin").session, service_type="identity", interface="public", raise_exc=False)
    known = {one["name"]: one["id"] for one in identity.get("/roles").json()["roles"]}
    project, made, given = access.projects["service"], [], {}

    def make(roles):
        name, password = f"{roles.replace(' ', '-')}-{uuid.uuid4().hex[:8]}", uuid.uuid4().hex
        answer = identity.post("/users", json={"user": {"name": name, "password": password, "domain_id": "default"}})
        assert answer.status_code == 201, answer.text
        made.append(answer.json()["user"]["id"])
        for role in roles.split():
            path = f"/projects/{project}/users/{made[-1]}/roles/{known[role]}"
            assert identity.put(path).status_code == 204
        return name, password

    yield lambda roles: given.get(roles) or given.setdefault(roles, make(roles))
    for user_id in made:
        identity.delete(f"/users/{user_id}")


@pytest.fixture(scope="module")
def proxies(users):
    session = users("octavia").session
    at = {name: session.get_endpoint(service_type=kind, interface="public") for name, kind in SERVICES.items()}
    with proxying(at["glance"]) as glance, proxying(at["nova"]) as nova, proxying(at["neutron"]) as neutron:
        yield {"glance": glance, "nova": nova, "neutron": neutron}


@pytest.fixture
def least(cloud, tag, passwords, proxies):
    """Make a user by the names of roles; ``creator`` gives a token, and is in no policy of the services."""

    def make(roles, **options):
        name, password = passwords(roles)
        own = {"service_auth__username": name, "service_auth__password": password}
        behind = {f"{service}__endpoint": proxy.url for service, proxy in proxies.items()}
        user = Least(
            cloud.ini(**{"controller_worker__amp_image_tag": tag, **own, **behind, **options}), password, proxies
        )
        user.calls()
        return user

    return make


@pytest.fixture
def of(command):
    """Run a command as that user."""

    def call(user, *arguments):
        return command("--config-file", user.ini, *arguments).holds_none_of([user.password])

    return call


@pytest.fixture
def server_id(cloud, tag):
    """A server of the service's project."""
    image_id = cloud.upload("v1", tag)
    body = {"name": f"amphora-{uuid.uuid4()}", "imageRef": image_id, "flavorRef": cloud.access.flavor_id}
    networks = [{"uuid": cloud.access.network_id}]
    answer = cloud.octavia.compute.post("/servers", json={"server": {**body, "networks": networks}})
    path = f"/servers/{answer.json()['server']['id']}"
    until(
        lambda: cloud.octavia.compute.get(path).json()["server"]["status"] == "ACTIVE",
        seconds=60,
        what="a server that is ACTIVE",
    )
    yield path.removeprefix("/servers/")
    cloud.octavia.compute.delete(path)
    until(lambda: cloud.octavia.compute.get(path).status_code == 404, seconds=60, what="a deleted server")


def succeeded(ended):
    assert ended.code == 0, ended.stderr
    return ended


def refused(ended, service):
    return ended.failed(5, f"{service} does not allow this user to", "give the user the role")
