# SPDX-License-Identifier: Apache-2.0
"""The finished disk in the format that is wanted, by qemu-img."""

from __future__ import annotations

from typing import TYPE_CHECKING

from amphora_image.build.programs import run

if TYPE_CHECKING:
    from pathlib import Path

#: What each format is to qemu-img, besides raw, which the disk is from the start.
FORMATS = {"qcow2": "qcow2", "vhd": "vpc"}
COMPRESSIONS = ("zlib", "zstd", "none")


def convert(disk: Path, output: Path, wanted: str, *, compression: str = "zlib", reproducible: bool = False) -> None:
    """Write ``disk`` to ``output`` as qcow2 or vhd.

    Where it need not be ``reproducible``, clusters are written in the order in which they are compressed.
    """
    command = ["qemu-img", "convert", "-f", "raw", "-O", FORMATS[wanted]]
    if wanted == "qcow2":
        command += ["-m", "16", *([] if reproducible else ["-W"])]
        command += ["-c", "-o", f"compression_type={compression}"] if compression != "none" else []
    else:
        command += ["-o", "subformat=dynamic,force_size=on"]
    run(*command, disk, output, folder=output.parent)
