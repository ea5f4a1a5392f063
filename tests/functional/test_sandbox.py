# SPDX-License-Identifier: Apache-2.0
"""The sandbox as a cloud: what its services do, and how one gets in."""

from __future__ import annotations

import collections
import concurrent.futures
import hashlib
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import threading
import time

import pytest
from keystoneauth1 import exceptions
from support.noise import noise

PROGRAMS = pathlib.Path(sys.executable).parent
IMAGE = {"name": "test", "disk_format": "raw", "container_format": "bare"}
_COMPUTE = {"service_type": "compute", "interface": "public"}
_IMAGE = {"service_type": "image", "interface": "public"}


def run(command, **options):
    """Run a program to its end and give what it printed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def program_environ():
    """Give this process's environment without any cloud of the caller's."""
    return {name: value for name, value in os.environ.items() if not name.startswith("OS_")}


@pytest.fixture
def image(session_of):
    """An active image of the octavia user's."""
    octavia = session_of("octavia")
    created = octavia.post("/v2/images", endpoint_filter=_IMAGE, json=IMAGE).json()
    upload(octavia, created["id"], b"x" * 65536)
    yield created["id"]
    octavia.delete(f"/v2/images/{created['id']}", endpoint_filter=_IMAGE)


def upload(session, image_id, data):
    headers = {"Content-Type": "application/octet-stream"}
    session.put(f"/v2/images/{image_id}/file", endpoint_filter=_IMAGE, data=data, headers=headers)


def boot(session, access, image_id, name, *, networked=True):
    body = {
        "server": {
            "name": name,
            "imageRef": image_id,
            "flavorRef": access.flavor_id,
            "networks": [{"uuid": access.network_id}] if networked else "none",
        }
    }
    headers = {"X-OpenStack-Nova-API-Version": "2.15" if networked else "2.37"}
    answer = session.post("/servers", endpoint_filter=_COMPUTE, json=body, headers=headers)
    return answer.json()["server"]["id"]


def await_servers(session, ids, deadline_seconds):
    """Wait until none of the servers is being built or deleted, and give their states."""
    end = time.monotonic() + deadline_seconds
    while True:
        listed = session.get("/servers/detail?limit=1000", endpoint_filter=_COMPUTE).json()["servers"]
        states = {each["id"]: each["status"] for each in listed if each["id"] in ids}
        if "BUILD" not in states.values() or time.monotonic() > end:
            return states
        time.sleep(1)


def delete_servers(session, ids):
    for server_id in ids:
        session.delete(f"/servers/{server_id}", endpoint_filter=_COMPUTE)
    end = time.monotonic() + 120
    while await_servers(session, ids, 0) and time.monotonic() < end:
        time.sleep(0.5)


def test_fifty_concurrent_boots_are_all_active_within_two_gibibytes(sandbox, session_of, image):
    """Issue: "50 concurrent boots all ACTIVE" and "≤ 2 GiB of memory"."""
    octavia, access = session_of("octavia"), sandbox.access()
    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        ids = set(pool.map(lambda number: boot(octavia, access, image, f"test-{number}"), range(50)))
    try:
        states = await_servers(octavia, ids, 240)
        memory = sum(each.memory_mib for each in sandbox.status())
    finally:
        delete_servers(octavia, ids)
    assert collections.Counter(states.values()) == {"ACTIVE": 50}
    assert 0 < memory <= 2048


def test_a_quota_set_by_the_usual_api_is_held(sandbox, session_of):
    admin, demo, access = session_of("admin"), session_of("demo"), sandbox.access()
    quota = f"/os-quota-sets/{access.projects['demo']}"
    own = demo.post("/v2/images", endpoint_filter=_IMAGE, json=IMAGE).json()["id"]
    upload(demo, own, b"x" * 1024)
    admin.put(quota, endpoint_filter=_COMPUTE, json={"quota_set": {"instances": 0}})
    try:
        with pytest.raises(exceptions.Forbidden) as refused:
            boot(demo, access, own, "test-quota", networked=False)
        assert "Quota exceeded for instances" in refused.value.response.text
    finally:
        demo.delete(f"/v2/images/{own}", endpoint_filter=_IMAGE)
        admin.delete(quota, endpoint_filter=_COMPUTE)


def test_uploads_of_known_and_of_unknown_length_and_refused_ones_share_a_connection(session_of):
    octavia = session_of("octavia")
    for data in (b"y" * 300_000, (b"z" * 100_000 for _ in range(3)), io.BytesIO(b"w" * 300_000)):
        created = octavia.post("/v2/images", endpoint_filter=_IMAGE, json=IMAGE).json()
        upload(octavia, created["id"], data)
        assert octavia.get(f"/v2/images/{created['id']}", endpoint_filter=_IMAGE).json()["size"] == 300_000
        with pytest.raises(exceptions.Conflict):
            upload(octavia, created["id"], (b"again" * 20_000 for _ in range(3)))
        octavia.delete(f"/v2/images/{created['id']}", endpoint_filter=_IMAGE)


