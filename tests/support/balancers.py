# SPDX-License-Identifier: Apache-2.0
"""What tests do by Octavia's API, and what they look at in a sandbox that has Octavia."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from keystoneauth1.adapter import Adapter
from support.cloud import until

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from support.cloud import Cloud, User

    from amphora_image.sandbox import Access, Sandbox

LOAD_BALANCERS = "/v2.0/lbaas/loadbalancers"
AMPHORAE = "/v2/octavia/amphorae"
SECONDS = 240


def balancing(user: User) -> Adapter:
    """Give Octavia's API as a user."""
    return Adapter(user.session, service_type="load-balancer", interface="public", raise_exc=False)


def begin(api: Adapter, access: Access, **options: Any) -> str:
    """Ask for a load balancer and give its path."""
    body = {"loadbalancer": {"name": "test", "vip_subnet_id": access.vip_subnet_id, **options}}
    answer = api.post(LOAD_BALANCERS, json=body)
    assert answer.status_code == 201, answer.text
    return f"{LOAD_BALANCERS}/{answer.json()['loadbalancer']['id']}"


def made(api: Adapter, path: str) -> dict[str, Any]:
    """Wait until nothing is done to a load balancer any more, and give it."""

    def settled() -> dict[str, Any] | None:
        found = api.get(path).json()["loadbalancer"]
        return None if found["provisioning_status"].startswith("PENDING") else found

    return until(settled, seconds=SECONDS, what="the load balancer is made")


def unmake(api: Adapter, *paths: str) -> None:
    """Delete load balancers and wait until they are gone."""
    for path in paths:
        answer = api.delete(f"{path}?cascade=true")
        assert answer.status_code == 204, answer.text
    for path in paths:
        until(lambda path=path: api.get(path).status_code == 404, seconds=SECONDS, what="the load balancer is gone")


@contextmanager
def load_balancer(api: Adapter, access: Access, **options: Any) -> Iterator[dict[str, Any]]:
    """Make a load balancer, wait for it, and delete it in the end."""
    path = begin(api, access, **options)
    try:
        yield made(api, path)
    finally:
        unmake(api, path)


def flavor_of(admin: Adapter, name: str, **data: str) -> str:
    """Make one of Octavia's flavors and give its id."""
    profile = {"name": name, "provider_name": "amphora", "flavor_data": json.dumps(data)}
    answer = admin.post("/v2.0/lbaas/flavorprofiles", json={"flavorprofile": profile})
    assert answer.status_code == 201, answer.text
    flavor = {"name": name, "flavor_profile_id": answer.json()["flavorprofile"]["id"], "enabled": True}
    answer = admin.post("/v2.0/lbaas/flavors", json={"flavor": flavor})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["flavor"]["id"])


def zone_of(admin: Adapter, name: str, **data: str) -> str:
    """Make one of Octavia's availability zones and give its name, by which it is known."""
    profile = {"name": name, "provider_name": "amphora", "availability_zone_data": json.dumps(data)}
    answer = admin.post("/v2.0/lbaas/availabilityzoneprofiles", json={"availability_zone_profile": profile})
    assert answer.status_code == 201, answer.text
    profile_id = answer.json()["availability_zone_profile"]["id"]
    zone = {"name": name, "availability_zone_profile_id": profile_id, "enabled": True}
    answer = admin.post("/v2.0/lbaas/availabilityzones", json={"availability_zone": zone})
    assert answer.status_code == 201, answer.text
    return name


def amphorae(admin: Adapter, balancer: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List a load balancer's amphorae, as Octavia's database has them."""
    found = admin.get(AMPHORAE, params={"loadbalancer_id": balancer["id"]}).json()["amphorae"]
    return [one for one in found if one["status"] != "DELETED"]


def things(cloud: Cloud) -> dict[str, list[dict[str, Any]]]:
    """All that a load balancer needs of other services, by kind."""
    octavia = cloud.octavia
    return {
        "servers": octavia.compute.get("/servers/detail?all_tenants=1").json()["servers"],
        "groups": octavia.compute.get("/os-server-groups?all_projects=1").json()["server_groups"],
        "ports": octavia.network.get("/v2.0/ports").json()["ports"],
    }


def nothing_is_left(cloud: Cloud) -> None:
    """Wait until there is no server, port or server group any more."""
    until(lambda: not any(things(cloud).values()), seconds=90, what="no server, port or server group is left")


def roots(box: Sandbox) -> dict[str, int | None]:
    """The pid of each of Octavia's three programs."""
    return {each.service: each.pid for each in box.status() if each.service.startswith("octavia")}


def hup(pids: Mapping[str, int | None]) -> None:
    """Tell programs to read their configuration again."""
    for pid in pids.values():
        assert pid
        os.kill(pid, signal.SIGHUP)


def logged(box: Sandbox, service: str, text: str) -> re.Match[str] | None:
    """Look for a regular expression in what a service logged since its start."""
    return re.search(text, "\n".join(box.logs(service, 100_000)))
