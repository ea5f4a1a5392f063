# SPDX-License-Identifier: Apache-2.0
"""Building an image, against ``disk-image-create`` with the same elements; as root, a minute or so for each build.

Both make the small image, a qcow2 compressed by zlib. The peer makes no partitions and no boot loader, which take it
device-mapper: where there is none, it does less than we do. ``image_build.py PAIRS`` says how many pairs are measured.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from _paired import compare, seconds_of

from amphora_image.build.builder.mirrors import mirrors
from amphora_image.build.builder.rootfs import find_builder
from amphora_image.build.elements import FOLDER

RELEASE = "bookworm"
BIN = Path(sys.executable).parent


def ours(folder: Path) -> float:
    """Build the small image, and give the seconds."""
    command = ["build", "--tiny", "--os", "debian", "--release", RELEASE, "--overwrite", "--work-dir", str(folder)]
    return seconds_of([str(BIN / "amphora-image"), *command, "-o", str(folder / "ours.qcow2")])


def peers(folder: Path) -> float:
    """Have diskimage-builder do all of it, and give the seconds."""
    output = folder / "peers.qcow2"
    output.unlink(missing_ok=True)
    # In name spaces of its own, too: what it binds into its tree, such as /dev, must not be there when that is removed.
    command = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private"]
    command += ["--", str(find_builder()[0]), "-n", "--no-tmpfs", "-t", "qcow2", "-o", str(output)]
    return seconds_of([*command, "amphora-debian", "tiny-balancer"])


if __name__ == "__main__":
    if os.geteuid() != 0:
        sys.exit("images are built as root; run this under sudo")
    with tempfile.TemporaryDirectory(prefix="amphora-image-bench-") as name:
        place = Path(name)
        sudo = FOLDER.parent / "builder" / "sudo.sh"
        (place / "bin").mkdir()
        (place / "bin" / "sudo").write_bytes(sudo.read_bytes())
        (place / "bin" / "sudo").chmod(0o755)
        found = mirrors("debian", Path("/etc/apt"), os.environ)
        path = os.pathsep.join([str(place / "bin"), os.environ["PATH"], "/usr/sbin", "/sbin"])
        os.environ.update(found, ELEMENTS_PATH=str(FOLDER), DIB_RELEASE=RELEASE, TMP_DIR=name, PATH=path)
        compare("image-build", lambda: ours(place), lambda: peers(place), int(*sys.argv[1:] or ["10"]))
