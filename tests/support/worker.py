# SPDX-License-Identifier: Apache-2.0
"""A controller worker in a process of its own: Octavia's configuration, a compute driver by its name, one for each task.

Run as a program it reads a call a line (``{"id": …, "method": …, "arguments": {…}}``) and prints an outcome a line, with
the seconds of CPU that the driver took. The class at the other end is :class:`Worker`.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREADS = 64


class CallFailedError(Exception):
    """The driver raised; ``kind`` is the class's name."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(f"{kind}: {text}")
        self.kind = kind


class Worker:
    """Calls the driver in the other process; thread-safe."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._waiting: dict[int, queue.Queue[dict[str, Any]]] = {}
        self.log = log
        threading.Thread(target=self._read, daemon=True).start()

    def begin(self, method: str, **arguments: Any) -> queue.Queue[dict[str, Any]]:
        """Send a call and return at once; its outcome will be in the queue."""
        outcome: queue.Queue[dict[str, Any]] = queue.Queue()
        with self._lock:
            number = len(self._waiting)
            self._waiting[number] = outcome
            assert self._process.stdin
            self._process.stdin.write(json.dumps({"id": number, "method": method, "arguments": arguments}) + "\n")
            self._process.stdin.flush()
        return outcome

    def call(self, method: str, **arguments: Any) -> Any:
        """Call and wait.

        :raises CallFailedError: the driver raised.
        """
        return result(self.begin(method, **arguments))

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            outcome = json.loads(line)
            self._waiting[outcome["id"]].put(outcome)


def result(outcome: queue.Queue[dict[str, Any]], seconds: float = 120) -> Any:
    """Wait for a call's outcome.

    :raises CallFailedError: the driver raised.
    """
    told = outcome.get(timeout=seconds)
    if "error" in told:
        raise CallFailedError(told["kind"], told["error"])
    return told["result"]


@contextmanager
def working(conf: Path, driver: str) -> Iterator[Worker]:
    """Run a worker with ``conf`` and the compute driver of that name."""
    log = conf.with_suffix(f".{driver}.log")
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "support.worker", str(conf), driver]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with log.open("w") as errors, subprocess.Popen(command, env=environ, text=True, stderr=errors, **pipes) as process:
        try:
            yield Worker(process, log)
        finally:
            process.stdin.close()
            process.terminate()
            process.wait(30)


def main() -> None:
    """Serve calls until standard input ends."""
    from octavia.common import config  # noqa: PLC0415 - here alone, not where the tests import Worker
    from oslo_config import cfg  # noqa: PLC0415 - as above
    from oslo_log import log as logging  # noqa: PLC0415 - as above
    from stevedore.driver import DriverManager  # noqa: PLC0415 - as above

    conf, driver = sys.argv[1:]
    protocol, sys.stdout = sys.stdout, sys.stderr  # where oslo.log writes to
    config.init(["--config-file", conf])
    logging.setup(cfg.CONF, "octavia")
    printing = threading.Lock()

    def handle(call: dict[str, Any]) -> None:
        outcome: dict[str, Any] = {}
        try:
            driver_class = DriverManager("octavia.compute.drivers", driver).driver
            began = time.thread_time()
            try:
                answer = getattr(driver_class(), call["method"])(**call["arguments"])
            finally:
                outcome["cpu_seconds"] = time.thread_time() - began
            outcome["result"] = json.loads(json.dumps(answer, default=lambda one: one.to_dict()))
        except Exception as error:  # noqa: BLE001 - told to the other side
            outcome |= {"kind": type(error).__name__, "error": str(error)}
        with printing:
            print(json.dumps({"id": call["id"], **outcome}), file=protocol, flush=True)

    with ThreadPoolExecutor(_THREADS) as pool:
        for line in sys.stdin:
            pool.submit(handle, json.loads(line))


if __name__ == "__main__":
    main()
