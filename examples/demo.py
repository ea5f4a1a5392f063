# SPDX-License-Identifier: Apache-2.0
"""The whole story on a real small cloud: images are tagged, amphorae boot from them, a stranger tries, a tag is lost.

Run it by ``make demo``. It starts a sandbox in a temporary folder and removes it at the end, unless KEEP=1 is set. As root,
where the programs for it are, it builds the small image that boots, and publishes that; SMALL=1 keeps it from it.
"""

from __future__ import annotations

import json
import logging
import os
import shlex
import signal
import struct
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import Any

import yaml
from openstack.connection import Connection
from prettytable import PrettyTable, TableStyle
from stevedore.driver import DriverManager

from amphora_image import NoImageError
from amphora_image.config import load
from amphora_image.drivers.runtime import shared
from amphora_image.sandbox import Access, Progress, Sandbox

WIDTH = 118
PROGRAM = Path(sys.executable).with_name("amphora-image")
BUILD = (PROGRAM, "build", "--tiny", "--os", "debian", "--release", "bookworm", "--compression", "zstd")


def main() -> int:
    """Tell the story, then take everything down; the exit code is 0 when it went as told."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    keep = os.environ.get("KEEP") == "1"
    folder = Path(tempfile.mkdtemp(prefix="amphora-image-demo-"))
    sandbox = Sandbox(folder / "sandbox")
    logging.basicConfig(stream=sys.stdout, level=logging.WARNING)
    logging.getLogger().handlers[0].setFormatter(Folded())
    # oslo.config's own warning of the deprecated option would come between; ours is the one to read.
    for other in ("oslo_config", "keystoneauth", "openstack", "stevedore", "urllib3"):
        logging.getLogger(other).setLevel(logging.ERROR)
    image = Image(folder)
    try:
        image.begin()
        say("1. A real Keystone, Glance, Placement, Nova (fake hypervisor) and Neutron on loopback ports; ~30 s")
        Story(sandbox.up(show), folder).tell(image)
    finally:
        image.end()
        if keep:
            down = shlex.join([str(PROGRAM), "sandbox", "down", "--remove", "--dir", str(sandbox.layout.root)])
            sys.stdout.write(
                f"\nKept: {folder}, with the cloud and two ini files, which hold a password. To end and remove it all:\n"
                f"  {down}\n"
                f"  {shlex.join(['rm', '-r', str(folder)])}\n"
            )
        else:
            sandbox.down(remove=True)
            for left in folder.iterdir():
                left.unlink()
            folder.rmdir()
            sys.stdout.write("\nEverything is stopped and removed (KEEP=1 make demo keeps it).\n")
    return 0


class Story:
    """What happens once the cloud is up; ``folder`` takes the ini files."""

    def __init__(self, access: Access, folder: Path) -> None:
        self.access = access
        self.folder = folder
        self.amphorae: dict[str, str] = {}
        self.chosen = Chosen()
        logger = logging.getLogger("amphora_image.drivers.runtime")
        logger.addHandler(self.chosen)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def tell(self, image: Image) -> None:
        """Boot by tag, move the tag, meet a stranger, lose the tag, fall back."""
        octavia, stranger = self.connect("octavia"), self.connect("demo")
        ini = self.write("worker.ini", self.access.ini())
        conf = load([ini])
        driver = load_driver(conf)

        if image.is_being_built:
            tell("The image that boots is not finished yet; some seconds more")
        what = image.made()
        v1 = publish(image.path, "amphora v1", ini)
        say(f"2. Image v1 {v1} is tagged `amphora`; stevedore loads the driver")
        tell(what)
        self.build(driver, "amphora-1")

        v2 = upload(octavia, "amphora v2")
        say(f"3. Image v2 {v2} is tagged; same driver object, nothing restarted or edited")
        self.build(driver, "amphora-2")

        foreign = upload(stranger, "evil image")
        say(f"4. A stranger tags his own private image {foreign} `amphora`")
        stock = subprocess.run(  # noqa: S603 - our own module
            [
                sys.executable,
                "-W",
                "ignore",
                "-m",
                "amphora_image.sandbox.stock_lookup",
                "--config-file",
                ini,
                "amphora",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        whose = "the stranger's!" if stock == foreign else "not the stranger's"
        tell(f"Octavia's own look-up, with the same ini, chooses {stock}: {whose}")
        runtime = shared(conf)
        for verdict in runtime.resolver.explain(runtime.policy.wanted(), runtime.policy).verdicts:
            tell(f"our rules: {verdict}")
        self.build(driver, "amphora-3")

        say("5. The tag is taken away from v1 and v2: the build fails, and says why")
        for image_id in (v1, v2):
            octavia.image.delete(f"/images/{image_id}/tags/amphora")
        try:
            driver.build("amphora-4")
        except NoImageError as error:
            tell(f"NoImageError: {error}")
        tell("With the deprecated amp_image_id set to v1 it boots from that, and warns:")
        text = self.access.ini().replace("[controller_worker]", f"[controller_worker]\namp_image_id = {v1}")
        self.build(load_driver(load([self.write("fallback.ini", text)])), "amphora-5")

        say("6. What runs now, and why")
        self.table(octavia, driver)

    def build(self, driver: Any, name: str) -> None:
        """Build one amphora through the driver's contract, and look at it as a worker does until Nova is done."""
        began = time.monotonic()
        self.amphorae[name] = driver.build(name)
        while (server := driver.get_amphora(self.amphorae[name])[0]).status == "BUILD":
            if time.monotonic() - began > 60:
                break
            time.sleep(0.2)
        tell(
            f"{name} is {server.status} after {time.monotonic() - began:.1f} s, booted from {self.chosen.images[self.amphorae[name]]}"
        )

    def table(self, octavia: Connection, driver: Any) -> None:
        """Show every amphora, as Nova and Glance tell it."""
        table = PrettyTable(["amphora", "status", "image id", "image", "chosen by"])
        table.set_style(TableStyle.PLAIN_COLUMNS)
        table.align = "l"
        table.max_width = 52
        table.left_padding_width, table.right_padding_width = 3, 0
        for name, compute_id in self.amphorae.items():
            server = driver.get_amphora(compute_id)[0]
            image = octavia.image.get_image(server.image_id)
            table.add_row([name, server.status, server.image_id, image.name, self.chosen.by[compute_id]])
        lines = [line.rstrip() for line in table.get_string().splitlines()]
        sys.stdout.write("\n".join([*lines, ""]))

    def connect(self, user: str) -> Connection:
        """Connect as one of the sandbox's users."""
        entry = yaml.safe_load(self.access.clouds())["clouds"][user]
        return Connection(auth=entry["auth"], region_name=entry["region_name"], auth_type="password")

    def write(self, name: str, text: str) -> str:
        """Write an ini that only we can read: it holds a password."""
        path = self.folder / name
        path.touch(mode=0o600)
        path.write_text(text)
        return str(path)


