# SPDX-License-Identifier: Apache-2.0
"""What shall be built, and all that can be said against it before anything is done."""

from __future__ import annotations

import difflib
import os
import platform
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.build.assembly import ARCHITECTURES, FORMATS, Disk, programs_for
from amphora_image.build.assembly.layout import Amount, check_size
from amphora_image.build.builder.folder import writing
from amphora_image.build.programs import require
from amphora_image.errors import DestinationError, NoRightsError, UnknownChoiceError
from amphora_image.services.fetch import check_destination

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What an image can be: a disk of a format, or the root file system alone.
TYPES = (*FORMATS, "tar")

#: As ``uname -m`` names the architectures that Debian names otherwise.
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}
#: What runs programs of an architecture on a machine of another one, as the kernel's binfmt_misc calls it.
_EMULATORS = {"amd64": "qemu-x86_64", "arm64": "qemu-aarch64", "armhf": "qemu-arm", "ppc64le": "qemu-ppc64le"}
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_KEYRINGS = Path("/usr/share/keyrings")
_KEYRING_PACKAGES = {"debian": "debian-archive-keyring", "ubuntu": "ubuntu-keyring (in Debian since 13)"}
#: The element that all of an amphora is in.
AGENT = "amphora"
_REPOSITORIES = ("amphora_agent", "octavia_lib")
_CONSTRAINTS = "DIB_REPOLOCATION_upper_constraints"
_BOOTSTRAP_OPTIONS = ("DIB_DEBOOTSTRAP_EXTRA_ARGS", "DIB_MMDEBSTRAP_EXTRA_ARGS")
#: Our own base system, which takes a key ring by itself.
OWN_BASE = "amphora-debian"
#: Elements of base systems, with the program that unpacks them, which is on the building machine, and whose they are.
_BOOTSTRAPS = (
    (OWN_BASE, "mmdebstrap", "debian"),
    ("debian-minimal", "debootstrap", "debian"),
    ("ubuntu-minimal", "debootstrap", "ubuntu"),
)
_PROGRAMS = ("chroot", "mount", "setpriv", "tar", "unshare")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What shall be built: the ``elements`` of diskimage-builder, further ``packages``, and where the result goes.

    ``output`` None means standard output, for a tar alone. ``environment`` is what the elements find; ``elements_path``
    where they are looked for, before diskimage-builder's own. ``work`` is the folder that the work is done in, in up to
    ``memory`` bytes of memory mounted there where that is not 0; ``cache`` the one that downloads are kept in from build to
    build, and, with ``keep_stages``, stages of the root file system; that takes our own elements in ``elements_path``.
    """

    elements: Sequence[str]
    packages: Sequence[str] = ()
    type: str = "qcow2"
    disk: Disk = field(default_factory=Disk)
    output: Path | None
    overwrite: bool = False
    log: Path
    work: Path
    memory: int = 0
    cache: Path
    keep_stages: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    elements_path: Sequence[Path] = ()
    with_base: bool = True
    trace: bool = False


def check(request: Request, *, own_elements: Path) -> None:
    """Refuse what cannot be built; ``own_elements`` is the folder of diskimage-builder's elements.

    :raises UnknownChoiceError: an element or the architecture is unknown, or a folder is none that diskimage-builder takes.
    :raises DestinationError: the output cannot be written.
    :raises DiskTooSmallError: the disk would hold no system at all.
    :raises MissingProgramsError: programs are missing; it names all of them.
    :raises NoRightsError: we are not root.
    """
    known = {path.name for folder in (*request.elements_path, own_elements) for path in _folders(folder)}
    for element in request.elements:
        if element not in known:
            near = difflib.get_close_matches(element, known, 3)
            remedy = f"did you mean {' or '.join(near)}?" if near else "name one that is there"
            where = ", ".join(map(str, (*request.elements_path, own_elements)))
            raise UnknownChoiceError(f"there is no element {element} in {where}", remedy)
    for place in (request.work, request.cache, *request.elements_path):
        if re.search(r"\s", str(place)):
            raise UnknownChoiceError(
                f"{place} has white space in it", "diskimage-builder's scripts take none: name another"
            )
    for place in request.elements_path:
        if not place.is_dir():
            raise UnknownChoiceError(f"there is no folder {place} of elements", "correct ELEMENTS_PATH")
    architectures = ARCHITECTURES if request.type in FORMATS else tuple(_EMULATORS)
    if request.disk.architecture not in architectures:
        what = "disks" if request.type in FORMATS else "systems"
        problem = f"{what} for {request.disk.architecture} cannot be made here"
        raise UnknownChoiceError(problem, f"choose one of {', '.join(architectures)}")
    _check_output(request)
    if request.type in FORMATS:
        check_size(request.disk.size, Amount(1, 1))  # what holds nothing at all is told before anything is built
    programs, files = programs_for(request.disk) if request.type in FORMATS else ((), {})
    bootstrap, keys = _bootstrap(request)
    require(
        {*_PROGRAMS, *programs, *bootstrap, *_fetchers(request)},
        {**files, **keys, **_emulator(request.disk.architecture)},
    )
    if os.geteuid() != 0:
        purpose = "making a root file system (packages are unpacked and configured in it)"
        raise NoRightsError(purpose, f"{_ourselves()} build")


def machine_architecture() -> str:
    """Name this machine's architecture as Debian does."""
    return _MACHINES.get(platform.machine(), platform.machine())


