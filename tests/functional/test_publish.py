# SPDX-License-Identifier: Apache-2.0
"""``amphora-image publish`` and ``import-info`` on the real Glance."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from support import disks
from support.published import BYTES, delete, images, nothing_is_staged

SHA512 = "amphora_image_sha512"
VERIFIED = "os_glance_amphora_image_sha512"
HASH = hashlib.sha512(BYTES).hexdigest()


@pytest.fixture
def name(cloud):
    """A name that no other image has; all images of that name are deleted in the end."""
    made = cloud.named("published")
    yield made
    delete(cloud.octavia, images(cloud.octavia, made))


@pytest.fixture
def publish(cloud, command, file, name):
    """Publish the file under the name, and give what the command printed as JSON, or how it ended."""

    def call(*arguments, ini=None, what=file, **options):
        start = ("--config-file", ini or cloud.ini())
        return command(*start, "publish", what, "--name", name, "-f", "json", *arguments, **options)

    return call


def told(ended):
    assert ended.code == 0, ended.stderr
    (row,) = json.loads(ended.stdout)
    return row


def fails(ended, code, *parts):
    """Check the last line, after those of the progress."""
    *_, last = ended.stderr.splitlines()
    replace(ended, stderr=last).failed(code, *parts)


def test_a_file_becomes_a_verified_image_that_the_tag_leads_to(cloud, publish, name, tag, command):
    ended = publish("--tag", tag, "--property", "hw_architecture=x86_64", "--property", "min_disk=1", "--reason", "r1")

    row = told(ended.holds_none_of(cloud.secrets))
    (image,) = images(cloud.octavia, name)
    assert (row["id"], row["sha512"], row["size"]) == (image["id"], HASH, len(BYTES))
    assert (row["method"], row["verified_by"], row["tag"]) == ("upload", "os_hash_value", tag)
    assert (image["status"], image["visibility"], image["disk_format"]) == ("active", "private", "qcow2")
    assert (image["hw_architecture"], image["min_disk"], image[SHA512]) == ("x86_64", 1, HASH)
    assert (image["os_hash_value"], image["tags"], image["protected"]) == (HASH, [tag], True)
    assert "amphora_image_publisher" not in image
    resolved = command("--config-file", cloud.ini(), "resolve", tag, "-f", "value", "-c", "id")
    assert resolved.stdout.strip() == image["id"]

    again = told(publish("--tag", tag))
    assert (again["id"], again["method"]) == (image["id"], "none")


def test_an_import_goes_into_all_stores_and_past_the_plug_in(cloud, publish, name, access):
    row = told(publish("--all-stores", "--visibility", "public"))

    (image,) = images(cloud.octavia, name)
    assert (row["method"], row["verified_by"]) == ("glance-direct", "os_hash_value, amphora_image_verify")
    assert set(image["stores"].split(",")) == {"store1", "store2"}
    assert (image["visibility"], image[VERIFIED]) == ("public", HASH)
    nothing_is_staged(access)


def test_an_image_is_copied_to_a_further_store(publish):
    row = told(publish("--method", "copy-image", "--store", "store2", "--store", "store1"))
    assert (set(row["stores"].split(",")), row["method"]) == ({"store1", "store2"}, "copy-image")


def test_the_same_command_copies_to_the_stores_that_an_image_is_not_in(publish):
    first = told(publish("--store", "store2"))
    again = told(publish("--all-stores"))
    assert (again["id"], again["method"]) == (first["id"], "copy-image")
    assert set(again["stores"].split(",")) == {"store1", "store2"}


@pytest.fixture
def web(tmp_path):
    """A web server on the folder of the file; its URL."""

    class Handler(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=tmp_path))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_glance_fetches_a_url_and_imports_only_what_was_expected(cloud, publish, name, file, web, access):
    """The issue: "an expected hash handed in with the import, web-download included"."""
    mine = cloud.ini(image_http__allowed_addresses="127.0.0.1/32", image_http__allowed_ports="")
    publish = partial(publish, "--method", "web-download", ini=mine)
    url = ("--disk-format", "qcow2")
    wrong = publish(*url, "--sha512", "0" * 128, what=f"{web}/{file.name}")
    assert wrong.code == 1
    assert f"the bytes have the sha512 {HASH}, and {SHA512} is {'0' * 128}" in wrong.stderr, "the plug-in's own words"
    assert not images(cloud.octavia, name)
    nothing_is_staged(access)

    row = told(publish(*url, "--sha512", HASH, what=f"{web}/{file.name}"))
    assert (row["method"], row["verified_by"]) == ("web-download", "os_hash_value, amphora_image_verify")
    publish(what=f"{web}/x").failed(2, "the format of what Glance fetches", "give --disk-format")
    publish(*url, what=f"{web}/x").failed(2, "cannot be verified without the hash", "give --sha512")


def test_a_client_cannot_say_itself_what_the_plug_in_says(cloud):
    image_id = cloud.queued(cloud.named("forged"))
    patch = [{"op": "add", "path": f"/{VERIFIED}", "value": HASH}]
    headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    answer = cloud.admin.image.patch(f"/v2/images/{image_id}", json=patch, headers=headers)
    assert answer.status_code == 403, answer.text


def test_a_conversion_by_the_cloud_is_refused_unless_it_is_accepted(cloud, publish, name, tmp_path):
    packed = tmp_path / "packed"
    packed.write_bytes(gzip.compress(disks.raw(200_000), mtime=0))
    arguments = ("--method", "glance-direct", "--disk-format", "raw")

    refused = publish(*arguments, what=packed)
    fails(refused, 1, "Glance converted image", "and has 200000", "--accept-server-conversion")
    assert not images(cloud.octavia, name)

    row = told(publish(*arguments, "--accept-server-conversion", what=packed))
    assert row["verified_by"] == "amphora_image_verify, before Glance converted it"


def test_what_a_cloud_offers_is_told_and_tried(cloud, command, file, web, access):
    """The issue: "`--probe` imports a few bytes by each method with a deadline and removes them"."""
    ini = cloud.ini()
    looked = json.loads(command("--config-file", ini, "import-info", "-f", "json").stdout)
    assert {(each["kind"], each["name"]) for each in looked} == {
        *(("method", each) for each in ("upload", "glance-direct", "web-download", "copy-image")),
        *(("store", each) for each in ("store1", "store2")),
    }
    assert {each["works"] for each in looked} == {None}

    probed = command("--config-file", ini, "import-info", "--probe", "--probe-url", f"{web}/{file.name}", "-f", "json")
    works = {each["name"]: each["works"] for each in json.loads(probed.stdout)}
    methods = ("upload", "glance-direct", "web-download", "copy-image", "amphora_image_verify")
    assert [works[each] for each in methods] == [True] * 5
    assert not images(cloud.octavia, "amphora-image-probe")
    nothing_is_staged(access)


def test_one_reading_goes_to_several_clouds(cloud, command, file, name, tmp_path):
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text(cloud.access.clouds())
    arguments = ("publish", file, "--name", name, "-f", "json", "--os-cloud", "octavia", "--os-cloud", "demo")

    rows = json.loads(command(*arguments).stdout)
    assert [each["cloud"] for each in rows] == ["octavia", "demo"]
    assert {each["sha512"] for each in rows} == {HASH}
    cloud.demo.image.delete(f"/v2/images/{rows[1]['id']}")

    one = command(*arguments, "--os-cloud", "nobody")
    assert one.code == 2, "a cloud that cannot be used at all is told before anything is sent"
    other = command("resolve", "x", "--os-cloud", "octavia", "--os-cloud", "demo")
    other.failed(2, "works on one cloud", "give one of them")
