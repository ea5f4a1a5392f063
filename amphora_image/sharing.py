# SPDX-License-Identifier: Apache-2.0
"""How builds that run at the same time share what one of them finds out.

Neither class has a timer: an answer is never older than the build that uses it, but for the second of a pair.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from amphora_image.trail import note_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable, Iterable

    from amphora_image.models import Image

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
class PairedBuild:
    """A build of which another may be the other of its pair: that of the same ``group``.

    ``siblings`` knows better where it is given: it tells the names of all builds that are of this one's operation, and
    None where it cannot, so that the group counts. It is asked only where the answer makes a difference.
    """

    group: str | None = None
    name: str = ""
    siblings: Callable[[], Collection[str] | None] | None = None


@dataclass(slots=True, eq=False)
class _Kept:
    """What a build has chosen, until when it counts, the server it led to, and whose group's pair it has completed."""

    build: PairedBuild
    wanted: Hashable
    image: Image
    until: float
    is_alone: bool = True
    first: _Kept | None = None
    server_id: str | None = None


class PairMemory:
    """Keep what builds have chosen, for the second of a pair to follow the first. Thread-safe.

    A group's pair is two: once the second has come, what the first has chosen counts no longer, so that a failover, which
    builds in the same group, decides afresh. What fails gives its part back, and what is deleted is forgotten.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[_Kept] = []

    def settle(self, build: PairedBuild, wanted: Hashable, image: Image, window_seconds: float) -> Image | None:
        """Keep ``image`` as chosen for ``wanted``, and give the one that the other of the pair has, where it is another."""
        with self._lock:
            now = self._clock()
            self._kept = [kept for kept in self._kept if now < kept.until]
            mine = _Kept(build, wanted, image, now + window_seconds)
            others = [kept for kept in self._kept if _differ(kept, mine)]
            of_group = _of_group(mine, self._kept)
            self._kept.append(mine)
        if build.siblings is None or not others:
            return of_group.image if of_group in others else None
        names = build.siblings()
        with self._lock:
            for kept in self._kept:  # what has failed meanwhile is there no more
                if kept in others and (kept is of_group if names is None else kept.build.name in names):
                    return kept.image
        return None

    def follow(self, build: PairedBuild, image: Image) -> None:
        """Keep the other's image as that of a build, in the place of its own choice."""
        with self._lock:
            for mine in self._kept:
                if mine.build is build:
                    mine.image = image

    def failed(self, build: PairedBuild) -> None:
        """Forget what a build has chosen, for nothing came of it; the other of its group may be followed by another."""
        with self._lock:
            for mine in [kept for kept in self._kept if kept.build is build]:
                self._kept.remove(mine)
                for kept in self._kept:
                    if kept is mine.first or kept.first is mine:
                        kept.first, kept.is_alone = None, True

    def came_of(self, build: PairedBuild, server_id: str) -> None:
        """Note the server that a build led to."""
        with self._lock:
            for mine in self._kept:
                if mine.build is build:
                    mine.server_id = server_id

    def gone(self, server_id: str) -> None:
        """Forget what led to a server that does not exist any more."""
        with self._lock:
            self._kept = [kept for kept in self._kept if kept.server_id != server_id]


def _differ(one: _Kept, other: _Kept) -> bool:
    """Tell whether two were chosen for the same and are not the same."""
    return one.image.id != other.image.id and one.wanted == other.wanted


def _of_group(mine: _Kept, earlier: Iterable[_Kept]) -> _Kept | None:
    """Find the first of a group, whose second ``mine`` is now."""
    if mine.build.group is None:
        return None
    for kept in earlier:
        if kept.is_alone and kept.build.group == mine.build.group and kept.wanted == mine.wanted:
            kept.is_alone = mine.is_alone = False
            mine.first = kept
            return kept
    return None
