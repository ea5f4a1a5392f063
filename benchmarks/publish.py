# SPDX-License-Identifier: Apache-2.0
"""Publishing 1 GiB, beside what one would run instead: upload, import, two clouds at once; and the memory it takes.

``python benchmarks/publish.py [--pairs N] [--size-mib N] [--only ROW] [--add] [--clients DIR] [--sandbox DIR …]``. Both
sides talk to the same Glance in turn. An import is verified by the plug-in for both: the peer is given the hash as a
property. Client CPU is that of the whole process; from ours one sha512 pass is taken off, the median of those measured
beside each pair, for the peer verifies nothing.

``--clients`` names the ``bin`` folder of an environment outside of ``/tmp`` that has both programs, and no more, as an operator's has:
where services are installed too, both load parts of those. ``--add`` adds pairs to those of an earlier run, and
``--sandbox``, given twice, uses clouds that run already: so many pairs can be measured a few at a time.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from _paired import pairs_of, report
from openstack.connection import Connection

from amphora_image.sandbox import Sandbox

BLOCK = 1 << 20
_DELETE_SECONDS = 60
ROWS = ("upload", "import", "clouds")


@dataclass(frozen=True)
class Cost:
    """What one run took: wall seconds, CPU seconds of the process, its largest resident set in MiB."""

    wall: float
    cpu: float
    memory: float


class Bench:
    """Runs commands in ``folder``, where clouds.yaml is."""

    def __init__(self, folder: Path, file: Path, digest: str, programs: Path) -> None:
        self.folder, self.file, self.digest, self.programs = folder, file, digest, programs
        self.clouds = [Connection(cloud=name) for name in ("one", "two")]

    def run(self, *command: str) -> Cost:
        """Run to the end and see what it cost."""
        began = time.perf_counter()
        with subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as started:  # noqa: S603 - ours and the peer
            largest = 0.0
            while not (ended := os.wait4(started.pid, os.WNOHANG))[0]:
                largest = max(largest, _largest(started.pid))
                time.sleep(0.01)
            _, status, used = ended
            wall = time.perf_counter() - began
            started.returncode = os.waitstatus_to_exitcode(status)
            if started.returncode:
                raise SystemExit(f"{command}: {started.stderr.read().decode() if started.stderr else ''}")
        return Cost(wall, used.ru_utime + used.ru_stime, largest)

    def publish(self, *arguments: str) -> Cost:
        """Publish by our command, and delete what was made."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        cost = self.run(str(self.programs / "amphora-image"), "publish", str(self.file), "--name", name, *arguments)
        self.delete(name)
        return cost

    def peer(self, *arguments: str, importing: bool = False) -> Cost:
        """Create an image by the openstack client; an import is waited for, which its own option does not do."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        kind = ("--disk-format", "raw", "--container-format", "bare", "--file", str(self.file))
        began = time.perf_counter()
        cost = self.run(
            str(self.programs / "openstack"), "--os-cloud", "one", "image", "create", *kind, *arguments, name
        )
        while importing and self.clouds[0].image.find_image(name).status != "active":
            time.sleep(0.1)
        wall = time.perf_counter() - began if importing else cost.wall
        self.delete(name)
        return Cost(wall, cost.cpu, cost.memory)

    def delete(self, name: str) -> None:
        """Delete an image wherever it is; an import that still ends makes Glance answer 500 for a moment."""
        until = time.monotonic() + _DELETE_SECONDS
        for cloud in self.clouds:
            for image in cloud.image.images(name=name):
                while (answer := cloud.image.delete(f"/images/{image.id}")).status_code >= 500:
                    if time.monotonic() > until:
                        raise SystemExit(f"{name} cannot be deleted: {answer.text}")
                    time.sleep(0.5)

    def hash(self) -> float:
        """Hash the file once, and say how much CPU that took."""
        began = time.process_time()
        with self.file.open("rb") as opened:
            hasher = hashlib.sha512()
            while block := opened.read(BLOCK):
                hasher.update(block)
        return time.process_time() - began


def _largest(pid: int) -> float:
    """Read the largest resident set of a process so far, in MiB: rusage would count its parent's as well."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), 0.0)


