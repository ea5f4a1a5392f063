# SPDX-License-Identifier: Apache-2.0
"""Several callers of one fake, of whom only one at a time goes on, from one pause to the next, as the test says."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class KilledError(BaseException):
    """The caller's process is no more."""


class Caller:
    """One caller; ``outcome`` is what its call gave or raised, None for one that was killed.

    It sends ``lives`` requests and is killed while the last one is on its way, which is carried out all the same when
    the caller has its turn.
    """

    def __init__(self, call: Callable[[], object], lives: int | None = None) -> None:
        self._call = call
        self._lives = lives
        self._turn = threading.Semaphore(0)
        self._paused = threading.Semaphore(0)
        self.steps = 0
        self.over = False
        self.killed = False
        self.outcome: object = None
        threading.Thread(target=self._run, daemon=True).start()

    def step(self) -> None:
        """Let it go on to its next pause, or to its end."""
        self.steps += 1
        self._turn.release()
        assert self._paused.acquire(timeout=30), "a caller does not come to its next pause"

    def pause(self, point: str) -> None:
        """Wait for the next turn; called by the caller's own thread. ``point`` is ``ask`` before a request."""
        self._paused.release()
        self._turn.acquire()
        if point == "ask" and self._lives is not None:
            if self.killed:
                raise KilledError
            self._lives -= 1
            self.killed = self._lives <= 0

    def _run(self) -> None:
        self._turn.acquire()
        try:
            self.outcome = self._call()
        except KilledError:
            pass
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.outcome = error
        self.killed = self.killed and self.outcome is None
        self.over = True
        self._paused.release()


class Stage:
    """Who is on: the fake calls ``pause``, promoters ``settle`` and ``lock``; only one caller at a time has its turn."""

    #: From an answer to the end of the request that it leads to: the request, its save, and what comes after.
    _SETTLED_STEPS = 4
    #: Far more than any of them needs, killed ones among its fellows or not.
    _MAX_STEPS = 2000

    def __init__(self) -> None:
        self._callers: list[Caller] = []
        self._on: Caller | None = None
        self._holder: Caller | None = None

    def pause(self, point: str) -> None:
        """Pause the caller that is on; nobody is when the test itself asks."""
        if self._on is not None:
            self._on.pause(point)

    def settle(self, seconds: float) -> None:
        """Pause until what the others had begun is done."""
        if self._on is None or not seconds:
            return
        me = self._on
        until = {one: one.steps + self._SETTLED_STEPS for one in self._callers if one is not me}
        while any(not one.over and one.steps < steps for one, steps in until.items()):
            self.pause("settle")

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Wait, turn by turn, until nobody who is alive holds the lock."""
        while self._holder is not None and not (self._holder.killed or self._holder.over):
            self.pause("lock")
        self._holder = me = self._on
        try:
            yield
        finally:
            if self._holder is me:
                self._holder = None

    def play(self, callers: list[Caller], order: list[tuple[int, int]], look: Callable[[], None]) -> None:
        """Give turns by ``order`` (who, how many), then one after another in rotation until all are over.

        ``look`` is called after each.
        """
        self._callers = callers
        for who, turns in order:
            for _ in range(turns):
                self._turn(callers[who % len(callers)], look)
        while not all(one.over for one in callers):
            for one in callers:
                self._turn(one, look)

    def _turn(self, caller: Caller, look: Callable[[], None]) -> None:
        if caller.over:
            return
        assert caller.steps < self._MAX_STEPS, "a caller goes on for ever"
        self._on = caller
        try:
            caller.step()
        finally:
            self._on = None
        look()
