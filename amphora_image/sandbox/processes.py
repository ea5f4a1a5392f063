# SPDX-License-Identifier: Apache-2.0
"""The processes of one sandbox: started with a mark, found again by it, and ended with all they started.

A number in a file may belong to somebody else's process by now, or never have been written. What a process carries in
its own environment cannot be wrong; so no number is kept.
"""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psutil

from amphora_image.sandbox.catalogue import POSTGRES
from amphora_image.sandbox.progress import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

#: The variables that mark a process: the sandbox's id, its folder, and the service's name.
MARK = "AMPHORA_IMAGE_SANDBOX"
FOLDER_MARK = "AMPHORA_IMAGE_SANDBOX_FOLDER"
SERVICE_MARK = "AMPHORA_IMAGE_SANDBOX_SERVICE"

#: The caller's own cloud must not become the services', and no proxy stands between programs on loopback.
_DROPPED_PREFIXES = ("OS_", "PG", MARK)
_MIB = 1024 * 1024
_ATTEMPTS = 3
_GRACE_SECONDS = 4.0
_KILL_SECONDS = 10.0
_POLL_SECONDS = 0.02


def environment(sandbox_id: str, service: str, extra: Mapping[str, str], *, root: pathlib.Path) -> dict[str, str]:
    """Give the environment of a process of the sandbox in ``root``, with its marks; nothing secret is ever in it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_DROPPED_PREFIXES)}
    fixed = {
        "LC_ALL": "C.UTF-8",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
        # Neutron renames its process: the name must not overwrite the environment, where the marks are.
        "SPT_NOENV": "1",
    }
    marks = {MARK: sandbox_id, FOLDER_MARK: os.path.realpath(root), SERVICE_MARK: service}
    return {**inherited, **fixed, **extra, **marks}


@dataclass(frozen=True)
class Launch:
    """What to start: ``identity`` are the arguments of Popen that change the user, ``inherited`` the descriptors kept."""

    command: Sequence[str]
    environ: Mapping[str, str]
    folder: pathlib.Path
    log: pathlib.Path
    inherited: Sequence[int] = ()
    identity: Mapping[str, Any] | None = None


class _Daemon(subprocess.Popen[bytes]):
    """A child that is meant to outlive this program, so that forgetting it is no mistake to be warned of."""

    def __del__(self) -> None:
        """Do nothing: no wait, no warning."""


def start(launch: Launch) -> subprocess.Popen[bytes]:
    """Start a process in a session of its own, so that no terminal's signal reaches it.

    :raises OSError: it cannot be started.
    """
    descriptor = os.open(launch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return _Daemon(
            launch.command,
            cwd=launch.folder,
            env=dict(launch.environ),
            stdin=subprocess.DEVNULL,
            stdout=descriptor,
            stderr=descriptor,
            pass_fds=tuple(launch.inherited),
            start_new_session=True,
            umask=0o077,
            **dict(launch.identity or {}),
        )
    finally:
        os.close(descriptor)


def find(sandbox_id: str) -> dict[str, list[psutil.Process]]:
    """Find the living processes of a sandbox by service; each service's first is the one that was started."""
    return _find(lambda _process, environ: environ.get(MARK) == sandbox_id)


def find_begun_in(root: pathlib.Path) -> dict[str, list[psutil.Process]]:
    """Find the living processes of whatever sandbox was started in a folder, which need not exist any more.

    Not those in a container, where a folder of the same name is another one.
    """
    folder, here = os.path.realpath(root), _namespace(os.getpid())
    return _find(lambda process, environ: environ.get(FOLDER_MARK) == folder and _namespace(process.pid) == here)