def main() -> None:
    """Run all rows of the table, or one."""
    parser = argparse.ArgumentParser(description="publishing, beside what one would run instead")
    parser.add_argument("--size-mib", type=int, default=1024, help="size of the image (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=12, help="how many pairs (default: %(default)s)")
    parser.add_argument("--only", choices=ROWS, help="this row alone")
    add_shared(parser)
    parser.add_argument("--sandbox", type=Path, metavar="DIR", action="append", help="running cloud; given twice")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "image.raw"
        with file.open("wb") as opened:
            for _ in range(asked.size_mib):
                opened.write(bytes(512) + os.urandom(BLOCK - 512))
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha512").hexdigest()
        boxes = [Sandbox(place) for place in asked.sandbox or (folder / "one", folder / "two")]
        try:
            for box in boxes:
                box.up(deadline_seconds=300)
            _write_clouds(folder, dict(zip(("one", "two"), boxes, strict=True)))
            os.environ["OS_CLIENT_CONFIG_FILE"] = str(folder / "clouds.yaml")
            _measure(Bench(folder, file, digest, asked.clients), asked)
        finally:
            for box in () if asked.sandbox else boxes:
                box.down(remove=True)


def _write_clouds(folder: Path, boxes: dict[str, Sandbox]) -> None:
    import yaml  # noqa: PLC0415 - this program's alone

    entries: dict[str, Any] = {}
    for name, box in boxes.items():
        entries[name] = yaml.safe_load(box.access().clouds())["clouds"]["octavia"]
    (folder / "clouds.yaml").touch(mode=0o600)
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entries}))


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Take what this benchmark and that of references share."""
    here = Path(sys.executable).parent
    parser.add_argument("--clients", type=Path, metavar="DIR", default=here, help="where both programs are")
    parser.add_argument("--add", action="store_true", help="add to the samples of earlier runs")


def _measure(bench: Bench, asked: argparse.Namespace) -> None:
    measured: list[tuple[Cost, Cost]] = []
    for row, measure in zip(ROWS, (_uploads, _imports, _clouds), strict=True):
        if asked.only in {None, row}:
            measured += measure(bench, asked)
    idle = bench.run(str(bench.programs / "amphora-image"), "--os-cloud", "one", "import-info").memory
    most = max(ours.memory for ours, _ in measured)
    print(f"memory above an idle command's {idle:.0f} MiB: {most - idle:.0f} MiB")


def _uploads(bench: Bench, asked: argparse.Namespace) -> list[tuple[Cost, Cost]]:
    passes: list[float] = []

    def ours() -> Cost:
        passes.append(bench.hash())
        return bench.publish("--method", "upload", "--os-cloud", "one")

    uploads = pairs_of(ours, bench.peer, asked.pairs)
    one_pass = statistics.median(passes)
    report("publish-upload", [(ours.wall, peer.wall) for ours, peer in uploads], add=asked.add)
    report("publish-upload-cpu", [(ours.cpu - one_pass, peer.cpu) for ours, peer in uploads], add=asked.add)
    print(f"one sha512 pass: {one_pass:.2f} s of CPU")
    return uploads


def _imports(bench: Bench, asked: argparse.Namespace) -> list[tuple[Cost, Cost]]:
    expected = ("--import", "--property", f"amphora_image_sha512={bench.digest}")
    imports = pairs_of(
        lambda: bench.publish("--method", "glance-direct", "--os-cloud", "one"),
        lambda: bench.peer(*expected, importing=True),
        asked.pairs,
    )
    report("publish-import", [(ours.wall, peer.wall) for ours, peer in imports], add=asked.add)
    return imports


def _clouds(bench: Bench, asked: argparse.Namespace) -> list[tuple[Cost, Cost]]:
    one, two = ("--os-cloud", "one"), ("--os-cloud", "two")

    def in_turn() -> Cost:
        first, second = bench.publish(*one), bench.publish(*two)
        return Cost(first.wall + second.wall, first.cpu + second.cpu, max(first.memory, second.memory))

    clouds = pairs_of(lambda: bench.publish(*one, *two), in_turn, asked.pairs)
    report("publish-two-clouds", [(ours.wall, peer.wall) for ours, peer in clouds], add=asked.add)
    return clouds


if __name__ == "__main__":
    main()
