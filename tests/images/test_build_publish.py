# SPDX-License-Identifier: Apache-2.0
"""From the build to a tag on a real Glance: ``amphora-image build --publish``."""

from __future__ import annotations

import json

_TINY = ("build", "--os", "debian", "--release", "bookworm", "--tiny", "--compression", "zstd", "-o", "tiny.qcow2")


def images(cloud, name):
    return cloud.octavia.image.get("/v2/images", params={"name": name}).json()["images"]


def test_an_image_that_passed_its_test_is_published_and_gets_the_tag(cloud, command, tag, tmp_path):
    """The issue: "build → inspect → test → publish → promote → boot is one documented path"."""
    name = cloud.named("built")
    try:
        ini = cloud.ini()
        ended = command(
            "--config-file", ini, *_TINY, "--publish", "--name", name, "--tag", tag, "-f", "json", timeout=1500
        )
        assert ended.code == 0, ended.stderr
        [row] = json.loads(ended.stdout)
        assert row["tag"] == tag
        assert row["size"] == (tmp_path / "tiny.qcow2").stat().st_size
        assert "shuts down: it switched itself off" in ended.stderr
        resolved = command("--config-file", ini, "resolve", tag, "-f", "json")
        assert json.loads(resolved.stdout)["id"] == row["id"]
    finally:
        for image in images(cloud, name):
            patch = [{"op": "replace", "path": "/protected", "value": False}]
            headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
            cloud.octavia.image.patch(f"/v2/images/{image['id']}", json=patch, headers=headers)
            cloud.octavia.image.delete(f"/v2/images/{image['id']}")


def test_an_image_that_fails_its_test_is_neither_published_nor_tagged(cloud, command, tag, tmp_path):
    """The issue: "promoted only if the test passed"."""
    name = cloud.named("broken")
    panic = ("--kernel-options", "console=ttyS0 init=/bin/false panic=1")
    ended = command(
        "--config-file", cloud.ini(), *_TINY, *panic, "--publish", "--name", name, "--tag", tag, timeout=1500
    )
    assert ended.code == 1, ended.stderr
    assert "the image failed its test at 'boots and answers' (bios): the machine ended" in ended.stderr.splitlines()[-1]
    assert "panic" in (tmp_path / "tiny.qcow2.bios.console.log").read_text(errors="replace")
    assert images(cloud, name) == []
    assert cloud.octavia.image.get("/v2/images", params={"tag": tag}).json()["images"] == []


def test_a_cloud_that_could_not_be_published_to_is_told_before_the_build(cloud, command, tmp_path):
    """A build takes minutes, and its test too."""
    down = cloud.ini(glance__endpoint="http://127.0.0.1:9", amphora_image__retry_deadline_seconds="1")
    unknown = cloud.ini(service_auth__password="wrong")
    for ini, code in ((down, 6), (unknown, 5)):
        ended = command("--config-file", ini, *_TINY, "--publish", "--name", cloud.named("never"))
        assert ended.code == code, ended.stderr
        assert "unpacking" not in ended.stderr
        assert not list(tmp_path.glob("tiny*"))
