# SPDX-License-Identifier: Apache-2.0
"""Building an image, against ``disk-image-create`` with the same elements; as root, some three minutes for each round.

All make the small image, a qcow2 compressed by zlib, in memory where there is enough. In each round an element has changed:
ours builds with no stage kept (``image-build``), then, the element changed once more, with those that this build kept
(``image-build-again``), and the peer, for which it is all the same, once. Packages are downloaded before the first round.
The peer's disk is made as Octavia's script has it made: by the elements ``vm`` and ``block-device-mbr``, which boots by BIOS
alone. Where the kernel has no device-mapper, loop devices stand for its partitions.
``image_build.py [ROUNDS] [--add] [--downloads FOLDER]``; with ``--add`` the samples are added to those kept, and with
``--downloads`` packages stay in a folder for another run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from _paired import report, seconds_of

from amphora_image.build.builder.mirrors import mirrors
from amphora_image.build.builder.rootfs import find_builder
from amphora_image.build.elements import FOLDER

RELEASE = "bookworm"
BIN = Path(sys.executable).parent
#: kpartx and dmsetup, as diskimage-builder calls them: a partition is a loop device by its place in the disk's file.
KPARTX = """#!/bin/sh
set -eu
for device; do :; done
name=${device##*/}
mkdir -p /dev/mapper
if [ "$1" = -d ]; then
    for link in /dev/mapper/"$name"p*; do
        losetup -d "$(readlink "$link")"
        rm "$link"
    done
    exit 0
fi
file=$(losetup --list --noheadings --output BACK-FILE "$device")
sfdisk --dump "$device" | sed -n 's/^.*\\([0-9]\\) : start= *\\([0-9]*\\), size= *\\([0-9]*\\).*/\\1 \\2 \\3/p' |
    while read -r number start size; do
        part=$(losetup --show --find --offset $((start * 512)) --sizelimit $((size * 512)) "$file")
        ln -sf "$part" "/dev/mapper/${name}p$number"
    done
"""
STAND_INS = {"kpartx": KPARTX, "dmsetup": "#!/bin/sh\n"}
HOOK = "#!/bin/bash\nset -eu\nset -o pipefail\necho {} >/etc/changed\n"


def change(folder: Path) -> None:
    """Change the element: its hook after all is installed does something else."""
    hook = folder / "elements" / "changed" / "post-install.d" / "50-changed"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text(HOOK.format(time.monotonic_ns()), encoding="utf-8")
    hook.chmod(0o755)


def downloads() -> Path:
    """Give the folder of the downloads, where ours keeps its stages, too."""
    return Path(os.environ["DIB_IMAGE_CACHE"])


def ours(folder: Path) -> float:
    """Build the small image, and give the seconds."""
    change(folder)
    command = ["build", "--tiny", "--os", "debian", "--release", RELEASE, "--element", "changed", "--overwrite"]
    command += ["--work-dir", str(folder), "--cache-dir", str(downloads()), "-o", str(folder / "ours.qcow2")]
    return seconds_of([str(BIN / "amphora-image"), *command])


def peers(folder: Path) -> float:
    """Have diskimage-builder do all of it, and give the seconds."""
    change(folder)
    output = folder / "peers.qcow2"
    output.unlink(missing_ok=True)
    # In name spaces of its own, too: what it binds into its tree, such as /dev, must not be there when that is removed.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private"]
    command += ["--", str(find_builder()[0]), "-n", "-t", "qcow2", "-o", str(output)]
    return seconds_of([*command, "vm", "block-device-mbr", "amphora-debian", "tiny-balancer", "changed"])


def measure(folder: Path, rounds: int, *, add: bool) -> None:
    """Take ``rounds`` of all three, and report them."""
    if not (downloads() / "apt").exists():
        ours(folder)
        peers(folder)  # its disk takes packages of its own
    first, again = [], []
    for _ in range(rounds):
        shutil.rmtree(downloads() / "stages", ignore_errors=True)
        new, old, peer = ours(folder), ours(folder), peers(folder)
        sys.stdout.write(f"anew {new:.1f} s, again {old:.1f} s, the peer {peer:.1f} s\n")
        sys.stdout.flush()
        first.append((new, peer))
        again.append((old, peer))
    report("image-build", first, add=add)
    report("image-build-again", again, add=add)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    parser.add_argument("--add", action="store_true")
    parser.add_argument("--downloads", type=Path)
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.stdout.write("image-build: left out, for images are built as root\n")
        sys.exit()
    with tempfile.TemporaryDirectory(prefix="amphora-image-bench-") as name:
        place = Path(name)
        programs = {"sudo": (FOLDER.parent / "builder" / "sudo.sh").read_text(encoding="utf-8")}
        if "device-mapper" not in Path("/proc/misc").read_text(encoding="ascii"):
            programs |= STAND_INS
        (place / "bin").mkdir()
        for program, text in programs.items():
            (place / "bin" / program).write_text(text, encoding="utf-8")
            (place / "bin" / program).chmod(0o755)
        cache = (given.downloads or place / "cache").absolute()
        cache.mkdir(exist_ok=True)
        path = os.pathsep.join([str(place / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
        elements = os.pathsep.join([str(place / "elements"), str(FOLDER)])
        os.environ.update(
            mirrors("debian", Path("/etc/apt"), os.environ),
            ELEMENTS_PATH=elements,
            DIB_RELEASE=RELEASE,
            DIB_IMAGE_CACHE=str(cache),
            TMP_DIR=name,
            PATH=path,
        )
        measure(place, given.rounds, add=given.add)
