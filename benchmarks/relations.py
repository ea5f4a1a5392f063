# SPDX-License-Identifier: Apache-2.0
"""Relations, with 200,000 images and up to a million relations, on PostgreSQL and SQLite.

``relations.py [--dir FOLDER] [STEP …]``; the steps are ``store`` (the store's query alone), ``list`` (the images of an
instance through the real Glance, beside Glance's filter by property), ``growth`` (the same, of 10⁶ relations beside
10⁵), ``others`` (requests that do not concern relations, beside a Glance without the filter) and ``boot`` (recording a
boot). In FOLDER the sandbox with all that was filled in stays for the next step; `amphora-image sandbox down --remove
--dir FOLDER/sandbox` removes it.

What one instance has is read by the first page, of 25. The instances asked for differ each time, so that no cache answers.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import uuid
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import _paired
from _relations import IMAGES, PER_INSTANCE, SIZES, an_id, fill_glance, postgresql, sqlite, told
from support.beside import beside
from support.cloud import Cloud, Users

from amphora_image.config import load
from amphora_image.drivers.runtime import Runtime
from amphora_image.relation.database import Database, Settings
from amphora_image.relation.recorder import Recorder
from amphora_image.relation.store import RelationStore, Wanted
from amphora_image.sandbox import Sandbox
from amphora_image.sandbox.state import State

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLES = Path(__file__).parent / "samples" / "relations.json"
_KINDS = ("postgresql", "sqlite")
_ROUNDS, _WARM, _PAIRS, _REQUESTS = 1000, 50, 30, 20
_BYTES = bytes(512) + os.urandom(1024 * 1024 - 512)
_JSON, _RAW = {"Content-Type": "application/json"}, {"Content-Type": "application/octet-stream"}


class Glance:
    """One Glance, asked on one connection."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._connection = http.client.HTTPConnection(urlsplit(url).netloc)
        self._token = token

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, headers: dict[str, str] = _JSON) -> bytes:
        """Send one request and give the answer's body."""
        self._connection.request(method, path, body, {**headers, "X-Auth-Token": self._token})
        answer = self._connection.getresponse()
        read = answer.read()
        assert answer.status < 300, (answer.status, read[:300])  # noqa: S101
        return read

    def seconds(self, paths: list[str]) -> float:
        """Give the mean time of requests of which the bodies were checked before."""
        began = time.perf_counter()
        for path in paths:
            self.ask(path)
        return (time.perf_counter() - began) / len(paths)


class Bench:
    """A sandbox in ``folder``, filled as it is needed, and the Glances beside its own."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened
        self._box = Sandbox(folder / "sandbox")
        access = self._box.up(deadline_seconds=300, with_=["relations"])
        state = State.load(self._box.layout.state)
        assert state is not None  # noqa: S101 - it is up
        self.state = state
        self.cloud = Cloud(access, folder, Users(access))
        self._glances: dict[str, Glance] = {}

    def url(self, kind: str, size: int) -> str:
        """Give the database of a kind and size."""
        return postgresql(self.state, size) if kind == "postgresql" else sqlite(self._folder, size)

    def glance(self, name: str, more: str) -> Glance:
        """Give a Glance beside the sandbox's own, over the same images, started when it is first needed."""
        if name not in self._glances:
            fill_glance(self.state)
            url = self._opened.enter_context(beside(self._box, "glance", name, more))
            self._glances[name] = Glance(url, self.cloud.admin.session.get_token())
        return self._glances[name]

    def related(self, kind: str, size: int = SIZES[-1]) -> Glance:
        """Give one with the filter."""
        return self.glance(f"glance-{kind}-{size}", f"[relation]\nconnection = {self.url(kind, size)}")

    def plain(self) -> Glance:
        """Give one without."""
        layout = self._box.layout
        stock = (layout.config / "glance" / "paste-with-relations.ini").read_text(encoding="utf-8")
        path = layout.config / "paste-without-relations.ini"
        path.write_text(stock.replace("context amphora_image_relations", "context"), encoding="utf-8")
        return self.glance("glance-plain", f"[paste_deploy]\nconfig_file = {path}")


