# SPDX-License-Identifier: Apache-2.0
"""One at a time: the lock that `up` and `down` hold on a sandbox's folder."""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterator

    from amphora_image.sandbox.progress import Deadline

_POLL_SECONDS = 0.1


@contextmanager
def locked(path: pathlib.Path, deadline: Deadline) -> Iterator[None]:
    """Hold the lock on ``path`` for the block; the kernel frees it when its holder dies, however that happens.

    :raises SandboxError: somebody else held it until the deadline.
    :raises OSError: the file cannot be made.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _acquire(descriptor, path, deadline)
            if not _is_still(descriptor, path):
                continue
            yield
            return
        finally:
            os.close(descriptor)


def _acquire(descriptor: int, path: pathlib.Path, deadline: Deadline) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if deadline.passed:
                raise SandboxError(
                    f"another `sandbox up` or `down` held {path} for {deadline.allowed_seconds:.0f} s",
                    "wait until it ends, or end it",
                ) from None
            time.sleep(_POLL_SECONDS)
        else:
            return


def _is_still(descriptor: int, path: pathlib.Path) -> bool:
    """Whether the path still leads to the locked file: `down --remove` deletes it while others wait for it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