class Image:
    """The image that is published first: the small one that boots, built while the cloud starts; else an empty disk."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "amphora.qcow2"
        self._said = folder / "build.log"
        self._build: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        """Begin to build it; where that cannot be, the command says why."""
        if os.environ.get("SMALL") == "1":
            return
        with self._said.open("wb") as said:
            command = [*BUILD, "--work-dir", self.path.parent, "--output", self.path]
            self._build = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=said)  # noqa: S603 - our own

    @property
    def is_being_built(self) -> bool:
        """Whether the build still runs."""
        return self._build is not None and self._build.poll() is None

    def made(self) -> str:
        """Wait until it is there, and say what it is."""
        why = "SMALL=1 is set"
        if self._build is not None:
            if not self._build.wait():
                return (
                    f"It is a disk of {self.path.stat().st_size >> 20} MiB that boots: try `amphora-image build --tiny`"
                )
            why = self._said.read_text(errors="replace").strip().rpartition("\n")[2]
        self.path.write_bytes(empty_disk())
        return f"It is an empty disk, for no image that boots was built here: {why}"

    def end(self) -> None:
        """End the build if it still runs."""
        if self._build is not None:
            self._build.terminate()
            self._build.wait()


class Chosen(logging.Handler):
    """Reads out of the driver's line for each build which image it took and by what."""

    def __init__(self) -> None:
        super().__init__()
        self.images: dict[str, str] = {}
        self.by: dict[str, str] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what the line says of one server."""
        _, server_id, image_id, image_name, *_, chosen_by, _ = record.args or ()
        self.images[str(server_id)] = f"{image_id} ({image_name})"
        self.by[str(server_id)] = str(chosen_by)


class Folded(logging.Formatter):
    """Folds a log line to the width of the story."""

    def format(self, record: logging.LogRecord) -> str:
        """Indent the message under its level."""
        return folded(textwrap.shorten(f"{record.levelname}: {record.getMessage()}", 3 * WIDTH))


def load_driver(conf: Any) -> Any:
    """Load the compute driver that the ini names, as any worker does."""
    name = conf.controller_worker.compute_driver
    return DriverManager("amphora_image.compute_drivers", name, invoke_on_load=True, invoke_args=(conf,)).driver


def empty_disk(size: int = 1 << 30) -> bytes:
    """Give a qcow2 with nothing in it: the header, the counts of its four clusters, and the table of no clusters."""
    bits = 16
    cluster = 1 << bits
    header = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQ", 2, 0, 0, bits, size, 0, size >> 29, 3 * cluster, cluster, 1, 0, 0
    )
    counts = struct.pack(">Q", 2 * cluster).ljust(cluster, b"\0") + struct.pack(">4H", 1, 1, 1, 1).ljust(cluster, b"\0")
    return header.ljust(cluster, b"\0") + counts + bytes(cluster)


def publish(image: Path, name: str, ini: str) -> str:
    """Publish an image under the tag ``amphora``, as an operator does, and give its id."""
    command = [PROGRAM, "--config-file", ini, "publish", image, "--name", name, "--tag", "amphora", "-f", "json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if ended.returncode:
        sys.exit(ended.stderr)
    return str(json.loads(ended.stdout)[0]["id"])


def upload(owner: Connection, name: str) -> str:
    """Upload a small raw image, private and tagged ``amphora``, and give its id.

    Glance tells an image's age in whole seconds: the next one is made in another, or they would count as equally old.
    """
    second = int(time.time())
    while int(time.time()) == second:
        time.sleep(0.05)
    body = {"name": name, "disk_format": "raw", "container_format": "bare", "tags": ["amphora"]}
    image_id = str(owner.image.post("/images", json={**body, "visibility": "private"}).json()["id"])
    noise = {"data": os.urandom(1 << 20), "headers": {"Content-Type": "application/octet-stream"}}
    owner.image.put(f"/images/{image_id}/file", **noise).raise_for_status()
    return image_id


def show(progress: Progress) -> None:
    """Tell of one service that became ready."""
    tell(str(progress))


def say(line: str) -> None:
    """Begin a chapter."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def tell(line: str) -> None:
    """Add a sentence to it."""
    say(folded(line))


def folded(line: str) -> str:
    """Indent and fold a sentence."""
    return textwrap.fill(line, WIDTH, initial_indent="   ", subsequent_indent="     ", break_on_hyphens=False)


if __name__ == "__main__":
    sys.exit(main())