def instances(size: int = SIZES[0]) -> list[str]:
    """Choose as many instances as one sample asks for; those of the smallest size are in every one."""
    return [an_id("instance", random.randrange(size // PER_INSTANCE)) for _ in range(_REQUESTS)]  # noqa: S311


def by_relation(ids: list[str]) -> list[str]:
    """Ask the filter."""
    return [f"/v2/images?instance_id={each}" for each in ids]


def by_property(ids: list[str]) -> list[str]:
    """Ask Glance alone."""
    return [f"/v2/images?instance_uuid={each}" for each in ids]


def check(ours: Glance, ours_path: str, peer: Glance, peer_path: str) -> None:
    """See that both give the same images."""
    found, expected = (
        [each["id"] for each in json.loads(glance.ask(path))["images"]]
        for glance, path in ((ours, ours_path), (peer, peer_path))
    )
    assert found == expected, (found, expected)  # noqa: S101
    assert len(found) == PER_INSTANCE, found  # noqa: S101


def measure_list(bench: Bench) -> None:
    """Compare with Glance's filter by property."""
    plain = bench.plain()
    for kind in _KINDS:
        related = bench.related(kind)
        one = instances()[:1]
        check(related, *by_relation(one), plain, *by_property(one))
        pairs = _paired.pairs_of(
            lambda ours=related: ours.seconds(by_relation(instances())),
            lambda: plain.seconds(by_property(instances())),
            _PAIRS,
        )
        _paired.report(f"relations-list-{kind}", pairs)


def measure_growth(bench: Bench) -> None:
    """Compare a million relations with a tenth of them."""
    for kind in _KINDS:
        small, big = (bench.related(kind, size) for size in SIZES)
        one = by_relation(instances()[:1])[0]
        check(big, one, small, one)
        pairs = _paired.pairs_of(
            lambda ours=big: ours.seconds(by_relation(instances())),
            lambda peer=small: peer.seconds(by_relation(instances())),
            _PAIRS,
        )
        _paired.report(f"relations-growth-{kind}", pairs)


def measure_others(bench: Bench) -> None:
    """Compare what does not concern relations with a Glance without the filter."""
    ours, plain = bench.related("postgresql"), bench.plain()
    image_id = bench.cloud.queued("bytes")
    ours.ask(f"/v2/images/{image_id}/file", "PUT", _BYTES, _RAW)

    def stage(glance: Glance) -> float:
        waiting = [bench.cloud.queued("staged") for _ in range(_REQUESTS // 4)]
        began = time.perf_counter()
        for each in waiting:
            glance.ask(f"/v2/images/{each}/stage", "PUT", _BYTES, _RAW)
        taken = (time.perf_counter() - began) / len(waiting)
        for each in waiting:
            plain.ask(f"/v2/images/{each}", "DELETE")
        return taken

    asked: dict[str, Callable[[Glance], float]] = {
        "list": lambda glance: glance.seconds(["/v2/images?limit=25"] * _REQUESTS),
        "get": lambda glance: glance.seconds(
            [f"/v2/images/{an_id('image', random.randrange(IMAGES))}" for _ in range(_REQUESTS)]  # noqa: S311
        ),
        "file": lambda glance: glance.seconds([f"/v2/images/{image_id}/file"] * _REQUESTS),
        "stage": stage,
    }
    for name, call in asked.items():
        pairs = _paired.pairs_of(lambda call=call: call(ours), lambda call=call: call(plain), _PAIRS)
        _paired.report(f"relations-others-{name}", pairs)


def costs(call: Callable[[int], object], rounds: int = _ROUNDS) -> list[tuple[float, float]]:
    """Give the milliseconds of each of many calls, by the clock and of this thread's CPU, after some that warm up."""
    taken = []
    for number in range(-_WARM, rounds):
        began, worked = time.perf_counter(), time.thread_time()
        call(number)
        if number >= 0:
            taken.append(((time.perf_counter() - began) * 1000, (time.thread_time() - worked) * 1000))
    return taken


def keep(name: str, taken: list[tuple[float, float]]) -> None:
    """Print a row and keep its figures beside the others."""
    clock = [each[0] for each in taken]
    p50, p95 = statistics.median(clock), statistics.quantiles(clock, n=20)[-1]
    cpu = statistics.median(each[1] for each in taken)
    told(f"{name}: p50 {p50:.3f} ms (CPU {cpu:.3f} ms), p95 {p95:.3f} ms")
    kept = json.loads(_SAMPLES.read_text(encoding="utf-8")) if _SAMPLES.exists() else {}
    kept |= {"cpus": os.cpu_count(), "python": platform.python_version()}
    kept[name] = {"p50_ms": round(p50, 4), "p50_cpu_ms": round(cpu, 4), "p95_ms": round(p95, 4)}
    _SAMPLES.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def measure_store(bench: Bench) -> None:
    """Measure the query that a list begins with, and a page of relations."""
    for kind in _KINDS:
        for size in SIZES:
            opened = Database(Settings(bench.url(kind, size)))
            store = RelationStore(opened)
            ids = [an_id("instance", random.randrange(size // PER_INSTANCE)) for _ in range(_ROUNDS)]  # noqa: S311
            name = f"{kind}, {size} relations"
            assert len(store.image_ids(Wanted(instance_id=ids[0]), limit=25)) == PER_INSTANCE  # noqa: S101
            keep(f"{name}, ids", costs(lambda n: store.image_ids(Wanted(instance_id=ids[n]), limit=10_001)))  # noqa: B023
            keep(f"{name}, page", costs(lambda n: store.page(Wanted(instance_id=ids[n]), limit=25)))  # noqa: B023
            opened.dispose()


def measure_boot(bench: Bench) -> None:
    """Measure what a boot waits for, and what is done beside it."""
    recorder = Recorder(lambda _: None, an_id("installation", 0))
    keep("a boot's note", costs(lambda n: recorder.booted(str(n), an_id("image", 1))))
    for kind in _KINDS:
        url = bench.related(kind).url
        installation = str(uuid.uuid4())
        ini = bench.cloud.ini(relation__nova_installation_uuid=installation, glance__endpoint=url)
        recorder = Runtime(load([str(ini)])).recorder
        assert recorder is not None  # noqa: S101 - there is an installation

        def whole(_number: int, recorder: Recorder = recorder) -> None:
            recorder.booted(str(uuid.uuid4()), an_id("image", random.randrange(IMAGES)))  # noqa: S311
            assert recorder.settle(60)  # noqa: S101 - else it is still being tried

        taken = costs(whole)
        opened = Database(Settings(bench.url(kind, SIZES[-1])))
        recorded = RelationStore(opened).page(Wanted(installation=installation), limit=2 * _ROUNDS)
        assert len(recorded) == _ROUNDS + _WARM  # noqa: S101 - all are
        opened.dispose()
        keep(f"a boot recorded in Glance, {kind}", taken)


_STEPS = {
    "store": measure_store,
    "list": measure_list,
    "growth": measure_growth,
    "others": measure_others,
    "boot": measure_boot,
}


def main() -> None:
    """Measure, and keep the figures."""
    parser = argparse.ArgumentParser(description="relations between instances and images")
    parser.add_argument("steps", nargs="*", choices=[*_STEPS, []])
    parser.add_argument("--dir", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.dir or Path(temporary)).absolute()
        folder.mkdir(exist_ok=True)
        try:
            with ExitStack() as opened:
                bench = Bench(folder, opened)
                for step in arguments.steps or _STEPS:
                    _STEPS[step](bench)
        finally:
            if not arguments.dir:
                Sandbox(folder / "sandbox").down(remove=True)


if __name__ == "__main__":
    main()
