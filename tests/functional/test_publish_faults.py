# SPDX-License-Identifier: Apache-2.0
"""What goes wrong while an image is published, on the real Glance; where it has to be made to, by a proxy before it.

After each of them nothing is left of what was begun.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import disks
from support.cloud import Cloud, Users, until
from support.program import AMPHORA_IMAGE
from support.proxy import Fault, proxying
from support.published import BYTES, images, nothing_is_staged

from amphora_image.sandbox import Sandbox

JSON = {"Content-Type": "application/json"}
#: Has Glance fetch from a server of the test's own, or from an address that is nobody's.
URL = ("--method", "web-download", "--disk-format", "qcow2", "--sha512", "0" * 128)
ALLOWED = {"image_http__allowed_addresses": "127.0.0.1, 192.0.2.0/24", "image_http__allowed_ports": ""}


@pytest.fixture
def name(cloud):
    return cloud.named("faulty")


@pytest.fixture
def proxy(cloud):
    """A proxy before Glance."""
    with proxying(cloud.octavia.image.get_endpoint()) as made:
        yield made


@pytest.fixture
def publish(cloud, command, file, name, proxy):
    """Publish the file through the proxy."""

    def call(*arguments, what=file, user="octavia", **options):
        proxied = {"glance__endpoint": proxy.url, "amphora_image__retry_deadline_seconds": "30"}
        ini = cloud.ini(user, **proxied, **ALLOWED)
        return command("--config-file", ini, "publish", what, "--name", name, "-f", "json", *arguments, **options)

    return call


@pytest.fixture
def refused(cloud, name, publish, access):
    """Publish, expect it to fail with ``code`` and a last line that has ``parts``, and to leave nothing behind."""

    def call(code, parts, *arguments, **options):
        ended = publish(*arguments, **options)
        *_, last = ended.stderr.splitlines()
        replace(ended.holds_none_of(cloud.secrets), stderr=last).failed(code, *parts)
        assert not images(cloud.octavia, name)
        nothing_is_staged(access)

    return call


def test_bytes_that_change_on_the_way_are_noticed(proxy, refused):
    """The issue: "Bytes changed on the way"."""
    for method, path in (("upload", "file"), ("glance-direct", "stage")):
        proxy.order(Fault(f"PUT .*/{path}", status=None, forward=True, alter=lambda sent: sent[:-1] + b"x"))
        parts = {
            "upload": ("what Glance holds as image", "and is deleted", "publish again"),
            "glance-direct": ("Glance did not import", "the bytes have the sha512", "correct what it names"),
        }
        refused(1, parts[method], "--method", method)


def test_what_the_cloud_does_not_offer_is_refused_before_anything_is_made(proxy, refused):
    """The issue: "method not enabled; unknown or read-only store"."""
    methods = {"import-methods": {"value": ["web-download"]}}
    proxy.order(Fault("GET /v2/info/import", status=200, headers=JSON, body=json.dumps(methods)))
    refused(2, ("glance-direct is not enabled here, but web-download", "--method"), "--method", "glance-direct")
    refused(2, ("no store 'nope', only store1, store2", "import-info"), "--store", "nope")
    stores = {"stores": [{"id": "store1", "default": "true"}, {"id": "web", "read-only": "true"}]}
    proxy.order(Fault("GET /v2/info/stores", status=200, headers=JSON, body=json.dumps(stores)))
    refused(2, ("'web' is read-only", "another --store"), "--store", "web")
    assert not proxy.count("POST")


def test_a_store_that_fails_fails_the_import_only_where_all_must_succeed(cloud, publish, refused, name, access):
    """The issue: "one of two stores failing (both values of all_stores_must_succeed)"."""
    store, away = access.root / "glance" / "store2", access.root / "glance" / "store2.away"
    store.rename(away)
    store.touch()  # a file where the folder should be
    try:
        refused(1, ("Glance did not import", "into store2", "Glance's log"), "--all-stores")
        done = publish("--all-stores", "--no-all-stores-must-succeed")
        assert done.code == 0, done.stderr
        (row,) = json.loads(done.stdout)
        assert row["stores"] == "store1"
        assert "not in store2" in row["outcome"]
        cloud.octavia.image.delete(f"/v2/images/{row['id']}")
    finally:
        store.unlink()
        away.rename(store)
    assert not images(cloud.octavia, name)


def test_quotas_are_told_as_such(proxy, refused):
    """The issue: "quota; tag and property quotas reached"."""
    full = {"message": "Image exceeds the storage quota: 1 byte", "code": "413 Request Entity Too Large"}
    proxy.order(Fault("PUT .*/file", status=413, headers=JSON, body=json.dumps(full)))
    refused(1, ("the quota is used up", "exceeds the storage quota", "raise the quota"))
    many = [part for number in range(140) for part in ("--property", f"p{number}=x")]
    refused(1, ("the quota is used up", "allowed image properties", "raise the quota"), *many)


def test_a_lock_that_another_import_holds_is_told(proxy, refused):
    """The issue: "task lock held"."""
    held = json.dumps({"message": "Image has active task"})
    proxy.order(Fault("POST .*/import", status=409, headers=JSON, body=held))
    refused(1, ("Glance refused", "active task", "correct what Glance names"), "--method", "glance-direct")


def test_who_may_not_make_it_public_is_told_and_nothing_is_left(cloud, refused, name):
    """The issue: "no right to make it public"."""
    refused(5, ("does not allow this user", "role"), "--visibility", "public", user="demo")
    assert not cloud.demo.image.get("/v2/images", params={"name": name}).json()["images"]


def test_a_token_that_ends_during_the_upload_is_replaced_and_the_bytes_are_sent_again(cloud, proxy, publish, name):
    """The issue: "a token that expires during the upload"."""
    for place, method in (("file", "upload"), ("stage", "glance-direct")):
        proxy.order(Fault(f"PUT .*/{place}", status=401))
        done = publish("--method", method)
        assert done.code == 0, done.stderr
        assert proxy.count(f"PUT .*/{place}") == 2
        (image,) = images(cloud.octavia, name)
        assert image["size"] == len(BYTES)
        cloud.octavia.image.delete(f"/v2/images/{image['id']}")


def test_what_a_cloud_s_policy_forbids_is_gone_round_by_an_import(cloud, proxy, publish, name):
    """The issue: "`auto` picks the cheapest that is safe by what … the cloud offers or requires"."""
    proxy.order(Fault("PUT .*/file", status=403))
    done = publish()
    assert done.code == 0, done.stderr
    (image,) = images(cloud.octavia, name)
    assert [each["method"] for each in json.loads(done.stdout)] == ["glance-direct"]
    cloud.octavia.image.delete(f"/v2/images/{image['id']}")


def test_an_answer_that_is_lost_after_the_bytes_arrived_leaves_nothing(proxy, refused):
    for place, method in (("file", "upload"), ("stage", "glance-direct")):
        proxy.order(Fault(f"PUT .*/{place}", forward=True))
        refused(6, ("Glance gave no usable answer", "try again"), "--method", method)


@pytest.mark.parametrize(
    ("what", "part"),
    [("missing", "does not exist"), ("empty", "is empty"), (".", "is a folder"), ("pipe", "no regular file")],
)
def test_what_is_no_image_file_is_told(cloud, command, tmp_path, what, part):
    """The issue: "a file that is missing, empty, a folder"."""
    (tmp_path / "empty").touch()
    os.mkfifo(tmp_path / "pipe")
    command("--config-file", cloud.ini(), "publish", what, "--name", "x").failed(2, part, "")


def test_contents_that_are_not_safe_or_not_as_declared_are_never_sent(proxy, refused, file, tmp_path):
    """The issue: "wrong format declared"; "backing files, external data files … are refused"."""
    backed = tmp_path / "backed.qcow2"
    backed.write_bytes(disks.qcow2(backing=512))
    refused(1, ("not safe to boot", "has a backing file", "qemu-img convert"), what=backed)
    refused(1, ("said to be raw", "contents are qcow2", "name the format"), "--disk-format", "raw", what=file)
    assert not proxy.seen


@pytest.fixture
def silent():
    """A web server that takes a request and never answers; its URL, and an event that ends it."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            ended.wait(120)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/a"
    ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_url_that_glance_may_not_fetch_is_told(refused):
    """The issue: "web-download refused by Glance's filter"."""
    refused(1, ("Glance refused to import", "does not pass filtering", ""), *URL, what="http://192.0.2.1/a")


