# SPDX-License-Identifier: Apache-2.0
"""Try what a wheel or sdist has installed; run with ``python -I``, outside the source tree."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
from importlib import metadata, resources

SOURCE = pathlib.Path(__file__).parents[1] / "amphora_image"
#: Loaded by Glance, Neutron and Octavia, which only the extra brings, or which this is installed beside.
LATER = {
    "glance.image_import.plugins",
    "neutron.ml2.mechanism_drivers",
    "octavia.compute.drivers",
    "octavia.network.drivers",
}


def main() -> None:
    """Look for each file of the source, load each entry point, run the command."""
    package = resources.files("amphora_image")
    files = [path.relative_to(SOURCE) for path in SOURCE.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    missing = [str(path) for path in files if not package.joinpath(*path.parts).is_file()]
    tied = [str(path) for path in files if os.access(SOURCE / path, os.X_OK) > os.access(f"{package}/{path}", os.X_OK)]
    if not files or missing or "site-packages" not in str(package):
        raise SystemExit(f"installed at {package}, without {missing}")
    if tied:
        raise SystemExit(f"installed so that they cannot be run: {tied}")
    entry_points = metadata.distribution("amphora-image").entry_points
    for entry_point in entry_points:
        if entry_point.group not in LATER:
            entry_point.load()
    command = pathlib.Path(sys.executable).parent / "amphora-image"
    told = subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    if "resolve" not in told:
        raise SystemExit(f"amphora-image --help says only:\n{told}")
    print(f"{metadata.version('amphora-image')}: all {len(files)} files, {len(entry_points)} entry points, --help")


if __name__ == "__main__":
    main()
