# SPDX-License-Identifier: Apache-2.0
"""Two Glances over one store, and two Novas over one Glance: each another process beside the sandbox's own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from types import SimpleNamespace

import pytest
from keystoneauth1.adapter import Adapter
from support.beside import beside, write_config
from support.cloud import Cloud, until
from support.relations import images, parts, relations

from amphora_image.boot import BootRequest, wait_until_active
from amphora_image.config import load
from amphora_image.drivers.runtime import Runtime
from amphora_image.relation.values import Kind
from amphora_image.sandbox import database
from amphora_image.sandbox.progress import Deadline
from amphora_image.sandbox.state import State

REGION, USER, SECOND = "RegionTwo", "nova-two", str(uuid.uuid4())
DATABASES = ("nova_two", "nova_two_api", "nova_two_cell0")
#: Nova's own commands, with the second one's configuration, and databases of its own for its cells.
PREPARE = """
import pathlib, sys
from dataclasses import replace
from amphora_image.sandbox import migrate
from amphora_image.sandbox.state import State
migrate.load("nova")
steps = migrate.plan("nova", sys.argv[1], State.load(pathlib.Path("state.json")))
migrate.run([replace(each, arguments=[text.replace("}/nova", "}/nova_two") for text in each.arguments]) for each in steps])
"""


@pytest.fixture(scope="module")
def glance(sandbox, access):
    """A second Glance, which knows both Novas."""
    state = State.load(sandbox.layout.state)
    both = f"nova@Default:{access.installation},{USER}@Default:{SECOND}"
    more = f"[relation]\nconnection = {database.url(state)}/relations\ninstallations = {both}"
    with beside(sandbox, "glance", "glance-two", more) as url:
        yield url


@pytest.fixture(scope="module")
def identity(users):
    """Keystone, as an administrator asks it; what is made there is removed."""
    keystone, made = Adapter(users("admin").session, service_type="identity", interface="public"), []

    def make(kind, body, method="POST", path=None):
        answer = keystone.request(path or f"/{kind}s", method, json={kind: body} if body else None)
        found = answer.json()[kind]["id"] if answer.content else ""
        made.append(f"{path or f'/{kind}s/{found}'}")
        return found

    yield SimpleNamespace(make=make, get=lambda path: keystone.get(path).json())
    for path in made[::-1]:
        keystone.delete(path)


@pytest.fixture(scope="module")
def databases(sandbox):
    """The second Nova's, empty; give the URL of their server."""
    state = State.load(sandbox.layout.state)
    database.create_databases(state, DATABASES, Deadline(60))
    yield database.url(state)
    with closing(database.connect(state, "postgres")) as connection, connection.cursor() as cursor:
        for name in DATABASES:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def nova(sandbox, access, users, identity, glance, databases):
    """A second Nova, with databases, a host, a user and a region of its own, over the second Glance; give its URL."""
    password = secrets.token_urlsafe()
    user = identity.make("user", {"name": USER, "password": password, "domain_id": "default"})
    roles = {each["name"]: each["id"] for each in identity.get("/roles")["roles"]}
    identity.make("role", None, "PUT", f"/projects/{access.projects['service']}/users/{user}/roles/{roles['service']}")
    more = f"""
[DEFAULT]
host = two
state_path = {sandbox.layout.root}/nova/two
[database]
connection = {databases}/nova_two
[api_database]
connection = {databases}/nova_two_api
[glance]
endpoint_override = {glance}
[service_user]
username = {USER}
password = {password}
"""
    (sandbox.layout.root / "nova" / "two").mkdir(exist_ok=True)
    config = write_config(sandbox, "nova", "nova-two", more)
    subprocess.run([sys.executable, "-c", PREPARE, config], cwd=sandbox.layout.root, check=True, capture_output=True)
    with beside(sandbox, "nova", "nova-two", more) as url:
        flavor = {"id": access.flavor_id, "name": "amphora", "ram": 1024, "disk": 2, "vcpus": 1}
        admin = Adapter(users("admin").session, service_type="compute", endpoint_override=url)
        admin.post("/flavors", json={"flavor": flavor})
        identity.make("region", {"id": REGION})
        (service,) = [each["id"] for each in identity.get("/services")["services"] if each["type"] == "compute"]
        body = {"service_id": service, "interface": "public", "region_id": REGION, "url": url}
        identity.make("endpoint", body)
        yield url
        placement = Adapter(users("admin").session, service_type="placement", interface="public", raise_exc=False)
        (provider,) = placement.get("/resource_providers?name=two").json()["resource_providers"]
        path = f"/resource_providers/{provider['uuid']}"
        held = lambda: placement.get(f"{path}/allocations").json()["allocations"]  # noqa: E731
        until(lambda: not held(), seconds=60, what="Nova to give back what its deleted servers held")
    placement.delete(path)


