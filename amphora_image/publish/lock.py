# SPDX-License-Identifier: Apache-2.0
"""The lock that promoters hold: a file of this user's, or what the configured coordinator has."""

from __future__ import annotations

import os
import uuid
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from amphora_image.errors import ConfigurationError, PromotionBusyError, ServiceUnavailableError

with warnings.catch_warnings():
    # futurist, which tooz loads, loads eventlet where that is installed, and eventlet warns of itself.
    warnings.simplefilter("ignore")
    from tooz import ToozError, coordination

if TYPE_CHECKING:
    from collections.abc import Iterator

#: One for all tags: two tags may be on one image, whose record Glance saves as a whole.
_NAME = b"amphora-image-promotion"


@contextmanager
def promotion_lock(url: str, *, wait_seconds: float) -> Iterator[None]:
    """Hold the lock at the tooz coordinator ``url``; empty means a file in this user's state folder: one host, one user.

    A process that dies lets go of it: at once where it is a file, else when the coordinator misses its heartbeats.

    :raises PromotionBusyError: it was not free within ``wait_seconds``.
    :raises ConfigurationError: the URL or the folder cannot be used.
    :raises ServiceUnavailableError: the coordinator does not answer.
    """
    place = url or _own_folder()
    try:
        coordinator = coordination.get_coordinator(place, uuid.uuid4().hex.encode())
        coordinator.start(start_heart=True)
    except coordination.ToozConnectionError as error:
        raise ServiceUnavailableError("the coordinator of [amphora_image] promotion_lock_url", str(error)) from error
    except (ToozError, OSError, ImportError, ValueError, RuntimeError) as error:  # the last one: no such driver
        raise _unusable(str(error)) from error
    try:
        with _held(coordinator, place, wait_seconds):
            yield
    finally:
        coordinator.stop()


@contextmanager
def _held(coordinator: coordination.CoordinationDriver, place: str, wait_seconds: float) -> Iterator[None]:
    lock = coordinator.get_lock(_NAME)
    try:
        acquired = lock.acquire(blocking=wait_seconds or False)  # type: ignore[arg-type]  # a number is a time-out
    except coordination.ToozConnectionError as error:
        raise ServiceUnavailableError("the coordinator of [amphora_image] promotion_lock_url", str(error)) from error
    except (ToozError, OSError) as error:
        raise _unusable(str(error)) from error
    if not acquired:
        raise PromotionBusyError(place.partition("?")[0].rpartition("@")[2], wait_seconds)
    try:
        yield
    finally:
        lock.release()


def _own_folder() -> str:
    """Make the folder where this user's programs keep their state, and give its URL (XDG Base Directory)."""
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        folder = Path(state) / "amphora-image" / "locks"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:
        raise _unusable(str(error)) from error
    return f"file://{folder}"


def _unusable(detail: str) -> ConfigurationError:
    problem = f"the lock that promotions hold cannot be used: {detail}"
    return ConfigurationError(
        problem, "set [amphora_image] promotion_lock_url, for example file:///var/lock/amphora-image"
    )
