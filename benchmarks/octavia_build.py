# SPDX-License-Identifier: Apache-2.0
"""A build through Octavia's contract, beside Octavia's own driver: CPU of the driver, and time until it is ACTIVE.

CPU is measured of the build alone and of all until the amphora is ACTIVE, the polls included, which ask once a second.
Each driver runs in a worker process of its own against one sandbox, with its octavia.conf and as few environment
variables as a service has; the first build of each, which fetches a token, is the warm-up. The CPU is that of the thread
that builds, so that waiting for services costs nothing. It is measured once more with ``pair_window_seconds = 0``, which
leaves out the question to Octavia's database which two builds are a pair.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import uuid
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _paired import compare
from support.cloud import Cloud
from support.worker import Worker, working

from amphora_image.sandbox import Sandbox

TAG = "amphora"
#: As ``[controller_worker] amp_active_wait_sec``, for both drivers.
_POLL_SECONDS = 1.0
#: Requests looks through all variables for each request: what a login shell has would make both drivers slow.
_KEPT = {"PATH", "HOME", "LANG", "PYTHONPATH"}


def build(worker: Worker, cloud: Cloud) -> tuple[str, float]:
    """Build an amphora, and give its id and the driver's CPU seconds."""
    access = cloud.access
    arguments = {"amphora_flavor": access.flavor_id, "image_tag": TAG, "network_ids": [access.network_id]}
    told = worker.begin("build", name=f"amphora-{uuid.uuid4()}", **arguments).get(timeout=60)
    return told["result"], told["cpu_seconds"]


def cpu_of(worker: Worker, cloud: Cloud) -> float:
    """Build, delete, and give the CPU seconds of the build."""
    compute_id, seconds = build(worker, cloud)
    worker.call("delete", compute_id=compute_id)
    return seconds


def cpu_to_active(worker: Worker, cloud: Cloud) -> float:
    """Build, poll once a second until the server is ACTIVE, delete, and give the CPU seconds of build and polls."""
    compute_id, seconds = build(worker, cloud)
    status = "BUILD"
    while status == "BUILD":
        time.sleep(_POLL_SECONDS)
        told = worker.begin("get_amphora", compute_id=compute_id).get(timeout=60)
        seconds += told["cpu_seconds"]
        status = told["result"][0]["status"]
    worker.call("delete", compute_id=compute_id)
    return seconds


def time_to_active(worker: Worker, cloud: Cloud) -> float:
    """Build, look until the server is ACTIVE, delete, and give the seconds from the call to the look that saw it."""
    began = time.perf_counter()
    compute_id, _ = build(worker, cloud)
    while worker.call("get_amphora", compute_id=compute_id)[0]["status"] == "BUILD":
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    worker.call("delete", compute_id=compute_id)
    return seconds


def main() -> None:
    """Measure both on a sandbox of their own."""
    for name in set(os.environ) - _KEPT:
        del os.environ[name]
    with tempfile.TemporaryDirectory() as folder:
        box = Sandbox(Path(folder) / "sandbox")
        try:
            access = box.up(deadline_seconds=300, with_=("octavia",))
            told = (box.layout.config / "octavia" / "octavia.conf").read_text(encoding="utf-8")
            conf, alone = Path(folder) / "octavia.conf", Path(folder) / "alone.conf"
            conf.write_text(told, encoding="utf-8")
            alone.write_text(f"{told}\n[amphora_image]\npair_window_seconds = 0\n", encoding="utf-8")
            cloud = Cloud(access, Path(folder))
            cloud.upload("v1", TAG)
            with (
                working(conf, "amphora_image_driver") as ours,
                working(alone, "amphora_image_driver") as without_pairs,
                working(conf, "compute_nova_driver") as stock,
            ):
                for name, cost, mine in (
                    ("octavia-build-cpu", cpu_of, ours),
                    ("octavia-build-cpu-without-pairs", cpu_of, without_pairs),
                    ("octavia-to-active-cpu", cpu_to_active, ours),
                    ("octavia-time-to-active", time_to_active, ours),
                ):
                    compare(name, partial(cost, mine, cloud), partial(cost, stock, cloud), pairs=20)
        finally:
            box.down(remove=True)


if __name__ == "__main__":
    main()