def test_an_import_that_does_not_go_on_is_noticed_and_undone(refused, silent):
    """The issue: "a stuck phase is noticed"."""
    parts = ("is stuck while importing", "nothing new for", "publish again")
    refused(6, parts, *URL, "--stuck-after", "2", what=silent)


def test_an_image_that_somebody_deletes_meanwhile_is_told(cloud, refused, silent, proxy, name):
    """The issue: "the image deleted by another during the wait"."""

    def delete():
        (image,) = images(cloud.octavia, name)
        cloud.octavia.image.delete(f"/v2/images/{image['id']}").raise_for_status()

    proxy.order(Fault("POST .*/import", status=None, forward=True, then=delete))
    refused(1, ("deleted by somebody", "check the name"), *URL, what=silent)


def test_glance_is_killed_while_it_takes_bytes_and_while_it_imports(tmp_path, file, silent):
    """The issue: "Glance restarted in the middle of stage and of import"; the same command completes it."""
    box = Sandbox(tmp_path / "sandbox")
    box.up(deadline_seconds=300)
    try:
        cloud = Cloud(box.access(), tmp_path, Users(box.access()))
        common = {"cwd": tmp_path, "stderr": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        with proxying(cloud.octavia.image.get_endpoint()) as proxy:
            ini = cloud.ini(glance__endpoint=proxy.url, amphora_image__retry_deadline_seconds="10", **ALLOWED)
            start = [AMPHORA_IMAGE, "--config-file", ini, "publish"]
            proxy.order(Fault("PUT .*/stage", forward=True, hold_seconds=5))
            staging = [*start, file, "--name", "staged", "--method", "glance-direct"]
            importing = [*start, silent, "--name", "imported", *URL]
            first, second = (subprocess.Popen(each, **common) for each in (staging, importing))
            until(
                lambda: proxy.count("PUT .*/stage") and proxy.count("POST .*/import"), seconds=60, what="both are begun"
            )
            glance = next(each.pid for each in box.status() if each.service == "glance")
            os.kill(glance, signal.SIGKILL)
            for each in (first, second):
                told = each.communicate(timeout=120)[1]
                assert each.returncode == 6, told
                assert "Glance gave no usable answer" in told.splitlines()[-1]
                assert "is left half made" in told
        box.up(deadline_seconds=300)
        ini = cloud.ini()
        for name, rest in (("staged", [file, "--method", "glance-direct"]), ("imported", [file])):
            command = [AMPHORA_IMAGE, "--config-file", ini, "publish", *rest, "--name", name]
            again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
            assert again.returncode == 0, again.stderr
            (image,) = images(cloud.octavia, name)
            assert (image["status"], image["size"]) == ("active", len(BYTES))
        nothing_is_staged(box.access())
    finally:
        box.down(remove=True)
