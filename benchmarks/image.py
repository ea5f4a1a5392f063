# SPDX-License-Identifier: Apache-2.0
"""Looking into the image of an amphora: ``python benchmarks/image.py IMAGE``, beside what Octavia's image-tests.sh runs.

Those are virt-filesystems and virt-inspector of libguestfs, which boots a machine of its own for each; where they are not
installed, only ours is measured. `make bench` has no image, and leaves this out.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from _paired import compare, seconds_of

#: All that image-tests.sh asks for, and some more.
_POLICY = """
format: qcow2
max_virtual_size: 2 GiB
boot: [bios]
os: [debian, ubuntu]
architecture: x86_64
packages: {haproxy: present, keepalived: present}
password_login: false
authorized_keys: false
"""
_PEERS = (("virt-filesystems", "--long", "--csv", "--blkdevs", "-a"), ("virt-inspector", "-a"))
#: Without a service that starts machines, and without KVM, which may be there and not work.
_DIRECT = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}
_RUNS = 20


def main() -> None:
    """Measure, in pairs where libguestfs is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("image", nargs="?", type=Path, metavar="IMAGE", help="qcow2 image of an amphora")
    parser.add_argument("--pairs", type=int, default=10, help="of ours and libguestfs' (default: 10)")
    given = parser.parse_args()
    if given.image is None:
        sys.stdout.write("image-inspect: left out, for no image is given\n")
        return
    os.environ |= _DIRECT
    with tempfile.TemporaryDirectory() as folder:
        policy = Path(folder) / "policy.yaml"
        policy.write_text(_POLICY, encoding="utf-8")
        command = [str(Path(sys.executable).parent / "amphora-image"), "inspect", str(given.image)]
        command += ["--policy", str(policy), "-f", "json"]

        def ours() -> float:
            return seconds_of(command)

        if shutil.which("virt-inspector"):
            compare(
                "image-inspect",
                ours,
                lambda: sum(seconds_of([*peer, str(given.image)]) for peer in _PEERS),
                given.pairs,
            )
            return
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)  # noqa: S603 - ours
        samples = [ours() for _ in range(_RUNS)]
        sys.stdout.write(
            f"image-inspect: median {statistics.median(samples):.3f} s of {_RUNS} runs; libguestfs is not installed\n"
        )


if __name__ == "__main__":
    main()
