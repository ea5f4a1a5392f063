# SPDX-License-Identifier: Apache-2.0
"""One publication to several clouds at the same time, from one reading of the source."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from amphora_image.errors import AmphoraImageError
from amphora_image.publish.body import CheckedPass
from amphora_image.publish.fanout import Fanout, Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from amphora_image.publish.fanout import Lane
    from amphora_image.publish.order import Order, Published
    from amphora_image.publish.publish import Publisher
    from amphora_image.publish.source import Load, Source

#: Not for ever: a signal that comes just before Python begins to wait is seen only when it ends.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A cloud by its ``name``; ``open`` makes its publisher, whose waits have to end when the given stop says so."""

    name: str
    open: Callable[[Stop], Publisher]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it in one cloud: an image, or an error."""

    cloud: str
    published: Published | None = None
    error: AmphoraImageError | None = None


def publish_to_all(targets: Sequence[Target], load: Load, order: Order) -> list[Outcome]:
    """Publish to all ``targets`` at once; that one fails is no matter to the others.

    An interrupt ends them all, and each deletes what it began.
    """
    stop = Stop()
    if len(targets) == 1:
        return [_publish(targets[0], load, order, stop)]
    # Nobody begins a pass where each cloud fetches a URL itself.
    shared = Fanout(lambda: CheckedPass(cast("Source", load.source), load.disk_format), len(targets), stop)

    def run(target: Target, lane: Lane) -> Outcome:
        try:
            return _publish(target, replace(load, begin=lane.begin), order, stop)
        finally:
            lane.leave()

    with ThreadPoolExecutor(len(targets)) as pool:
        try:
            begun = [pool.submit(run, each, shared.lane()) for each in targets]
            while wait(begun, timeout=_LOOK_SECONDS).not_done:
                pass
        except BaseException:
            stop.now()
            raise
        return [each.result() for each in begun]


def _publish(target: Target, load: Load, order: Order, stop: Stop) -> Outcome:
    try:
        return Outcome(cloud=target.name, published=target.open(stop).publish(load, order))
    except AmphoraImageError as error:
        return Outcome(cloud=target.name, error=error)
