# SPDX-License-Identifier: Apache-2.0
"""Another process of a sandbox's service, beside the one that runs: the same program, with a configuration of its own."""

from __future__ import annotations

import os
import random
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.sandbox import catalogue, configs, ports, processes
from amphora_image.sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.sandbox import Sandbox

SECONDS = 120


def write_config(box: Sandbox, service: str, name: str, more: str) -> str:
    """Write the service's configuration into the folder ``name``, with ``more`` after it, which wins; give its path.

    The path is as the services read it, from the sandbox's folder.
    """
    stock = configs.config_file(box.layout, service)
    path = box.layout.config / name / stock.name
    configs.write_private(path, f"{stock.read_text(encoding='utf-8')}\n{more}")
    return configs.told(box.layout, path)


@contextmanager
def beside(box: Sandbox, service: str, name: str, more: str) -> Iterator[str]:
    """Run the service once more as ``name``, with ``more`` in its configuration, and give its URL."""
    found, state = catalogue.find(service), State.load(box.layout.state)
    assert state is not None
    write_config(box, service, name, more)
    told = configs.told(box.layout, box.layout.config)
    own = {
        variable: f"{told}/{name}" if value == f"{told}/{service}" else value
        for variable, value in configs.environ(box.layout, found).items()
    }
    listening = ports.listen(None, random.Random())
    ready, telling = os.pipe()
    port = listening.getsockname()[1]
    try:
        started = processes.start(
            processes.Launch(
                command=[
                    *(sys.executable, "-P", "-m", "amphora_image.sandbox.serve"),
                    *(service, str(box.layout.root), str(listening.fileno()), str(telling), f"--deadline={SECONDS}"),
                ],
                environ=processes.environment(state.sandbox_id, name, own, root=box.layout.root),
                folder=box.layout.root,
                log=box.layout.log(name),
                inherited=(listening.fileno(), telling),
            )
        )
    finally:
        listening.close()
        os.close(telling)
    try:
        with os.fdopen(ready, "rb") as pipe:
            assert pipe.read(), f"{name} ended before it was ready: see {box.layout.log(name)}"
        yield found.url({service: port})
    finally:
        started.terminate()
        started.wait(SECONDS)
