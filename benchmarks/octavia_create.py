# SPDX-License-Identifier: Apache-2.0
"""Twenty load balancers at once by Octavia's API, with our compute driver and with Octavia's own, in turn.

Each is ACTIVE_STANDBY; there is no anti-affinity, as by Octavia's default. What Octavia sends to Keystone, Glance and Nova is counted at a proxy before
each; what its network driver does at Neutron is alike for both and not counted. Of Nova's, those by which Octavia looks
whether a server is ACTIVE are told apart, and so are the ports that its network driver has plugged.
``amp_active_wait_sec`` is the sandbox's for both.

Arguments: how many rounds of both (3), and how many load balancers (20).
"""

from __future__ import annotations

import configparser
import json
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.balancers import LOAD_BALANCERS, balancing, begin, flavor_of
from support.cloud import Cloud, Users, until
from support.proxy import Proxy, proxying

from amphora_image.sandbox import Sandbox

if TYPE_CHECKING:
    from keystoneauth1.adapter import Adapter

TAG = "amphora"
DRIVERS = ("amphora_image_driver", "compute_nova_driver")
NOWHERE = "http://127.0.0.1:9"
SECONDS = 900
_SAMPLES = Path(__file__).parent / "samples"
_KINDS = (
    ("nova: polls of a server", r"^GET /v2.1/servers/[0-9a-f-]{36}$"),
    # Octavia's network driver, which has them plugged by the compute driver, asks for as many of both.
    ("nova: ports plugged", r"^POST /v2.1/servers/[0-9a-f-]{36}/os-interface$"),
    ("nova: look-ups of interfaces", r"^GET /v2.1/servers/[0-9a-f-]{36}/os-interface$"),
)
_COUNTS = {
    "all requests": (),
    "those without the polls": ("nova: polls of a server",),
    "those without the network driver's": ("nova: ports plugged",),
    "those without the polls either": ("nova: ports plugged", "nova: polls of a server"),
}


def start(box: Sandbox, proxies: dict[str, Proxy], driver: str) -> Cloud:
    """Start a new sandbox with Octavia behind the proxies, and give it with one image on the tag."""
    box.down(remove=True)
    write_local(box, proxies)
    access = box.up(deadline_seconds=300, with_=("octavia",), compute_driver=driver)
    cloud = Cloud(access, box.layout.root.parent, Users(access))
    session = cloud.octavia.session
    proxies["keystone"].upstream = access.auth_url
    for name, kind in (("glance", "image"), ("nova", "compute")):
        proxies[name].upstream = session.get_endpoint(service_type=kind, interface="public")
    cloud.upload("v1", TAG)
    return cloud


def write_local(box: Sandbox, proxies: dict[str, Proxy]) -> None:
    """Let Octavia reach the services through the proxies."""
    parser = configparser.RawConfigParser()
    parser.read_dict(
        {
            "service_auth": {"auth_url": f"{proxies['keystone'].url}/v3"},
            "glance": {"endpoint": proxies["glance"].url},
            "nova": {"endpoint": f"{proxies['nova'].url}/v2.1", "enable_anti_affinity": "false"},
            # So many servers at once may take longer here than the sandbox allows one of them.
            "controller_worker": {"amp_active_retries": "600"},
        }
    )
    path = box.layout.config / "octavia" / "local.conf"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as out:
        parser.write(out)


def create(box: Sandbox, api: Adapter, flavor_id: str, number: int) -> list[float]:
    """Make load balancers at once, and give the seconds that each took until it was ACTIVE."""
    began = {begin(api, box.access(), flavor_id=flavor_id): time.monotonic() for _ in range(number)}
    took: dict[str, float] = {}

    def settled() -> bool:
        for found in api.get(LOAD_BALANCERS).json()["loadbalancers"]:
            path, status = f"{LOAD_BALANCERS}/{found['id']}", found["provisioning_status"]
            if path in began and path not in took and not status.startswith("PENDING"):
                if status != "ACTIVE":
                    raise RuntimeError("\n".join([*box.logs("octavia", 200), str(found)]))
                took[path] = time.monotonic() - began[path]
        return len(took) == number

    until(settled, seconds=SECONDS, what=f"{number} load balancers are ACTIVE")
    return list(took.values())


def counted(proxies: dict[str, Proxy]) -> Counter[str]:
    """Count what was sent to each service; Nova's by kind."""
    counts: Counter[str] = Counter()
    for service, proxy in proxies.items():
        for request in proxy.seen:
            path = request.partition("?")[0]
            counts[next((kind for kind, words in _KINDS if re.search(words, path)), service)] += 1
    return counts


def run(box: Sandbox, proxies: dict[str, Proxy], driver: str, number: int) -> dict[str, Any]:
    """Measure one driver once, on a sandbox of its own."""
    cloud = start(box, proxies, driver)
    api = balancing(cloud.admin)
    flavor_id = flavor_of(api, f"pair {time.time()}", loadbalancer_topology="ACTIVE_STANDBY")
    for proxy in proxies.values():
        proxy.calm()
    seconds = create(box, api, flavor_id, number)
    requests = counted(proxies)
    told = {"driver": driver, "total": requests.total(), "requests": dict(requests), "seconds": seconds}
    sys.stdout.write(f"{driver}: {told['total']} requests {told['requests']}; {spread(seconds)}\n")
    sys.stdout.flush()
    return told


def spread(seconds: list[float]) -> str:
    """Tell the median and the 95th percentile."""
    return f"ACTIVE after p50 {statistics.median(seconds):.1f} s, p95 {statistics.quantiles(seconds, n=20)[-1]:.1f} s"


def main(rounds: int = 3, number: int = 20) -> None:
    """Measure both in turn, tell the figures, and keep the raw samples."""
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        box = Sandbox(Path(folder) / "sandbox")
        stack.callback(box.down, remove=True)
        proxies = {name: stack.enter_context(proxying(NOWHERE)) for name in ("keystone", "glance", "nova")}
        runs = []
        for driver in DRIVERS * rounds:
            runs.append(run(box, proxies, driver, number))
            _SAMPLES.mkdir(exist_ok=True)
            (_SAMPLES / "octavia-create.json").write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")
    for driver in DRIVERS:
        mine = [one for one in runs if one["driver"] == driver]
        total = statistics.median(one["total"] for one in mine)
        sys.stdout.write(
            f"{driver}: median {total:.0f} requests; {spread([x for one in mine for x in one['seconds']])}\n"
        )
    for what, left_out in _COUNTS.items():
        counts = [sum(number for kind, number in one["requests"].items() if kind not in left_out) for one in runs]
        ratio = statistics.median(counts[at] / counts[at + 1] for at in range(0, len(counts), 2))
        sys.stdout.write(f"octavia-create: ratio of {what} {ratio:.2f}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
