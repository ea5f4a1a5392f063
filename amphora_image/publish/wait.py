# SPDX-License-Identifier: Apache-2.0
"""Waiting for an import, honestly: what fails is told by Glance's own reason, and what does not move is noticed."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import ImportFailedError, ImportStuckError, ResourceNotFoundError
from amphora_image.publish.progress import MIB, Progress, Silent

if TYPE_CHECKING:
    from collections.abc import Callable

    from amphora_image.clients.glance_import import ImageImports, ImportTask
    from amphora_image.models import ImageRecord

#: What Glance writes on an image while it imports: the task that holds it, the stores to come, the stores that failed.
_LOCK = "os_glance_import_task"
_PENDING = "os_glance_importing_to_stores"
_FAILED = "os_glance_failed_import"

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long to wait: for all bytes to be sent, for a whole import, and for a sign that either goes on.

    Glance tells of its own accord how far it is in the copy to a store alone, about once a minute.
    """

    phase_seconds: float = 3600
    stuck_seconds: float = 600


class Waiter:
    """Watches imports through ``imports``; ``clock`` and ``sleep`` are for tests and for whoever must stop early."""

    def __init__(
        self,
        imports: ImageImports,
        *,
        limits: Limits,
        progress: Progress | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._imports = imports
        self._limits = limits
        self._progress = progress or Silent()
        self._clock = clock
        self._sleep = sleep

    def wait(self, image_id: str, phase: str, *, all_must_succeed: bool = True) -> ImageRecord:
        """Return the image once its import has ended well.

        :raises ImportFailedError: it ended otherwise; with Glance's reason.
        :raises ImportStuckError: nothing moved for too long, or it took too long in all.
        :raises ResourceNotFoundError: somebody deleted the image meanwhile.
        """
        began = moved = self._clock()
        sign, pause = None, _FIRST_PAUSE_SECONDS
        while True:
            record = self._imports.record(image_id)
            if record is None:
                raise ResourceNotFoundError("image", f"{image_id}, deleted by somebody during its import,")
            tasks = self._imports.tasks(image_id)
            task = tasks[-1] if tasks else None
            if ended(record):
                return self._outcome(record, task, all_must_succeed=all_must_succeed)
            now = self._clock()
            if (seen := (record.status, record.properties.get(_PENDING), task)) != sign:
                sign, moved = seen, now
            self._check_limits(image_id, phase, now - began, now - moved)
            self._progress.moved(_copied(task))
            self._sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)

    def go_on(self) -> None:
        """Return at once; raise what the sleep raises for who was told meanwhile to stop."""
        self._sleep(0)

    def timed(self, image_id: str, phase: str) -> Callable[[int], None]:
        """Give what is told how many bytes are sent, and raises once a phase that begins now takes too long."""
        began = self._clock()

        def moved(sent: int) -> None:
            self._check_limits(image_id, phase, self._clock() - began, 0)
            self._progress.moved(sent)

        return moved

    def _check_limits(self, image_id: str, phase: str, lasted: float, quiet: float) -> None:
        if quiet > self._limits.stuck_seconds:
            raise ImportStuckError(image_id, phase, f"Glance has told of nothing new for {quiet:.0f} s")
        if lasted > self._limits.phase_seconds:
            raise ImportStuckError(image_id, phase, f"it has taken {lasted:.0f} s")

    def _outcome(self, record: ImageRecord, task: ImportTask | None, *, all_must_succeed: bool) -> ImageRecord:
        failed = failed_stores(record)
        gone_wrong = task is not None and task.status == "failure"
        if record.status == "active" and not (failed and all_must_succeed) and not gone_wrong:
            return record
        reason = (task.message if task else "") or "it gives no reason"
        where = f" (into {', '.join(failed)})" if failed else ""
        raise ImportFailedError(record.id, f"{reason}{where}")


def failed_stores(record: ImageRecord) -> tuple[str, ...]:
    """Name the stores that the last import did not reach."""
    return tuple(filter(None, record.properties.get(_FAILED, "").split(",")))


def ended(record: ImageRecord) -> bool:
    """Tell whether Glance has let go of the image: it takes the lock before it answers, and drops it last."""
    return _LOCK not in record.properties and not (record.status == "active" and record.properties.get(_PENDING))


def _copied(task: ImportTask | None) -> int:
    """Read how much Glance has copied, in bytes, from what it says in its task."""
    found = re.fullmatch(r"Copied (\d+) MiB", task.message) if task else None
    return int(found.group(1)) * MIB if found else 0