def builders_architecture(request: Request) -> str:
    """Name the architecture as those do who make the base system: Debian's and Ubuntu's own name of ppc64le is another."""
    debians = any(element in request.elements for element, _, _ in _BOOTSTRAPS)
    return "ppc64el" if debians and request.disk.architecture == "ppc64le" else request.disk.architecture


def _ourselves() -> str:
    """Name this program as sudo finds it, which knows of no virtual environment."""
    own = Path(sys.executable).with_name("amphora-image")
    return "amphora-image" if sys.prefix == sys.base_prefix or not own.exists() else str(own)


def _folders(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.is_dir()] if folder.is_dir() else []


def _check_output(request: Request) -> None:
    if request.output is None:
        if request.type != "tar":
            raise UnknownChoiceError("only a tar can be written to standard output", "give --type tar, or -o FILE")
        return
    with writing(request.output):  # a folder on the way there may be closed to us, or the name be none
        check_destination(request.output, overwrite=request.overwrite)
        if request.log.is_dir():
            raise DestinationError(str(request.log), "it is a folder")
        for folder in (request.output.parent, request.work, request.log.parent):
            if not folder.is_dir():
                raise DestinationError(str(folder), "there is no such folder")
            if not os.access(folder, os.W_OK | os.X_OK):
                raise DestinationError(str(folder), "we may not write there")


def _bootstrap(request: Request) -> tuple[set[str], dict[Path, str]]:
    """Name what unpacks the base system, as far as the elements tell, and the keys that it trusts."""
    for element, program, distribution in _BOOTSTRAPS:
        if element in request.elements:
            found = {**os.environ, **request.environment}
            given = {"DIB_APT_KEYRING", "DIB_DEBIAN_KEYRING"} & found.keys()
            given |= {name for name in _BOOTSTRAP_OPTIONS if "--no-check-gpg" in found.get(name, "")}
            ring = {_KEYRINGS / f"{distribution}-archive-keyring.gpg": _KEYRING_PACKAGES[distribution]}
            return {program}, {} if given else ring
    return set(), {}


def _fetchers(request: Request) -> set[str]:
    """Name what brings the agent from where it is asked for."""
    if AGENT not in request.elements:
        return set()
    from_git = any(os.environ.get(f"DIB_{what}_{of}") for what in ("REPOREF", "REPOLOCATION") for of in _REPOSITORIES)
    constraints = os.environ.get(_CONSTRAINTS, "")
    return {*(("git",) if from_git else ()), *(("curl",) if constraints.startswith("http") else ())}


def _emulator(architecture: str) -> dict[Path, str]:
    """Name what runs programs of another architecture: packages are configured by running what is in them."""
    return {} if architecture == machine_architecture() else {_BINFMT / _EMULATORS[architecture]: "qemu-user-static"}
