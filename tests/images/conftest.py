# SPDX-License-Identifier: Apache-2.0
"""Tests that build images, which takes root, a mirror and minutes; they are not among what ``make test`` runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True, scope="session")
def root():
    if os.geteuid() != 0:
        pytest.fail("images are built as root; run this under sudo, or as root in a container")


#: What has another clock told within the tree, too, and leaves nothing there.
_OTHER_CLOCK = {
    "root.d/09-other-clock": 'sudo install -D "$CLOCK_LIBRARY" "$TARGET_ROOT$CLOCK_LIBRARY"',
    "install.d/09-other-clock": 'echo "in the tree it is $(date -u +%F)"',
    "cleanup.d/99-other-clock": 'sudo rm -rf "$TARGET_ROOT${CLOCK_LIBRARY%/*}"',
}


@pytest.fixture
def other_clock(tmp_path):
    """Give what makes a build believe that it is some days later: its options and its variables."""
    library = next(Path("/usr/lib").glob("*/datefudge/datefudge.so"), None)
    if library is None:
        pytest.skip("another clock takes the package datefudge")
    for name, text in _OTHER_CLOCK.items():
        hook = tmp_path / "elements" / "other-clock" / name
        hook.parent.mkdir(parents=True, exist_ok=True)
        hook.write_text(f"#!/bin/bash\nset -eu\nset -o pipefail\n{text}\n")
        hook.chmod(0o755)

    def clock(*, days):
        ahead = {"LD_PRELOAD": str(library), "DATEFUDGE": str(-days * 86400), "CLOCK_LIBRARY": str(library)}
        return ("--element", "other-clock"), {**ahead, "ELEMENTS_PATH": str(tmp_path / "elements")}

    return clock
