# SPDX-License-Identifier: Apache-2.0
"""Publishing 1 GiB, beside what one would run instead: upload, import, two clouds at once; and the memory it takes.

``PAIRS`` and ``MIB`` in the environment change how often and how much. Both sides talk to the same Glance in turn. An
import is verified by the plug-in for both: the peer is given the hash as a property. Client CPU is that of the whole
process; from ours one sha512 pass is taken off, measured in the same run, for the peer verifies nothing.
"""

from __future__ import annotations

import hashlib
import os
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

BIN = Path(sys.executable).parent
PAIRS = int(os.environ.get("PAIRS", "12"))
MIB = int(os.environ.get("MIB", "1024"))
BLOCK = 1 << 20


@dataclass(frozen=True)
class Cost:
    """What one run took: wall seconds, CPU seconds of the process, its largest resident set in MiB."""

    wall: float
    cpu: float
    memory: float


class Bench:
    """Runs commands in ``folder``, where clouds.yaml is."""

    def __init__(self, folder: Path, file: Path, digest: str) -> None:
        self.folder, self.file, self.digest = folder, file, digest
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
        cost = self.run(str(BIN / "amphora-image"), "publish", str(self.file), "--name", name, *arguments)
        self.delete(name)
        return cost

    def peer(self, *arguments: str, importing: bool = False) -> Cost:
        """Create an image by the openstack client; an import is waited for, which its own option does not do."""
        name = f"bench-{uuid.uuid4().hex[:8]}"
        kind = ("--disk-format", "raw", "--container-format", "bare", "--file", str(self.file))
        began = time.perf_counter()
        cost = self.run(str(BIN / "openstack"), "--os-cloud", "one", "image", "create", *kind, *arguments, name)
        while importing and self.clouds[0].image.find_image(name).status != "active":
            time.sleep(0.1)
        wall = time.perf_counter() - began if importing else cost.wall
        self.delete(name)
        return Cost(wall, cost.cpu, cost.memory)

    def delete(self, name: str) -> None:
        """Delete an image wherever it is."""
        for cloud in self.clouds:
            for image in cloud.image.images(name=name):
                cloud.image.delete_image(image.id)

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
    """Run all rows of the table."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        file = folder / "image.raw"
        with file.open("wb") as opened:
            for _ in range(MIB):
                opened.write(b"\1" + os.urandom(BLOCK - 1))
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha512").hexdigest()
        boxes = [Sandbox(folder / name) for name in ("one", "two")]
        try:
            for box in boxes:
                box.up(deadline_seconds=300)
            _write_clouds(folder, dict(zip(("one", "two"), boxes, strict=True)))
            os.environ["OS_CLIENT_CONFIG_FILE"] = str(folder / "clouds.yaml")
            _measure(Bench(folder, file, digest))
        finally:
            for box in boxes:
                box.down(remove=True)


def _write_clouds(folder: Path, boxes: dict[str, Sandbox]) -> None:
    import yaml  # noqa: PLC0415 - this program's alone

    entries: dict[str, Any] = {}
    for name, box in boxes.items():
        entries[name] = yaml.safe_load(box.access().clouds())["clouds"]["octavia"]
    (folder / "clouds.yaml").touch(mode=0o600)
    (folder / "clouds.yaml").write_text(yaml.safe_dump({"clouds": entries}))


def _measure(bench: Bench) -> None:
    one, two = ("--os-cloud", "one"), ("--os-cloud", "two")
    uploads = pairs_of(lambda: bench.publish("--method", "upload", *one), bench.peer, PAIRS)
    passes = sorted(bench.hash() for _ in range(PAIRS))
    one_pass = passes[len(passes) // 2]
    report("publish-upload", [(ours.wall, peer.wall) for ours, peer in uploads])
    report("publish-upload-cpu", [(ours.cpu - one_pass, peer.cpu) for ours, peer in uploads])
    expected = ("--import", "--property", f"amphora_image_sha512={bench.digest}")
    imports = pairs_of(
        lambda: bench.publish("--method", "glance-direct", *one), lambda: bench.peer(*expected, importing=True), PAIRS
    )
    report("publish-import", [(ours.wall, peer.wall) for ours, peer in imports])

    def in_turn() -> Cost:
        first, second = bench.publish(*one), bench.publish(*two)
        return Cost(first.wall + second.wall, first.cpu + second.cpu, max(first.memory, second.memory))

    clouds = pairs_of(lambda: bench.publish(*one, *two), in_turn, PAIRS)
    report("publish-two-clouds", [(ours.wall, peer.wall) for ours, peer in clouds])
    idle = bench.run(str(BIN / "amphora-image"), *one, "import-info").memory
    most = max(ours.memory for ours, _ in [*uploads, *imports, *clouds])
    print(
        f"one sha512 pass: {one_pass:.2f} s of CPU; memory above an idle command's {idle:.0f} MiB: {most - idle:.0f} MiB"
    )


if __name__ == "__main__":
    main()
