# SPDX-License-Identifier: Apache-2.0
"""The lock that promoters hold: a file of this user's, or what the configured coordinator has."""

from __future__ import annotations

import fcntl
import os
import time
import uuid
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError, PromotionBusyError, ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tooz.coordination import CoordinationDriver

#: One for all tags: two tags may be on one image, whose record Glance saves as a whole.
_NAME = "amphora-image-promotion"
_POLL_SECONDS = 0.1


@contextmanager
def promotion_lock(url: str, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock at the tooz coordinator ``url``; empty means a file in this user's state folder: one host, one user.

    A process that dies lets go of it: at once where it is a file, else when the coordinator misses its heartbeats.

    :raises PromotionBusyError: it was not free within ``wait_seconds``.
    :raises ConfigurationError: the URL or the folder cannot be used.
    :raises ServiceUnavailableError: the coordinator does not answer.
    """
    with _shared(url, wait_seconds) if url else _own(wait_seconds):
        yield


def check_lock(url: str) -> None:
    """Return where :func:`promotion_lock` could hold its lock, if nobody else did: for who has to promote only later.

    :raises ConfigurationError: the URL or the folder cannot be used.
    :raises ServiceUnavailableError: the coordinator does not answer.
    """
    if url:
        with _coordinator(url):
            return
    os.close(_opened()[1])


def _opened() -> tuple[Path, int]:
    """Open the file of this user, which is made where it is missing.

    :raises ConfigurationError: it cannot be.
    """
    try:
        # Where a user's programs keep their state (XDG Base Directory Specification).
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        path = Path(state) / "amphora-image" / f"{_NAME}.lock"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path, os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (OSError, RuntimeError) as error:  # the latter: there is no home
        raise _unusable(str(error)) from error


@contextmanager
def _own(wait_seconds: float) -> Iterator[None]:
    """Hold a file's lock, which the kernel frees when its holder dies; the file itself stays."""
    until = time.monotonic() + wait_seconds
    path, descriptor = _opened()
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise PromotionBusyError(str(path), wait_seconds) from None
                time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _coordinator(url: str) -> Iterator[CoordinationDriver]:
    """Join the coordinator.

    :raises ConfigurationError: the URL cannot be used.
    :raises ServiceUnavailableError: it does not answer.
    """
    with warnings.catch_warnings():
        # tooz loads eventlet where that is installed, which warns of itself and changes what a fork does: so it is
        # loaded for whom has a coordinator only.
        warnings.simplefilter("ignore")
        from tooz import ToozError, coordination  # noqa: PLC0415 - as just said
    try:
        coordinator = coordination.get_coordinator(url, uuid.uuid4().hex.encode())
        coordinator.start(start_heart=True)
    except coordination.ToozConnectionError as error:
        raise _silent(str(error)) from error
    except (ToozError, OSError, ImportError, ValueError, RuntimeError) as error:  # the last one: no such driver
        raise _unusable(str(error)) from error
    try:
        yield coordinator
    finally:
        coordinator.stop()


@contextmanager
def _shared(url: str, wait_seconds: float) -> Iterator[None]:
    with _coordinator(url) as coordinator:
        from tooz import ToozError  # noqa: PLC0415 - as there

        lock = coordinator.get_lock(_NAME.encode())
        try:
            acquired = lock.acquire(blocking=wait_seconds or False)  # type: ignore[arg-type]  # a number is a time-out
        except ToozError as error:
            raise _silent(str(error)) from error
        if not acquired:
            raise PromotionBusyError(_NAME, wait_seconds)
        try:
            yield
        finally:
            lock.release()


def _silent(detail: str) -> ServiceUnavailableError:
    return ServiceUnavailableError("the coordinator in [amphora_image] promotion_lock_url", detail)


def _unusable(detail: str) -> ConfigurationError:
    problem = f"the lock that promotions hold cannot be used: {detail}"
    return ConfigurationError(
        problem, "set [amphora_image] promotion_lock_url, for example file:///var/lock/amphora-image"
    )
