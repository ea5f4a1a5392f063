# SPDX-License-Identifier: Apache-2.0
"""``kill -9`` after each request of a publication, and the same command again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.cloud import until
from support.program import AMPHORA_IMAGE
from support.proxy import Fault, proxying
from support.published import BYTES, delete, nothing_is_staged


@pytest.fixture
def prefix(cloud):
    """What the names of the test's images begin with; all of them are deleted in the end."""
    made = cloud.named("walk")
    yield made
    delete(cloud.octavia, images(cloud, made))


def images(cloud, prefix):
    found = cloud.octavia.image.get("/v2/images", params={"limit": 1000}).json()["images"]
    return [each for each in found if each["name"].startswith(prefix)]


def walk(*arguments):
    """Run the walk, and give what it tells of each step."""
    command = [sys.executable, "-m", "support.crashes", *map(str, arguments)]
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    ended = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=900, check=True)
    return [json.loads(line) for line in ended.stdout.splitlines()]


@pytest.mark.parametrize("method", ["upload", "glance-direct"])
def test_after_a_kill_at_each_request_the_same_command_leaves_one_whole_image(cloud, file, prefix, method, access):
    """The issue: "after a kill -9 at *each request boundary* (a test walks them all) the next run of the same command
    ends with one whole image, one holder, and no half image or staged bytes of ours that it does not report or remove".
    """
    tagged = method == "glance-direct"
    tag = ("--tag", f"{prefix}-{{n}}") if tagged else ()
    arguments = ("publish", file, "--name", f"{prefix}-{{n}}", "--method", method, *tag)
    steps = walk("--config-file", cloud.ini(), *arguments)

    requests = [each["request"] for each in steps]
    assert [each for each in requests if each.startswith("POST /v2/images") and "/import" not in each]
    assert sum(each.endswith(("/file", "/stage")) for each in requests) == 2, "after its answer, and within it"
    assert {(each["killed"], each["code"]) for each in steps} == {(True, 0)}, steps
    left = images(cloud, prefix)
    for step in steps:
        name = f"{prefix}-{step['n']}"
        (image,) = [each for each in left if each["name"] == name]
        assert (image["status"], image["size"]) == ("active", len(BYTES)), step
        assert image["tags"] == ([name] if tagged else []), step
        assert "amphora_image_publisher" not in image, step
    nothing_is_staged(access)


def test_an_interrupt_deletes_what_was_begun(cloud, file, prefix, tmp_path):
    """The issue: "Ctrl-C removes what was begun"."""
    with proxying(glance(cloud)) as proxy:
        proxy.order(Fault("PUT .*/stage", status=None, forward=True, hold_seconds=60))
        ini = cloud.ini(glance__endpoint=proxy.url)
        # Whoever runs the tests in the background of a shell has the signal ignored, and children inherit that.
        command = ["env", "--default-signal=INT", AMPHORA_IMAGE, "--config-file", ini, "publish", file]
        command += ["--name", prefix, "--method", "glance-direct"]
        started = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
        until(lambda: proxy.count("PUT .*/stage"), seconds=60, what="the bytes are sent")
        started.send_signal(signal.SIGINT)
        _, stderr = started.communicate(timeout=60)
    assert started.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert not images(cloud, prefix)


def glance(cloud):
    return cloud.octavia.image.get_endpoint()
