# SPDX-License-Identifier: Apache-2.0
"""The first requests to a cloud that has just started, sent before anybody else's can fail."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from amphora_image.sandbox.seed import Clients

_AT_ONCE = 8


def warm_up(clients: Clients) -> None:
    """Ask each service once what a boot asks it, and Neutron many times at once.

    Right after its start Neutron answers some of many concurrent requests as if the network did not exist, and Nova
    hands that on to its users as "400 Network could not be found".

    :raises SandboxError: a service refused a request.
    """
    nova, octavia, state = clients.of("nova"), clients.of("octavia"), clients.state
    network_id = state.ids["network"]
    port = octavia.call("neutron", "POST", "/v2.0/ports", {"port": {"name": "warm-up", "network_id": network_id}})[
        "port"
    ]
    octavia.call("neutron", "DELETE", f"/v2.0/ports/{port['id']}")

    def ask(path: str) -> None:
        nova.call("neutron", "GET", path)

    paths = (
        f"/v2.0/networks?id={network_id}",
        "/v2.0/extensions",
        f"/v2.0/quotas/{state.ids['project.service']}",
        f"/v2.0/subnets?network_id={network_id}",
        "/v2.0/ports?device_id=none",
        "/v2.0/security-groups?fields=id",
    )
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        list(pool.map(ask, paths * 3))
    octavia.call("glance", "GET", "/v2/images?limit=1")
    octavia.call("nova", "GET", "/servers/detail?limit=1")
    octavia.call("nova", "GET", f"/flavors/{state.ids['flavor']}")
    if "octavia" in state.extras:
        octavia.call("octavia", "GET", "/v2.0/lbaas/loadbalancers")
