# SPDX-License-Identifier: Apache-2.0
"""Try what a wheel or sdist has installed; run with ``python -I``, outside the source tree."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from importlib import metadata, resources

DATA = ("py.typed", *(f"sandbox/templates/{name}.ini" for name in ("common", "glance", "keystone", "nova", "postgres")))
LATER = {"neutron.ml2.mechanism_drivers"}  # loaded by Neutron, which only the extra brings


def main() -> None:
    """Look for each data file, load each entry point, run the command."""
    package = resources.files("amphora_image")
    missing = [name for name in DATA if not (package / name).is_file()]
    if missing or "site-packages" not in str(package):
        raise SystemExit(f"installed at {package}, without {missing}")
    entry_points = metadata.distribution("amphora-image").entry_points
    for entry_point in entry_points:
        if entry_point.group not in LATER:
            entry_point.load()
    command = pathlib.Path(sys.executable).parent / "amphora-image"
    told = subprocess.run([command, "--help"], check=True, capture_output=True, text=True).stdout  # noqa: S603 - ours
    if "resolve" not in told:
        raise SystemExit(f"amphora-image --help says only:\n{told}")
    print(f"{metadata.version('amphora-image')}: {len(DATA)} data files, {len(entry_points)} entry points, --help")


if __name__ == "__main__":
    main()
