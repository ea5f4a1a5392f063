# SPDX-License-Identifier: Apache-2.0
"""From an https server into Glance, verified, beside curl, ``openssl dgst`` and ``openstack image create`` in turn.

``python benchmarks/publish_ref.py [--size-mib N] [--pairs N] [--add] [--clients DIR] [--sandbox DIR]``, as
``benchmarks/publish.py``. Whole programs are measured, with the time that they take to start: wall seconds, and the CPU seconds
of the clients. Glance itself needs most of the time to hash and to store: what it takes of bytes that lie in memory is
measured beside each pair, and the clients' own share is the time without that (``publish-ref-own``). So it is for the CPU
without hashing (``publish-ref-own-cpu``): ours hashes by sha256 for the pin and by sha512 to compare what Glance holds; the
other by sha256. What that takes is measured beside, over bytes in memory.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from _paired import pairs_of, report
from fetch import _started
from publish import Bench, Cost, add_shared

from amphora_image.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 1024 * 1024


def main() -> int:
    """Measure both ways, pair by pair."""
    parser = argparse.ArgumentParser(description="https into Glance, beside download, hash and upload")
    parser.add_argument("--size-mib", type=int, default=1024, help="size of the image (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=10, help="how many pairs (default: %(default)s)")
    add_shared(parser)
    parser.add_argument("--sandbox", type=Path, metavar="DIR", help="sandbox that runs already, and is left running")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amphora-image-bench-") as made:
        folder = Path(made)
        box = Sandbox(asked.sandbox or folder / "sandbox")
        try:
            box.up(deadline_seconds=300)
            _measure(folder, box, asked)
        finally:
            if not asked.sandbox:
                box.down(remove=True)
    return 0


def _measure(folder: Path, box: Sandbox, asked: argparse.Namespace) -> None:
    authority, image = Authority(folder), folder / "image"
    digest = hashlib.sha256()
    with image.open("wb") as file:
        for _ in range(asked.size_mib):
            file.write(block := bytes(512) + os.urandom(_MIB - 512))
            digest.update(block)
    clouds = folder / "clouds.yaml"
    clouds.touch(mode=0o600)
    entry = yaml.safe_load(box.access().clouds())["clouds"]["octavia"]
    clouds.write_text(yaml.safe_dump({"clouds": {"one": entry, "two": entry}}))
    os.environ["OS_CLIENT_CONFIG_FILE"] = str(clouds)
    ini = folder / "bench.ini"
    ini.write_text(
        f"[image_http]\nallowed_addresses = 127.0.0.1\nallowed_ports =\nca_certificates_file = {authority.path}\n",
        encoding="utf-8",
    )
    process, url = _started(folder, str(authority.issue("127.0.0.1")))
    try:
        _compare(folder, (url, digest.hexdigest(), ini, authority.path), asked)
    finally:
        process.terminate()
        process.join()


def _compare(folder: Path, of: tuple[str, str, Path, Path], asked: argparse.Namespace) -> None:
    url, digest, ini, authority = of
    bench = Bench(folder, folder / "fetched", digest, asked.clients)
    hashed: dict[str, list[float]] = {"sha256": [], "sha512": []}
    alone: list[float] = []

    def ours() -> Cost:
        alone.append(_glance_alone(bench, asked.size_mib))
        for name, took in hashed.items():
            took.append(_hashing(name, asked.size_mib))
        name = f"bench-{uuid.uuid4().hex[:8]}"
        what = ("publish", f"{url}#sha256={digest}", "--disk-format", "raw", "--name", name, "--os-cloud", "one")
        cost = bench.run(str(bench.programs / "amphora-image"), "--config-file", str(ini), *what)
        bench.delete(name)
        return cost

    def in_turn() -> Cost:
        bench.file.unlink(missing_ok=True)
        curl = ("curl", "--silent", "--fail", "--cacert", str(authority), "--output", str(bench.file), url)
        costs = [bench.run(*curl), bench.run("openssl", "dgst", "-sha256", str(bench.file)), bench.peer()]
        return Cost(sum(c.wall for c in costs), sum(c.cpu for c in costs), max(c.memory for c in costs))

    measured = pairs_of(ours, in_turn, asked.pairs)
    sha256, sha512 = (statistics.median(took) for took in hashed.values())
    glance = statistics.median(alone)
    own_cpu = [(one.cpu - sha256 - sha512, other.cpu - sha256) for one, other in measured]
    report("publish-ref", [(one.wall, other.wall) for one, other in measured], add=asked.add)
    report("publish-ref-own", [(one.wall - glance, other.wall - glance) for one, other in measured], add=asked.add)
    report("publish-ref-cpu", [(one.cpu, other.cpu) for one, other in measured], add=asked.add)
    report("publish-ref-own-cpu", own_cpu, add=asked.add)
    sys.stdout.write(f"Glance alone: {glance:.2f} s ({min(alone):.2f} to {max(alone):.2f})\n")
    sys.stdout.write(f"hashing: sha256 {sha256:.2f} s, sha512 {sha512:.2f} s of CPU\n")
    sys.stdout.write(f"publish-ref: memory at most {max(one.memory for one, _ in measured):.0f} MiB\n")


class _Repeated:
    """A block of a MiB as often as ``times`` says, as requests sends what has a length."""

    def __init__(self, times: int) -> None:
        self._block, self._times = os.urandom(_MIB), times

    def __len__(self) -> int:
        return self._times * _MIB

    def __iter__(self) -> Iterator[bytes]:
        return iter([self._block] * self._times)


def _glance_alone(bench: Bench, size_mib: int) -> float:
    """Send as many bytes out of memory, hashing nothing, and say how long Glance took for them."""
    glance = bench.clouds[0].image
    name = f"bench-{uuid.uuid4().hex[:8]}"
    asked = {"name": name, "disk_format": "raw", "container_format": "bare"}
    path, headers = glance.post("/images", json=asked).json()["file"], {"Content-Type": "application/octet-stream"}
    began = time.perf_counter()
    glance.put(path.removeprefix("/v2"), data=_Repeated(size_mib), headers=headers).raise_for_status()
    seconds = time.perf_counter() - began
    bench.delete(name)
    return seconds


def _hashing(algorithm: str, size_mib: int) -> float:
    """Hash as many bytes, a MiB again and again, and say how much CPU that took."""
    hasher, block = hashlib.new(algorithm), os.urandom(_MIB)
    began = time.process_time()
    for _ in range(size_mib):
        hasher.update(block)
    return time.process_time() - began


if __name__ == "__main__":
    sys.exit(main())