def test_glance_imports_into_two_stores(session_of):
    """Issue: "Glance: import on, glance-direct, web-download and copy-image, two file stores"."""
    octavia = session_of("octavia")
    offered = octavia.get("/v2/info/import", endpoint_filter=_IMAGE).json()["import-methods"]["value"]
    assert set(offered) == {"glance-direct", "web-download", "copy-image"}
    created = octavia.post("/v2/images", endpoint_filter=_IMAGE, json=IMAGE).json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    octavia.put(f"/v2/images/{created}/stage", endpoint_filter=_IMAGE, data=b"v" * 1000, headers=headers)
    image = imported(octavia, created, {"name": "glance-direct"}, "store1", "store2")
    octavia.delete(f"/v2/images/{created}", endpoint_filter=_IMAGE)
    assert set(image["stores"].split(",")) == {"store1", "store2"}


def test_glance_downloads_from_this_machine_and_copies_between_its_stores(session_of, web_server):
    """Issue: "glance-direct, web-download and copy-image, two file stores"."""
    octavia, data = session_of("octavia"), noise(100_000)
    url = web_server({"/disk.raw": data})
    created = octavia.post("/v2/images", endpoint_filter=_IMAGE, json=IMAGE).json()["id"]
    image = imported(octavia, created, {"name": "web-download", "uri": f"{url}/disk.raw"}, "store1")
    assert image["stores"] == "store1"
    assert image["os_hash_value"] == hashlib.sha512(data).hexdigest()
    image = imported(octavia, created, {"name": "copy-image"}, "store2")
    assert set(image["stores"].split(",")) == {"store1", "store2"}
    assert octavia.get(f"/v2/images/{created}/file", endpoint_filter=_IMAGE).content == data
    octavia.delete(f"/v2/images/{created}", endpoint_filter=_IMAGE)


def imported(session, image_id, method, *stores):
    """Import an image into the stores, and give its record when it lies in all of them."""
    body, path = {"method": method, "stores": stores}, f"/v2/images/{image_id}"
    end = time.monotonic() + 30
    # For some 50 ms after an import Glance still counts it as running, and answers 409.
    while session.post(f"{path}/import", endpoint_filter=_IMAGE, json=body, raise_exc=False).status_code == 409:
        assert time.monotonic() < end
        time.sleep(0.1)
    while True:
        image = session.get(path, endpoint_filter=_IMAGE).json()
        there = image["status"] == "active" and set(stores) <= set(image.get("stores", "").split(","))
        if there and "os_glance_import_task" not in image:  # until then a DELETE may end in a 500
            return image
        assert time.monotonic() < end, image
        time.sleep(0.1)


@pytest.fixture
def web_server():
    """Serve files from memory on 127.0.0.1: what is given is a path's content; what is returned, the URL before it."""
    files = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path in files else 404)
            self.send_header("Content-Length", str(len(files.get(self.path, b""))))
            self.end_headers()
            self.wfile.write(files.get(self.path, b""))

        def log_message(self, *_arguments):
            """Be silent."""

    def serve(more):
        files.update(more)
        return f"http://127.0.0.1:{server.server_port}"

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield serve
        server.shutdown()


@pytest.mark.parametrize("user", ["admin", "octavia", "demo"])
def test_the_shells_variables_let_the_openstack_client_in(sandbox, user):
    """Issue: "`env --format` prints clouds.yaml, OS_* variables or a ready ini, so that the `openstack` client … work"."""
    place = f"--dir {sandbox.layout.root}"
    script = f'eval "$({PROGRAMS}/amphora-image sandbox env {place} --user {user})"; {PROGRAMS}/openstack token issue -f json'
    token = json.loads(run(["sh", "-c", script], env={**program_environ(), "OS_CLOUD": "another"}))
    assert token["project_id"] == sandbox.access().projects[{"octavia": "service"}.get(user, user)]


def test_the_clouds_file_lets_the_openstack_client_in(sandbox, tmp_path):
    (tmp_path / "clouds.yaml").write_text(sandbox.access().clouds())
    command = [PROGRAMS / "openstack", "--os-cloud", "demo", "network", "list", "-f", "json"]
    assert json.loads(run(command, cwd=tmp_path, env=program_environ())) == []


def test_the_ini_lets_octavias_own_look_up_in(sandbox, session_of, image, tmp_path):
    """With an empty owner stock Octavia takes anybody's image: the ini must let it, for the demo shows that."""
    octavia = session_of("octavia")
    octavia.put(f"/v2/images/{image}/tags/test-look-up", endpoint_filter=_IMAGE)
    ini = tmp_path / "worker.ini"
    ini.write_text(sandbox.access().ini())
    command = [sys.executable, "-m", "amphora_image.sandbox.stock_lookup", "--config-file", ini, "test-look-up"]
    assert run(command, env=program_environ()).split() == [image]


def test_status_tells_of_every_service(sandbox):
    command = [PROGRAMS / "amphora-image", "sandbox", "status", "--dir", sandbox.layout.root, "-f", "json"]
    table = json.loads(run(command, env=program_environ()))
    assert {each["Service"] for each in table} == {"postgres", "keystone", "glance", "placement", "nova", "neutron"}
    assert {each["State"] for each in table} == {"running"}
    assert all("127.0.0.1:" in each["Address"] and each["Memory MiB"] > 0 for each in table)
