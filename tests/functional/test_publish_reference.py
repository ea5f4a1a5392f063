# SPDX-License-Identifier: Apache-2.0
"""``amphora-image publish REF``: from real web servers and folders into the real Glance, without a copy in between."""

from __future__ import annotations

import hashlib
import json
import logging

import pytest
from support.authority import Authority
from support.image_server import Fault, serving_image
from support.published import BYTES, images

from amphora_image.cli.main import main

MIB = 1024 * 1024
SHA256 = hashlib.sha256(BYTES).hexdigest()
SHA512 = hashlib.sha512(BYTES).hexdigest()
#: Where nobody answers: whoever asks Keystone, and so Glance, there ends with 6.
NOWHERE = {"service_auth__auth_url": "http://127.0.0.1:1/v3", "amphora_image__retry_deadline_seconds": "1"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def web():
    with serving_image(BYTES) as server:
        yield server


@pytest.fixture
def secure(authority):
    with serving_image(BYTES, tls=authority.server("127.0.0.1")) as server:
        yield server


@pytest.fixture
def ini(cloud, authority):
    """Write an ini that lets the test's own servers be read."""

    def write(**options):
        own = {"image_http__allowed_addresses": "127.0.0.1/32", "image_http__allowed_ports": ""}
        own |= {"image_http__ca_certificates_file": authority.path, "image_http__retry_deadline_seconds": "2"}
        return cloud.ini(**{**own, **options})

    return write


@pytest.fixture
def name(cloud):
    made = cloud.named("published")
    yield made
    for user in (cloud.octavia, cloud.demo):
        for image in images(user, made):
            user.image.delete(f"/v2/images/{image['id']}")


@pytest.fixture
def publish(ini, name, capsys):
    """Publish in this process; give the exit code, what was printed, and all that was told on stderr."""

    def call(reference, *arguments, config=None):
        root = logging.getLogger()
        before = root.handlers[:]
        whole = ("--config-file", config or ini(), "publish", reference, "--name", name, "-f", "json", *arguments)
        code = main([*map(str, whole)])
        for handler in set(root.handlers).difference(before):  # bound to this test's stderr
            root.removeHandler(handler)
        told = capsys.readouterr()
        return code, told.out, told.err

    return call


def done(outcome):
    code, printed, told = outcome
    assert code == 0, told
    return json.loads(printed)


def refused(outcome, code, *parts):
    """Check the last line: the problem has the parts but the last, which is in the remedy."""
    last = outcome[2].splitlines()[-1]
    problem, _, remedy = last.rpartition("; ")
    assert outcome[0] == code, outcome
    assert all(part in problem for part in parts[:-1]), last
    assert parts[-1] in remedy, last


def test_an_image_goes_from_a_web_server_into_glance_in_one_reading(cloud, publish, ini, secure, name):
    """The issue: "http(s) and file sources stream into Glance while they are downloaded and hashed"."""
    config = ini(amphora_image__image_properties="disk_format:qcow2,min_disk:2,architecture:x86_64")
    (row,) = done(publish(f"{secure.url}#sha256={SHA256}", "--property", "min_disk=1", config=config))

    (image,) = images(cloud.octavia, name)
    assert (row["id"], row["sha512"], row["method"]) == (image["id"], SHA512, "upload")
    assert row["outcome"].startswith("read and verified here")
    assert (image["status"], image["os_hash_value"], image["amphora_image_sha512"]) == ("active", SHA512, SHA512)
    assert (image["disk_format"], image["min_disk"], image["hw_architecture"]) == ("qcow2", 1, "x86_64")
    assert [method for method, *_ in secure.asked] == ["HEAD", "GET"]


def test_a_checksum_file_says_what_the_bytes_shall_be(cloud, publish, secure, authority, name):
    tls = authority.server("127.0.0.1")
    with serving_image(f"{SHA512}  amphora.img\n".encode(), tls=tls) as sums:
        (row,) = done(publish(f"{secure.url}#checksum={sums.url}"))
        again = done(publish(f"{secure.url}#checksum={sums.url}"))
        sums.content = f"{'0' * 64}  amphora.img\n".encode()
        refused(publish(f"{secure.url}#checksum={sums.url}"), 1, "should have sha256=000", "which digest is right")
    (image,) = images(cloud.octavia, name)
    assert (row["id"], image["disk_format"]) == (image["id"], "qcow2")
    assert (again[0]["method"], again[0]["id"]) == ("none", image["id"])


@pytest.mark.parametrize("pin", [f"sha256={'0' * 64}", f"sha512={'0' * 128}"])
def test_a_wrong_pin_leaves_nothing(cloud, publish, web, name, pin):
    """CVE-2024-47211: a checksum that is checked only after the image has been used."""
    refused(publish(f"{web.url}#{pin}"), 1, "should have sha", "=000", "and has sha", "which digest is right")
    assert not images(cloud.octavia, name)


def test_a_download_that_is_cut_goes_on_where_it_was(cloud, publish, web, name):
    web.faults.append(Fault(cut_after=MIB, reset=True))
    done(publish(f"{web.url}#sha512={SHA512}", "--disk-format", "qcow2"))
    (image,) = images(cloud.octavia, name)
    assert image["os_hash_value"] == SHA512
    assert web.sent_ranges == [None, f"bytes={MIB}-"]


def test_a_source_that_changes_meanwhile_leaves_nothing(cloud, publish, web, name):
    web.faults.append(Fault(cut_after=MIB, then=lambda: setattr(web, "etag", '"two"')))
    refused(publish(f"{web.url}#sha256={SHA256}", "--disk-format", "qcow2"), 6, "another version now", "again")
    assert not images(cloud.octavia, name)


@pytest.mark.parametrize("method", ["auto", "web-download"])
def test_an_address_that_is_not_allowed_is_refused_before_glance_is_asked(publish, ini, web, method):
    """The issue: "the same rule on addresses is applied before Glance is asked"."""
    arguments = (f"{web.url}#sha512={SHA512}", "--disk-format", "qcow2", "--method", method)
    config = ini(image_http__allowed_addresses="127.0.0.9/32", **NOWHERE)
    refused(publish(*arguments, config=config), 2, "127.0.0.1 is not public", "allowed_addresses")
    config = ini(image_http__allowed_ports="443", **NOWHERE)
    refused(publish(*arguments, config=config), 2, f"port {web.port} is not allowed", "allowed_ports")
    assert not web.asked


def test_a_host_with_credentials_is_not_handed_over_to_glance(publish, ini, secure, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text("[127.0.0.1]\ntype = bearer\ntoken = canary\n")
    config = ini(image_http__credentials_file=credentials, **NOWHERE)
    arguments = (f"{secure.url}#sha512={SHA512}", "--disk-format", "qcow2", "--method", "web-download")
    outcome = publish(*arguments, config=config)
    refused(outcome, 2, "wants credentials", "leave --method out")
    assert "canary" not in outcome[2]


def test_a_redirect_is_followed_only_to_where_it_may_lead(cloud, publish, web, name):
    for method in ("HEAD", "GET"):
        web.faults.append(Fault(method=method, status=302, headers={"Location": "/other"}))
    done(publish(f"{web.url}#sha256={SHA256}", "--disk-format", "qcow2"))
    (image,) = images(cloud.octavia, name)
    assert image["os_hash_value"] == SHA512

    away = Fault(status=302, headers={"Location": f"http://127.0.0.2:{web.port}/x"})
    web.faults.append(away)
    refused(publish(f"{web.url}#sha256={'0' * 64}"), 2, "127.0.0.2 is not public", "allowed_addresses")
    assert len(images(cloud.octavia, name)) == 1


def test_what_is_no_image_or_has_no_length_is_refused_before_glance_is_asked(publish, ini, web):
    config, pinned = ini(**NOWHERE), f"{web.url}#sha256={SHA256}"
    web.faults.append(Fault(method="HEAD", headers={"Content-Length": None}))
    refused(publish(pinned, config=config), 1, "its length is told nowhere", "fetch it into a file")
    web.faults.append(Fault(method="HEAD", headers={"Content-Type": "text/html"}))
    refused(publish(pinned, config=config), 1, "a web page", "a log-in page")
    refused(publish(web.url, config=config), 2, "anybody on the way can change it", "pin it")
    refused(publish(f"glance://tag/{web.port}", config=config), 2, "is in Glance already", "fetch it into a file")
    both = publish(f"{web.url}#sha512={SHA512}", "--sha512", "0" * 128, config=config)
    refused(both, 2, "name different bytes", "leave out")


def test_one_download_goes_to_several_clouds(cloud, command, ini, web, name, tmp_path):
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text(cloud.access.clouds())
    what = ("--config-file", ini(), "publish", f"{web.url}#sha256={SHA256}", "--disk-format", "qcow2", "--name", name)
    ended = command(*what, "-f", "json", "--os-cloud", "octavia", "--os-cloud", "demo")
    assert ended.code == 0, ended.stderr
    assert [(each["cloud"], each["sha512"]) for each in json.loads(ended.stdout)] == [
        ("octavia", SHA512),
        ("demo", SHA512),
    ]
    assert web.sent_ranges == [None]


def test_a_file_reference_is_read_under_its_roots_with_its_side_file(cloud, publish, ini, name, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.qcow2").write_bytes(BYTES)
    (folder / "a.qcow2.yaml").write_text("disk_format: qcow2\nmin_disk: 3\nproperties:\n  hw_rng_model: virtio\n")
    (tmp_path / "outside.qcow2").write_bytes(BYTES)
    (folder / "led-out").symlink_to(tmp_path / "outside.qcow2")
    for outside in (tmp_path / "outside.qcow2", folder / "led-out"):
        config = ini(image_file__allowed_roots=folder, **NOWHERE)
        refused(publish(f"file://{outside}", config=config), 2, "allowed_roots", "")

    done(publish(f"file://{folder}/a.qcow2#sha256={SHA256}", config=ini(image_file__allowed_roots=folder)))
    (image,) = images(cloud.octavia, name)
    assert (image["min_disk"], image["hw_rng_model"], image["os_hash_value"]) == (3, "virtio", SHA512)
