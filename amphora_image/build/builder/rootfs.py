# SPDX-License-Identifier: Apache-2.0
"""diskimage-builder makes the root file system, up to where it would pack it; there it is stopped and the tree taken.

It is asked for a tar, and given a FIFO to write that to. When something comes through the FIFO, every hook has run and
the tree is what is wanted: it need neither be packed nor copied, and what was mounted in it is not seen outside.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shlex
import shutil
import stat
import sys
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.build.builder.enclosure import Enclosure, place_stand_ins
from amphora_image.build.builder.folder import writing
from amphora_image.build.builder.keeping import ELEMENT, VARIABLE, Keeper
from amphora_image.build.builder.memory import is_full
from amphora_image.build.builder.output import failure_of, phase_of
from amphora_image.build.builder.questions import Questions
from amphora_image.build.builder.request import OWN_BASE, builders_architecture
from amphora_image.build.builder.stages import Stages
from amphora_image.build.programs import SEARCHED
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amphora_image.build.builder.request import Request

_BEFORE = "starting"
_KEPT_LINES = 400
_READ_BYTES = 1 << 16
#: diskimage-builder's notes of paths and variables of this machine, and a cache of the linker's that holds times.
_TRACES = ("etc/dib-manifests/dib_arguments", "etc/dib-manifests/dib_environment", "var/cache/ldconfig/aux-cache")
#: Credentials and places of this machine that are none of the image's business.
_DROPPED = ("OS_", "PYTHON", "TMPDIR", "TMP", "TEMP", "VIRTUAL_ENV", "BASH_ENV", "ENV", "CDPATH", "LC_", "LANG", "GPG_")


def find_builder() -> tuple[Path, Path]:
    """Find the program ``disk-image-create`` and the folder of diskimage-builder's own elements.

    :raises ConfigurationError: diskimage-builder is not installed.
    """
    beside = str(Path(sys.executable).parent)
    found = shutil.which("disk-image-create", path=os.pathsep.join([beside, SEARCHED]))
    try:
        import diskimage_builder  # noqa: PLC0415 - of an extra
    except ImportError:
        diskimage_builder = None
    if found is None or diskimage_builder is None:
        raise ConfigurationError("diskimage-builder is not installed", "pip install 'amphora-image[build]'")
    return Path(found), Path(diskimage_builder.__path__[0]) / "elements"


def make_root(request: Request, folder: Path, phase: Callable[[str], object]) -> Path:
    """Make the root file system in ``folder``, and give the tree; ``phase`` is told what is done now.

    All that is said goes into the request's log.

    :raises BuildFailedError: a hook failed.
    :raises DiskFullError: there was no room.
    :raises DestinationError: the log or something in ``folder`` cannot be written.
    :raises MirrorUnavailableError: packages could not be fetched.
    :raises UntrustedMirrorError: the mirror is signed by a key that is not trusted.
    :raises UnknownChoiceError: there is no such release or package.
    """
    program, _ = find_builder()
    command = [
        str(program),
        "-a",
        builders_architecture(request),
        "-o",
        str(folder / "root"),
        "-t",
        "tar",
        "--no-tmpfs",
    ]
    command += ["-x"] if request.trace else []
    command += [] if request.with_base else ["-n"]
    command += ["-p", ",".join(request.packages)] if request.packages else []
    elements = [*request.elements, *([ELEMENT] if request.keep_stages else [])]
    with writing(request.work), contextlib.closing(_Watch(folder / "root.tar", request.log, phase)) as watch:
        environment = _environment(request, folder, place_stand_ins(folder))
        if request.keep_stages:
            stages = Stages(request.cache / "stages")
            watch.questions = Questions(
                folder, Keeper(stages, folder, request.packages, tell=phase, log=watch.note).answer
            )
        with Enclosure([*command, *elements], environment=environment, folder=folder) as enclosure:
            if not watch.until_packed(enclosure.output):
                code = enclosure.wait()
                lines = watch.lines or [f"disk-image-create ended with {code}"]
                # diskimage-builder has removed the tree by now; where it says of no room, that was in the tree or the cache.
                place = request.cache if is_full(request.cache) else folder
                raise failure_of(list(lines), watch.phase, work=str(place), log=str(request.log))
    [tree] = folder.glob("dib_build.*/mnt")
    if request.disk.epoch is not None:
        forget_the_build(tree)
    return tree


def forget_the_build(tree: Path) -> None:
    """Remove what tells one build of the same inputs from another, and is of no use in an image."""
    inside = tree.resolve()
    for name in _TRACES:
        path = tree / name
        if path.parent.resolve().is_relative_to(inside):
            path.unlink(missing_ok=True)


class _Watch:
    """Reads what is said, keeps it in the log, tells the phases, and notices when the tree is ready."""

    def __init__(self, fifo: Path, log: Path, phase: Callable[[str], object]) -> None:
        self.lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self.phase = _BEFORE
        self._tell = phase
        self._rest = b""
        os.mkfifo(fifo, 0o600)
        self._log_path = log
        # What elements say is theirs: with a trace, secrets that they are given may be among it.
        opened = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY, 0o600)
        if stat.S_ISREG(os.fstat(opened).st_mode):
            os.fchmod(opened, 0o600)  # of an earlier one, too; but /dev/null stays everybody's
        self._log = os.fdopen(opened, "wb", buffering=0)
        self._fifo = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        self.questions: Questions | None = None

    def close(self) -> None:
        """Close what is open."""
        self._log.close()
        os.close(self._fifo)
        if self.questions is not None:
            self.questions.close()

    def until_packed(self, output: int) -> bool:
        """Follow the output until the tree is ready; False where it ends before."""
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            selector.register(self._fifo, selectors.EVENT_READ)
            if self.questions is not None:
                selector.register(self.questions, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fd == output:
                        block = os.read(output, _READ_BYTES)
                        if not block:
                            return False
                        self._take(block)
                    elif self.questions is not None and key.fd == self.questions.fileno():
                        self.questions.take()
                    elif os.read(self._fifo, 1):
                        return True

    def note(self, line: str) -> None:
        """Write a line of our own into the log."""
        self._keep(f"amphora-image: {line}\n".encode())

    def _take(self, block: bytes) -> None:
        self._keep(block)
        *whole, self._rest = (self._rest + block).split(b"\n")
        for line in whole:
            text = line.decode(errors="replace")
            self.lines.append(text)
            begun = phase_of(text)
            if begun and begun != self.phase:
                self.phase = begun
                self._tell(begun)

    def _keep(self, block: bytes) -> None:
        with writing(self._log_path):
            while block:
                block = block[self._log.write(block) :]


def _environment(request: Request, folder: Path, stand_ins: Path) -> Mapping[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED)}
    fixed = {
        "DIB_IMAGE_CACHE": str(request.cache),
        "DIB_IMAGE_SIZE": "1",  # of no meaning here; where it is set, the tree is not measured
        "DIB_LOCKFILES": str(request.cache / "locks"),
        "DIB_NO_TIMESTAMP": "1",
        "ELEMENTS_PATH": os.pathsep.join(map(str, request.elements_path)),
        "LC_ALL": "C",
        "PATH": os.pathsep.join([str(stand_ins), SEARCHED]),
        "PYTHONHASHSEED": "0",  # elements are a set to diskimage-builder: else they come in another order each time
        "TMP_DIR": str(folder),
        VARIABLE: str(folder),
        "USER": kept.get("USER", "root"),
    }
    epoch = {} if request.disk.epoch is None else {"SOURCE_DATE_EPOCH": str(request.disk.epoch)}
    given = {**kept, **request.environment}
    return {**given, **({} if OWN_BASE in request.elements else own_keys(given)), **epoch, **fixed}


def own_keys(given: Mapping[str, str]) -> Mapping[str, str]:
    """Say, as variables, that a key ring that was given is trusted, by the base system and by what unpacks it.

    diskimage-builder's own elements would have apt-key take it up, which needs GnuPG in the base system: none has it.
    """
    ring = given.get("DIB_APT_KEYRING") or given.get("DIB_DEBIAN_KEYRING")
    if not ring:
        return {}
    unpacking = ("DIB_DEBOOTSTRAP_EXTRA_ARGS", "DIB_MMDEBSTRAP_EXTRA_ARGS")
    extra = {name: f"{given.get(name, '')} --keyring={shlex.quote(ring)}".strip() for name in unpacking}
    return {
        "DIB_APT_KEYRING": "",
        "DIB_DEBIAN_KEYRING": "",
        "DIB_ADD_APT_KEYS": given.get("DIB_ADD_APT_KEYS") or ring,
        **extra,
    }
