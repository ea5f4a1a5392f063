# SPDX-License-Identifier: Apache-2.0
"""How long ``amphora-image --help`` takes, beside ``openstack --help``: both list their commands."""

from __future__ import annotations

import sys
from pathlib import Path

from _paired import compare, seconds_of

BIN = Path(sys.executable).parent

if __name__ == "__main__":
    compare(
        "help",
        lambda: seconds_of([str(BIN / "amphora-image"), "--help"]),
        lambda: seconds_of([str(BIN / "openstack"), "--help"]),
    )
