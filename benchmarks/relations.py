# SPDX-License-Identifier: Apache-2.0
"""Relations: the store's query alone, with a million of them, and the note that a boot takes of itself.

``relations.py [sqlite|postgresql …]``: on SQLite, and on the PostgreSQL of a sandbox. What one instance has is read by
the first page, of 25; the instances asked for differ each time, so that no cache answers.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.relation.database import Database, Settings
from amphora_image.relation.recorder import Recorder
from amphora_image.relation.schema import Schema
from amphora_image.relation.store import RelationStore, Wanted
from amphora_image.relation.table import RELATIONS
from amphora_image.sandbox import Sandbox, database
from amphora_image.sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_SAMPLES = Path(__file__).parent / "samples"
_SIZES = (100_000, 1_000_000)
_IMAGES, _PER_INSTANCE, _CHUNK = 200_000, 10, 10_000
_ROUNDS = 1000


@contextmanager
def place(kind: str) -> Iterator[str]:
    """Give the URL of an empty database."""
    with tempfile.TemporaryDirectory() as folder:
        if kind == "sqlite":
            yield f"sqlite:///{folder}/relations.sqlite"
            return
        box = Sandbox(Path(folder) / "sandbox")
        try:
            box.up(with_=["relations"])
            state = State.load(box.layout.state)
            yield f"{database.url(state)}/relations"  # type: ignore[arg-type]  # it is up
        finally:
            box.down(remove=True)


def an_id(kind: int, number: int) -> str:
    """Give the id of one image or instance: spread over the whole range, as random ones are."""
    return str(uuid.UUID(bytes=hashlib.blake2b(f"{kind}/{number}".encode(), digest_size=16).digest()))


def fill(store: Database, first: int, last: int) -> None:
    """Add relations: ten images of each instance, five instances of each image."""
    installation, now = an_id(0, 0), datetime.now(UTC).replace(tzinfo=None)
    for start in range(first, last, _CHUNK):
        rows = [
            {
                "installation": installation,
                "instance_id": an_id(1, number // _PER_INSTANCE),
                "image_id": an_id(2, number % _IMAGES),
                "kind": "backup",
                "created_at": now,
            }
            for number in range(start, start + _CHUNK)
        ]
        with store.writing() as connection:
            connection.execute(RELATIONS.insert(), rows)


def costs(call: Callable[[int], object]) -> list[tuple[float, float]]:
    """Give the milliseconds of each of many calls, by the clock and of this thread's CPU, after some that warm up."""
    taken = []
    for number in range(-50, _ROUNDS):
        began, worked = time.perf_counter(), time.thread_time()
        call(number)
        if number >= 0:
            taken.append(((time.perf_counter() - began) * 1000, (time.thread_time() - worked) * 1000))
    return taken


def told(name: str, taken: list[tuple[float, float]]) -> dict[str, float]:
    """Print a row and give its figures."""
    clock = [each[0] for each in taken]
    p50, p95 = statistics.median(clock), statistics.quantiles(clock, n=20)[-1]
    cpu = statistics.median(each[1] for each in taken)
    sys.stdout.write(f"{name}: p50 {p50:.3f} ms (CPU {cpu:.3f} ms), p95 {p95:.3f} ms\n")
    sys.stdout.flush()
    return {"p50_ms": round(p50, 4), "p50_cpu_ms": round(cpu, 4), "p95_ms": round(p95, 4)}


def measure(kind: str) -> dict[str, dict[str, float]]:
    """Measure one kind of database at each size."""
    rows = {}
    with place(kind) as url:
        Schema(url).upgrade()
        opened = Database(Settings(url, timeout_seconds=60))
        store, before = RelationStore(opened), 0
        for size in _SIZES:
            fill(opened, before, size)
            with opened.writing() as connection:
                connection.exec_driver_sql(f"ANALYZE {RELATIONS.name}")  # as PostgreSQL's own housekeeping would
            before = size
            instances = [an_id(1, random.randrange(size // _PER_INSTANCE)) for _ in range(_ROUNDS)]  # noqa: S311
            assert len(store.page(Wanted(instance_id=instances[0]), limit=25)) == _PER_INSTANCE  # noqa: S101
            name = f"{kind}, {size} relations, images of one instance"
            rows[name] = told(name, costs(lambda n, ids=instances: store.page(Wanted(instance_id=ids[n]), limit=25)))
        opened.dispose()
    return rows


def main() -> None:
    """Measure, and keep the figures."""
    rows = {}
    for kind in sys.argv[1:] or ("sqlite", "postgresql"):
        rows |= measure(kind)
    recorder = Recorder(lambda _: None, an_id(0, 0))
    rows["a boot's note"] = told("a boot's note", costs(lambda n: recorder.booted(str(n), an_id(2, 1))))
    machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "load": os.getloadavg()}
    _SAMPLES.mkdir(exist_ok=True)
    (_SAMPLES / "relations.json").write_text(json.dumps({**rows, **machine}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
