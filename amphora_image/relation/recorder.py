# SPDX-License-Identifier: Apache-2.0
"""Recording of boots beside the boots: taken over at once, sent by a thread of its own, tried again for a while."""

from __future__ import annotations

import logging
import queue
import threading
from typing import TYPE_CHECKING

from amphora_image.clients.translate import retried
from amphora_image.errors import AmphoraImageError
from amphora_image.relation.values import Kind, Relation

if TYPE_CHECKING:
    from collections.abc import Callable

LOG = logging.getLogger(__name__)

_MOST_WAITING = 1000
_DEADLINE_SECONDS = 600.0


class Recorder:
    """Records which image a server was booted from, with ``record``; nothing that fails there reaches the boot.

    ``installation`` is the Nova that boots. Thread-safe. What has not been sent when the process ends is lost, and found
    by ``related reconcile``.
    """

    def __init__(
        self,
        record: Callable[[Relation], None],
        installation: str,
        *,
        deadline_seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        self._record = record
        self._installation = installation
        self._deadline_seconds = deadline_seconds
        self._waiting: queue.Queue[Relation] = queue.Queue(_MOST_WAITING)
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def booted(self, server_id: str, image_id: str) -> None:
        """Take note of a boot and return at once."""
        relation = Relation(installation=self._installation, instance_id=server_id, image_id=image_id, kind=Kind.BOOT)
        try:
            self._waiting.put_nowait(relation)
        except queue.Full:
            _lost(relation, f"{_MOST_WAITING} others wait already")
            return
        with self._lock:
            # Begun with the first boot: a host forks its workers before that, and threads do not go along.
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="amphora-image-relations", daemon=True)
                self._thread.start()

    def settle(self, deadline_seconds: float) -> bool:
        """Wait until all that was taken note of is recorded, or given up; False if that takes longer.

        For a program that ends after its boots, as a command does.
        """
        with self._waiting.all_tasks_done:
            return self._waiting.all_tasks_done.wait_for(lambda: not self._waiting.unfinished_tasks, deadline_seconds)

    def _run(self) -> None:
        while True:
            relation = self._waiting.get()
            try:
                self._send(relation)
            except Exception as error:  # noqa: BLE001 - the thread has to outlive whatever one boot brings
                _lost(relation, error)
            finally:
                self._waiting.task_done()

    def _send(self, relation: Relation) -> None:
        try:
            retried(lambda: self._record(relation), deadline_seconds=self._deadline_seconds)
        except AmphoraImageError as error:
            _lost(relation, error)


def _lost(relation: Relation, reason: object) -> None:
    LOG.warning(
        "That server %s was booted from image %s is not recorded (`related reconcile` makes up for it): %s",
        *(relation.instance_id, relation.image_id, reason),
    )