def _namespace(pid: int) -> str:
    """Name the file systems a process sees, with nothing where that cannot be known."""
    try:
        return str(pathlib.Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return ""


def _find(is_ours: Callable[[psutil.Process, Mapping[str, str]], bool]) -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {}
    for pid in psutil.pids():  # process_iter() keeps what it finds, and would not end the next process of that number
        try:
            process = psutil.Process(pid)
            environ = process.environ()
            if not is_ours(process, environ) or process.status() == psutil.STATUS_ZOMBIE:
                continue
        except (psutil.Error, OSError):
            # Gone meanwhile, or another user's, whose environment is closed to us and whose process is not ours.
            continue
        found.setdefault(environ.get(SERVICE_MARK, ""), []).append(process)
    for processes in found.values():
        processes.sort(key=_age)
    return found


def _age(process: psutil.Process) -> tuple[float, int]:
    try:
        return process.create_time(), process.pid
    except psutil.Error:
        return 0.0, process.pid


def roots(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Leave out those whose parent is there too."""
    pids = {process.pid for process in processes}
    return [process for process in processes if _parent_pid(process) not in pids]


def _parent_pid(process: psutil.Process) -> int:
    try:
        return int(process.ppid())
    except psutil.Error:
        return 0


def memory_mib(process: psutil.Process) -> float:
    """Give the memory a process and its descendants use: what they share is counted once, where that can be known."""
    total = 0
    for each in _with_descendants([process]):
        try:
            total += each.memory_full_info().pss
        except psutil.AccessDenied:
            total += each.memory_info().rss
        except psutil.Error:
            continue
    return total / _MIB


def end_all(sandbox_id: str) -> None:
    """End all processes of a sandbox: first the services, then the database they would miss."""
    _end_found(lambda: find(sandbox_id))


def end_begun_in(root: pathlib.Path) -> None:
    """End all processes of whatever sandboxes were started in a folder, also of one that was deleted or is broken."""
    _end_found(lambda: find_begun_in(root))


def _end_found(look: Callable[[], dict[str, list[psutil.Process]]]) -> None:
    for _attempt in range(_ATTEMPTS):
        found = look()
        if not found:
            break
        servers = found.pop(POSTGRES, [])
        end([process for processes in found.values() for process in processes], signal.SIGTERM)
        # The fast way: PostgreSQL takes SIGTERM for leave to wait until its clients are gone.
        end(servers, signal.SIGINT)


def end(processes: Iterable[psutil.Process], polite: signal.Signals, grace_seconds: float = _GRACE_SECONDS) -> None:
    """End processes and all they started: ask first, then kill; those already gone are no matter."""
    asked = list(processes)
    remaining = _with_descendants(asked)
    for process in asked:
        _send(process, polite)
    remaining = _still_living(remaining, Deadline(grace_seconds))
    for process in remaining:
        _send(process, signal.SIGKILL)
    _still_living(remaining, Deadline(_KILL_SECONDS))


def _still_living(processes: Iterable[psutil.Process], deadline: Deadline) -> list[psutil.Process]:
    """Wait until all have ended, and give those who have not by the deadline, with what they started meanwhile."""
    living = [process for process in processes if _lives(process)]
    while living and not deadline.passed:
        time.sleep(_POLL_SECONDS)
        living = [process for process in _with_descendants(living) if _lives(process)]
    return living


def _lives(process: psutil.Process) -> bool:
    """Whether a process runs; one of our children that ended is taken note of, somebody else's is as good as gone."""
    try:
        process.wait(timeout=0)
    except psutil.TimeoutExpired:
        try:
            return bool(process.status() != psutil.STATUS_ZOMBIE)
        except psutil.NoSuchProcess:
            return False
    return False


def _with_descendants(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Add the descendants, which by then may have overwritten the environment they were started with."""
    together: dict[int, psutil.Process] = {}
    for process in processes:
        together[process.pid] = process
        try:
            together.update((child.pid, child) for child in process.children(recursive=True))
        except psutil.Error:
            continue
    return list(together.values())


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal; psutil compares the start time first, so that a number used again is not hit."""
    try:
        process.send_signal(number)
    except psutil.Error:
        return
