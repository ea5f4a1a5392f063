# SPDX-License-Identifier: Apache-2.0
"""How builds that run at the same time share what one of them finds out.

Neither class knows what is shared, and neither has a timer: an answer is never older than the build that uses it, but
for the second of a pair.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

from amphora_image.trail import note_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

T = TypeVar("T")


class _Line(Generic[T]):
    """One key's queue: at most one call is running and at most one is waiting to be sent."""

    def __init__(self) -> None:
        self.sending = threading.Lock()
        self.waiting: Future[T] | None = None
        self.users = 0


class SharedLookups(Generic[T]):
    """Let callers with one key join a call that has not been sent yet; a lone caller sends at once. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[Hashable, _Line[T]] = {}

    def __call__(self, key: Hashable, send: Callable[[], T]) -> T:
        """Give the outcome of a ``send`` that began after this call did; its error is raised in every joiner."""
        with self._lock:
            line = self._lines.setdefault(key, _Line())
            line.users += 1
            batch, leads = line.waiting, line.waiting is None
            if batch is None:
                batch = line.waiting = Future()
        try:
            if leads:
                self._send(line, batch, send)
            else:
                note_shared()
            return batch.result()
        finally:
            with self._lock:
                line.users -= 1
                if not line.users:
                    del self._lines[key]

    def _send(self, line: _Line[T], batch: Future[T], send: Callable[[], T]) -> None:
        """Wait until the call before is answered, close the batch to joiners, and send."""
        with line.sending:
            with self._lock:
                line.waiting = None
            try:
                batch.set_result(send())
            except BaseException as error:  # noqa: BLE001 - handed to every joiner, this caller among them
                batch.set_exception(error)


class PairMemory(Generic[T]):
    """Give the second of two callers with one key the decision of the first. Thread-safe.

    A pair is two: the decision is used up by the second caller, so that a failover, which builds in the same server
    group, decides afresh. A second caller that comes while the first still decides waits for it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Hashable, tuple[Future[T], float]] = {}

    def first(self, key: Hashable, window_seconds: float, decide: Callable[[], T]) -> tuple[T, bool]:
        """Give ``(decision, True)`` of an earlier caller within the window, else ``(decide(), False)``."""
        mine: Future[T] = Future()
        with self._lock:
            now = self._clock()
            self._open = {each: kept for each, kept in self._open.items() if now < kept[1]}
            earlier = self._open.pop(key, None)
            if earlier is None:
                self._open[key] = (mine, now + window_seconds)
        if earlier is not None and earlier[0].exception() is None:
            return earlier[0].result(), True
        if earlier is not None:
            return decide(), False
        try:
            decision = decide()
        except BaseException as error:
            self.forget(key)
            mine.set_exception(error)
            raise
        mine.set_result(decision)
        return decision, False

    def forget(self, key: Hashable) -> None:
        """Drop the first one's decision: what it was made for came to nothing."""
        with self._lock:
            self._open.pop(key, None)
