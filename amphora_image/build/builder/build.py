# SPDX-License-Identifier: Apache-2.0
"""From a request to an image in its place."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from amphora_image.build.assembly import assemble
from amphora_image.build.builder.folder import part_of, work_folder, writing
from amphora_image.build.builder.provenance import remove_beside, write_beside
from amphora_image.build.builder.request import check
from amphora_image.build.builder.rootfs import find_builder, make_root
from amphora_image.build.inspection.inspect import inspect
from amphora_image.build.programs import run
from amphora_image.errors import ProgramFailedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from amphora_image.build.assembly import Disk
    from amphora_image.build.builder.request import Request

_TAR = ("tar", "--create", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--sort=name", "--format=posix")
#: Where the kernel shows itself; they are empty in the tree.
_TAR_LEFT_OUT = ("--exclude=./proc/*", "--exclude=./sys/*")


def build(request: Request, phase: Callable[[str], object]) -> None:
    """Build the image, and put it in its place when it is whole; ``phase`` is told what is done now.

    Beside it are then its digests with what it was made of, and, of a disk, a bill of its packages.

    :raises UnknownChoiceError: an element, architecture, release or package is unknown.
    :raises DestinationError: the output cannot be written.
    :raises MissingProgramsError: programs are missing; it names all of them.
    :raises NoRightsError: we are not root.
    :raises DiskTooSmallError: the system does not fit on the disk.
    :raises UnbootableSystemError: it has no kernel.
    :raises BuildFailedError: a hook of an element failed.
    :raises DiskFullError: there is no room.
    :raises MirrorUnavailableError: packages could not be fetched.
    :raises UntrustedMirrorError: the mirror is signed by a key that is not trusted.
    """
    check(request, own_elements=find_builder()[1])
    with writing(request.cache):
        request.cache.mkdir(parents=True, exist_ok=True)
    with work_folder(request.work, request.memory) as folder:
        tree = make_root(request, folder, phase)
        if request.output is None:
            phase("writing the tar")
            _pack(tree, None, request.disk)
            return
        with part_of(request.output) as part:
            if request.type == "tar":
                phase("writing the tar")
                _pack(tree, part, request.disk)
            else:
                place = folder / "disk"
                place.mkdir()
                assemble(tree, part, request.disk, folder=place, phase=phase)
            remove_beside(request.output)
    phase("telling what is in it")
    found = None if request.type == "tar" else inspect(request.output)
    with writing(request.output.parent):
        write_beside(request, request.output, found)


def _pack(tree: Path, output: Path | None, disk: Disk) -> None:
    """Pack the tree, into a file or to standard output, with owners, rights, capabilities and devices."""
    command = [*_TAR, *_TAR_LEFT_OUT, "-C", str(tree)]
    if disk.epoch is not None:
        command += [f"--mtime=@{disk.epoch}", "--clamp-mtime", "--pax-option=delete=atime,delete=ctime"]
        command += ["--pax-option=exthdr.name=%d/PaxHeaders/%f"]
    if output is not None:
        run(*command, "-f", output, ".", folder=output.parent)
        return
    ended = subprocess.run([*command, "-f", "-", "."], stdout=sys.stdout.fileno(), check=False)  # noqa: S603
    if ended.returncode:
        raise ProgramFailedError("tar", "it could not write all to standard output")
