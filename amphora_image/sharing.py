# SPDX-License-Identifier: Apache-2.0
"""How builds that run at the same time share what one of them finds out.

Neither class knows what is shared, and neither has a timer: an answer is never older than the build that uses it, but
for the second of a pair.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
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
        try:
            with line.sending:
                with self._lock:
                    line.waiting = None
                batch.set_result(send())
        except BaseException as error:  # noqa: BLE001 - handed to every joiner, this caller among them
            with self._lock:
                if line.waiting is batch:  # interrupted before its turn: nobody may wait for it any longer
                    line.waiting = None
            batch.set_exception(error)


@dataclass(frozen=True, slots=True, eq=False)
class _Kept(Generic[T]):
    """One pair's decision, made or in the making, and when it ends to count."""

    decision: Future[T]
    until: float


class PairMemory(Generic[T]):
    """Give the second of two callers with one key the decision of the first. Thread-safe.

    A pair is two: the decision is used up by the second caller, so that a failover, which builds in the same server
    group, decides afresh. A second caller that comes while the first still decides waits for it. What fails gives its
    use back, and what is deleted takes its decision with it.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Kept[T]] = {}
        self._used: dict[Hashable, _Kept[T]] = {}
        self._outcomes: dict[str, tuple[Hashable, _Kept[T]]] = {}

    def first(self, key: Hashable, window_seconds: float, decide: Callable[[], T]) -> tuple[T, bool]:
        """Give ``(decision, True)`` of an earlier caller within the window, else ``(decide(), False)``."""
        mine: Future[T] = Future()
        with self._lock:
            self._purge()
            earlier = self._open.pop(key, None)
            if earlier is None:
                self._open[key] = _Kept(mine, self._clock() + window_seconds)
            else:
                self._used[key] = earlier
        if earlier is not None:
            if earlier.decision.exception() is None:
                return earlier.decision.result(), True
            return decide(), False
        try:
            decision = decide()
        except BaseException as error:
            with self._lock:
                self._open.pop(key, None)
            mine.set_exception(error)
            raise
        mine.set_result(decision)
        return decision, False

    def failed(self, key: Hashable) -> None:
        """Undo one use of a decision, of which nothing came: the first's is dropped, the second's may be used again."""
        with self._lock:
            if self._open.pop(key, None) is None and (used := self._used.pop(key, None)) is not None:
                self._open[key] = used

    def came_of(self, key: Hashable, outcome: str) -> None:
        """Note what a decision led to, by an id."""
        with self._lock:
            kept = self._open.get(key) or self._used.get(key)
            if kept is not None:
                self._outcomes[outcome] = (key, kept)

    def gone(self, outcome: str) -> None:
        """Drop the decision that led to what does not exist any more."""
        with self._lock:
            key, kept = self._outcomes.pop(outcome, (None, None))
            for decisions in (self._open, self._used):
                if kept is not None and decisions.get(key) is kept:
                    del decisions[key]

    def _purge(self) -> None:
        now = self._clock()
        self._open = {key: kept for key, kept in self._open.items() if now < kept.until}
        self._used = {key: kept for key, kept in self._used.items() if now < kept.until}
        self._outcomes = {name: one for name, one in self._outcomes.items() if now < one[1].until}
