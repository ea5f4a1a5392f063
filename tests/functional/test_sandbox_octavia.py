# SPDX-License-Identifier: Apache-2.0
"""The sandbox with Octavia: load balancers by its API, with real servers and ports, through its stock compute driver."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import psutil
import pytest
from support.balancers import (
    LOAD_BALANCERS,
    balancing,
    hup,
    load_balancer,
    logged,
    nothing_is_left,
    roots,
    things,
)
from support.cloud import Cloud, until

from amphora_image.clients.octavia import OctaviaAmphorae
from amphora_image.sandbox import Sandbox
from amphora_image.sandbox.processes import find
from amphora_image.sandbox.state import State

_STOCK = "compute_nova_driver"


@pytest.fixture(scope="module")
def box(tmp_path_factory):
    made = Sandbox(tmp_path_factory.mktemp("octavia") / "sandbox")
    try:
        made.up(deadline_seconds=300, with_=("octavia",), compute_driver=_STOCK)
        yield made
    finally:
        made.down(remove=True)


@pytest.fixture
def cloud(box, tmp_path):
    """The cloud, with an image that amphorae are made of."""
    made = Cloud(box.access(), tmp_path)
    made.upload("amphora", "amphora")
    yield made
    made.delete_all()
    for name in ("octavia", "demo", "admin"):
        made._users(name).session.session.close()


@pytest.mark.parametrize("user", ["admin", "demo"])
def test_a_load_balancer_has_a_real_server_on_real_ports_and_leaves_nothing(box, cloud, user):
    """Issue: "create a load balancer (SINGLE …) → amphorae ACTIVE … delete → no server, port or server group is left"."""
    access = box.access()
    with load_balancer(balancing(getattr(cloud, user)), access) as made:
        assert made["provisioning_status"] == "ACTIVE"
        found = things(cloud)
        (server,) = found["servers"]
        assert server["status"] == "ACTIVE"
        assert server["tenant_id"] == access.projects["service"]
        plugged = [port for port in found["ports"] if port["device_id"] == server["id"]]
        assert {port["network_id"] for port in plugged} == {access.network_id, access.vip_network_id}
        (amphora,) = balancing(cloud.octavia).get("/v2/octavia/amphorae").json()["amphorae"]
        assert (amphora["status"], amphora["compute_id"]) == ("ALLOCATED", server["id"])
        group = SimpleNamespace(endpoint_type="public", region_name="")
        (listed,) = OctaviaAmphorae(cloud.octavia.session, group).everything()
        assert (listed.id, listed.server_id, listed.load_balancer_id) == (amphora["id"], server["id"], made["id"])
        assert listed.image_id == server["image"]["id"]
        assert {amphora["lb_network_ip"], amphora["vrrp_ip"]} == {
            address["ip_address"] for port in plugged for address in port["fixed_ips"]
        }
    nothing_is_left(cloud)


def test_octavia_is_remembered_and_resumes_with_its_load_balancers(box, cloud):
    with load_balancer(balancing(cloud.admin), box.access()) as made:
        sandbox_id = State.load(box.layout.state).sandbox_id
        box.down()
        assert find(sandbox_id) == {}
        assert roots(box) == dict.fromkeys(("octavia", "octavia-health-manager", "octavia-housekeeping"))
        box.up(deadline_seconds=300)
        assert {each.state for each in box.status()} == {"running"}
        again = balancing(cloud.admin).get(f"{LOAD_BALANCERS}/{made['id']}").json()["loadbalancer"]
        assert again["provisioning_status"] == "ACTIVE"
    nothing_is_left(cloud)


def test_sighup_makes_all_three_programs_take_over_what_is_mutable(box, cloud):
    """Issue: "its SIGHUP handler mutates the configuration"."""
    local, before = box.layout.config / "octavia" / "local.conf", roots(box)
    original = local.read_text()
    local.write_text(f"{original}[DEFAULT]\ndebug = true\n[health_manager]\nheartbeat_interval = 7\n")
    try:
        hup(before)
        said = {
            "octavia": r"Options that changed: .*\[health_manager\] heartbeat_interval",
            "octavia-health-manager": "received HUP signal, mutating config",
            "octavia-housekeeping": "received HUP signal, mutating config",
        }
        for service, text in said.items():
            until(partial(logged, box, service, text), seconds=10, what=f"{service} takes it over")
        local.write_text("this is no configuration\n")
        hup({"octavia": before["octavia"]})
        until(lambda: logged(box, "octavia", "could not be read again"), seconds=10, what="the mistake is logged")
    finally:
        local.write_text(original)
        hup(before)
    assert balancing(cloud.admin).get(LOAD_BALANCERS).status_code == 200
    assert roots(box) == before


def test_the_compute_driver_can_be_exchanged(box, cloud):
    """Ours in the stock one's place, and what the stock one made is still deleted."""
    with load_balancer(balancing(cloud.admin), box.access()):
        before = roots(box)
        box.up(deadline_seconds=300, compute_driver="amphora_image_driver")
        assert not set(before.values()) & set(roots(box).values())
        with load_balancer(balancing(cloud.admin), box.access()) as made:
            assert made["provisioning_status"] == "ACTIVE"
            assert logged(box, "octavia", r"INFO amphora_image\.")
    nothing_is_left(cloud)


def test_octavia_listens_on_loopback_and_shows_no_secret(box, cloud):
    """Issue 2: "stdout, stderr, logs and `/proc/*/cmdline` of children hold none of them"."""
    with load_balancer(balancing(cloud.admin), box.access()):
        state = State.load(box.layout.state)
    processes = [
        each
        for service, found in find(state.sandbox_id).items()
        if service.startswith("octavia")
        for root in found
        for each in (root, *root.children(recursive=True))
    ]
    sockets = [socket for each in processes for socket in each.net_connections(kind="inet")]
    opened = [socket.laddr for socket in sockets if socket.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}]
    assert {address.ip for address in opened} == {"127.0.0.1"}
    assert state.ports["octavia-health-manager"] in {address.port for address in opened}
    seen = {log.name: log.read_text(errors="replace") for log in box.layout.logs.iterdir()}
    seen |= {f"command line of {each.pid}": " ".join(each.cmdline()) for each in processes}
    secrets = [*state.passwords.values(), "gAAAA"]
    assert not {place for place, text in seen.items() for secret in secrets if secret in text}
