# SPDX-License-Identifier: Apache-2.0
"""A build through Octavia's contract, beside Octavia's own driver: CPU of the driver, and time until it is ACTIVE.

CPU is measured of the build alone and of all until the amphora is ACTIVE, the polls included, which ask once a second.
Each driver runs in a worker process of its own against one sandbox, with its octavia.conf and as few environment
variables as a service has; the first build of each, which fetches a token, is the warm-up. The CPU is that of the thread
that builds, from the driver's constructor to the end of the call, so that waiting for services costs nothing and neither
does finding the driver, which Octavia does anew for each.

``--only NAME`` measures one of them; ``--sandbox DIR`` uses one that is up; ``--add`` adds to the pairs that were kept.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _paired import pairs_of, report
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
    """Build, poll once a second until it is ACTIVE, delete, and give the CPU seconds of build and polls."""
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


_MEASURED = {
    "octavia-build-cpu": cpu_of,
    "octavia-to-active-cpu": cpu_to_active,
    "octavia-time-to-active": time_to_active,
}


def main() -> None:
    """Measure both on a sandbox of their own, or on the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(_MEASURED))
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--sandbox", type=Path)
    asked = parser.parse_args()
    for name in set(os.environ) - _KEPT:
        del os.environ[name]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        box = Sandbox(asked.sandbox or folder / "sandbox")
        if not asked.sandbox:
            stack.callback(box.down, remove=True)
        access = box.access() if asked.sandbox else box.up(deadline_seconds=300, with_=("octavia",))
        conf = folder / "octavia.conf"
        conf.write_bytes((box.layout.config / "octavia" / "octavia.conf").read_bytes())
        cloud = Cloud(access, folder)
        cloud.upload("v1", TAG)
        ours, stock = (
            stack.enter_context(working(conf, name)) for name in ("amphora_image_driver", "compute_nova_driver")
        )
        for name in asked.only or _MEASURED:
            cost = _MEASURED[name]
            samples = pairs_of(lambda: cost(ours, cloud), lambda: cost(stock, cloud), asked.pairs)  # noqa: B023
            report(name, samples, add=asked.add)


if __name__ == "__main__":
    main()
