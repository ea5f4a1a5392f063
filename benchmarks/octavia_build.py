# SPDX-License-Identifier: Apache-2.0
"""A build through Octavia's contract, beside Octavia's own driver: CPU of the driver, and time until it is ACTIVE.

CPU is measured of the build alone and of all until the amphora is ACTIVE, the polls included, which ask once a second.
Each driver runs in a worker process of its own against one sandbox, with its octavia.conf and as few environment
variables as a service has; the first build of each, which fetches a token, is the warm-up. The CPU is that of the thread
that builds, from the driver's constructor to the end of the call, so that waiting for services costs nothing and neither
does finding the driver, which Octavia does anew for each. It is measured once more for 20 builds that begin at once, as
after a host's failure.

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
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from _paired import pairs_of, report
from support.cloud import Cloud
from support.worker import Worker, working

from amphora_image.sandbox import Sandbox

if TYPE_CHECKING:
    from queue import Queue

TAG = "amphora"
#: As ``[controller_worker] amp_active_wait_sec``, for both drivers.
_POLL_SECONDS = 1.0
#: As many amphorae as begin at once where many do.
_MANY = 20
#: Requests looks through all variables for each request: what a login shell has would make both drivers slow.
_KEPT = {"PATH", "HOME", "LANG", "PYTHONPATH"}


def begun(worker: Worker, cloud: Cloud) -> Queue[dict[str, Any]]:
    """Begin to build an amphora."""
    access = cloud.access
    arguments = {"amphora_flavor": access.flavor_id, "image_tag": TAG, "network_ids": [access.network_id]}
    return worker.begin("build", name=f"amphora-{uuid.uuid4()}", **arguments)


def build(worker: Worker, cloud: Cloud) -> tuple[str, float]:
    """Build an amphora, and give its id and the driver's CPU seconds."""
    told = begun(worker, cloud).get(timeout=60)
    return told["result"], told["cpu_seconds"]


def cpu_of(worker: Worker, cloud: Cloud) -> float:
    """Build, delete, and give the CPU seconds of the build."""
    compute_id, seconds = build(worker, cloud)
    worker.call("delete", compute_id=compute_id)
    return seconds


def cpu_to_active(worker: Worker, cloud: Cloud, amphorae: int = 1) -> float:
    """Build, all at once, poll each once a second until it is ACTIVE, delete, and give the CPU seconds of builds and polls."""
    told = [one.get(timeout=120) for one in [begun(worker, cloud) for _ in range(amphorae)]]
    seconds, building = sum(one["cpu_seconds"] for one in told), [one["result"] for one in told]
    while building:
        time.sleep(_POLL_SECONDS)
        asked = [worker.begin("get_amphora", compute_id=compute_id) for compute_id in building]
        told = [one.get(timeout=60) for one in asked]
        seconds += sum(one["cpu_seconds"] for one in told)
        for one in [one["result"][0] for one in told if one["result"][0]["status"] != "BUILD"]:
            building.remove(one["compute_id"])
            worker.call("delete", compute_id=one["compute_id"])
    return seconds


def cpu_of_many(worker: Worker, cloud: Cloud) -> float:
    """Do the same for many amphorae at once."""
    return cpu_to_active(worker, cloud, _MANY)


def time_to_active(worker: Worker, cloud: Cloud) -> float:
    """Build, look until the server is ACTIVE, delete, and give the seconds from the call to the look that saw it."""
    began = time.perf_counter()
    compute_id, _ = build(worker, cloud)
    while worker.call("get_amphora", compute_id=compute_id)[0]["status"] == "BUILD":
        time.sleep(0.1)
    seconds = time.perf_counter() - began
    worker.call("delete", compute_id=compute_id)
    return seconds


#: What is measured → how, and in how many pairs.
_MEASURED = {
    "octavia-build-cpu": (cpu_of, 20),
    "octavia-to-active-cpu": (cpu_to_active, 20),
    "octavia-time-to-active": (time_to_active, 20),
    "octavia-many-to-active-cpu": (cpu_of_many, 10),
}


def main() -> None:
    """Measure both on a sandbox of their own, or on the one that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=sorted(_MEASURED))
    parser.add_argument("--pairs", type=int)
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
            cost, pairs = _MEASURED[name]
            samples = pairs_of(lambda: cost(ours, cloud), lambda: cost(stock, cloud), asked.pairs or pairs)  # noqa: B023
            report(name, samples, add=asked.add)


if __name__ == "__main__":
    main()
