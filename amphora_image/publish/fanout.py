# SPDX-License-Identifier: Apache-2.0
"""One reading of a source for several takers, each at its own pace, in bounded memory."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.publish.body import Pass

#: How many blocks a taker may be behind the reader, which waits for the slowest of them.
_DEPTH = 8
#: How long the reader waits for takers that have not come yet; a later one reads on its own.
_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.1


class Stop:
    """Lets whatever waits in a thread of its own end early, as an interrupt does in the main one."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def now(self) -> None:
        """End what waits."""
        self._event.set()

    def sleep(self, seconds: float) -> None:
        """Wait.

        :raises KeyboardInterrupt: told to end.
        """
        if self._event.wait(seconds):
            raise KeyboardInterrupt


class Fanout:
    """Gives each of ``takers`` what one pass of ``begin`` reads; ``stop`` ends it early."""

    def __init__(self, begin: Callable[[], Pass], takers: int, stop: Stop) -> None:
        self._begin = begin
        self._stop = stop
        self._missing = takers
        self._lanes: list[_Lane] = []
        self._reads = False
        self._changed = threading.Condition()

    def lane(self) -> Lane:
        """Give what one taker gets its passes from; the taker has to leave it in the end."""
        return Lane(self)

    def join(self) -> Pass:
        """Give a share of the one pass, or a pass of its own to whoever comes late."""
        with self._changed:
            if self._reads:
                return self._begin()
            lane = _Lane(self._stop)
            self._lanes.append(lane)
            if len(self._lanes) == 1:
                threading.Thread(target=self._read, name="reader", daemon=True).start()
            self.leave()
            return lane

    def leave(self) -> None:
        """Have one taker less to wait for."""
        with self._changed:
            self._missing -= 1
            self._changed.notify_all()

    def _read(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._missing <= 0, _PATIENCE_SECONDS)
            self._reads = True
        shared = self._begin()
        try:
            for block in shared:
                for lane in self._lanes:
                    lane.put(block)
                if all(lane.left for lane in self._lanes):
                    return
            for lane in self._lanes:
                lane.sha512 = shared.sha512
                lane.put(None)
        except BaseException as error:  # noqa: BLE001 - raised again where the blocks are taken
            for lane in self._lanes:
                lane.put(error)


class Lane:
    """One taker's place: the first pass is shared, any further one its own."""

    def __init__(self, fanout: Fanout) -> None:
        self._fanout = fanout
        self._joined = False

    def begin(self) -> Pass:
        """Begin a pass."""
        if self._joined:
            return self._fanout._begin()  # noqa: SLF001 - the two are one thing
        self._joined = True
        return self._fanout.join()

    def leave(self) -> None:
        """Say that no pass is wanted any more."""
        if not self._joined:
            self._joined = True
            self._fanout.leave()


class _Lane:
    """A share of the one pass: what the reader has put, in order."""

    def __init__(self, stop: Stop) -> None:
        self._blocks: queue.Queue[bytes | BaseException | None] = queue.Queue(_DEPTH)
        self._stop = stop
        self.left = False
        self.sha512: str | None = None

    def put(self, block: bytes | BaseException | None) -> None:
        """Wait until there is room, unless the taker has left."""
        while not self.left:
            try:
                self._blocks.put(block, timeout=_POLL_SECONDS)
            except queue.Full:
                continue
            return

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (block := self._get()) is not None:
                if isinstance(block, BaseException):
                    raise block
                yield block
        finally:
            self.left = True

    def _get(self) -> bytes | BaseException | None:
        while True:
            self._stop.sleep(0)
            try:
                return self._blocks.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