def through(user, glance):
    """Give the same user's requests to another Glance."""
    image = Adapter(user.session, service_type="image", endpoint_override=glance, interface="public", raise_exc=False)
    return SimpleNamespace(image=image)


def test_what_one_glance_records_and_forgets_the_other_shows_at_once(cloud, glance, rows):
    """Fault: "two Glance workers"."""
    one, other, what = cloud.octavia, through(cloud.octavia, glance), parts("snapshot")
    image_id = cloud.queued("x", **what)
    by_instance = f"instance_id={what['instance_id']}"
    for each in (one, other):
        assert relations(each, image_id) == [what]
        assert images(each, by_instance) == [image_id]
    path = f"/v2/images/{image_id}/relations"
    same, glances = parts("boot"), [one.image, other.image]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: glances[n % 2].put(path, json=same).status_code, range(24)))
    assert answers == [204] * 24
    assert relations(one, image_id) == [same, what]
    other.image.delete(f"{path}?{'&'.join(f'{key}={value}' for key, value in what.items())}").raise_for_status()
    assert images(one, by_instance) == []
    other.image.delete(f"/v2/images/{image_id}").raise_for_status()
    assert rows(image_id) == []


@pytest.mark.usefixtures("nova")
def test_two_novas_over_one_glance_are_told_apart(cloud, tag, command):
    """Promise: "It all ran with the real Glance and Nova, two installation UUIDs on one Glance among it"."""
    fresh = Cloud(cloud.access, cloud.folder)  # whose tokens know both regions
    first, booted = cloud.access.installation, cloud.upload("both", tag)
    named = {"controller_worker__amp_image_tag": tag}
    inis = {
        first: fresh.ini(relation__nova_installation_uuid=first, **named),
        SECOND: fresh.ini(relation__nova_installation_uuid=SECOND, nova__region_name=REGION, **named),
    }
    runtimes = {installation: Runtime(load([str(ini)])) for installation, ini in inis.items()}
    request = BootRequest(name="x", flavor_id=cloud.access.flavor_id, network_ids=(cloud.access.network_id,))
    servers = {}
    try:
        for installation, runtime in runtimes.items():
            servers[installation] = runtime.build(runtime.policy.wanted(), request)[1].id
        for installation, runtime in runtimes.items():
            server_id = servers[installation]
            wait_until_active(runtime.servers, server_id, deadline_seconds=120)
            assert runtime.recorder.settle(60)
            snapshot = runtime.servers.create_image(server_id, cloud.named("snapshot"), {})
            cloud._made.append((cloud.octavia.image, f"/v2/images/{snapshot}"))
            assert relations(cloud.octavia, snapshot) == [parts("snapshot", installation, server_id)]
            assert images(cloud.octavia, f"instance_id={server_id}&sort=created_at:asc") == [booted, snapshot]
    finally:
        for installation, server_id in servers.items():
            runtimes[installation].servers.delete(server_id)
    told = command("--config-file", str(inis[first]), "related", "instances", "--image", tag, "-f", "json")
    found = {each["installation"]: (each["instance_id"], each["kind"]) for each in json.loads(told.stdout)}
    assert found == {installation: (server_id, "boot") for installation, server_id in servers.items()}

    # What else has the same instance id: two installations may, and one does not see the other's.
    path = f"/v2/images/{cloud.queued('foreign')}/relations"
    cloud.octavia.image.put(path, json=parts("backup", SECOND, servers[first])).raise_for_status()
    for installation, kinds in ((first, {Kind.BOOT, Kind.SNAPSHOT}), (SECOND, {Kind.BACKUP})):
        related = runtimes[installation].related
        assert {kind for kind in Kind for _ in related.images(servers[first], kind)} == kinds
