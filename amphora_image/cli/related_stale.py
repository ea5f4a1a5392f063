# SPDX-License-Identifier: Apache-2.0
"""What ``amphora-image related instances --stale`` shows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from amphora_image.cli.context import wanted_by

if TYPE_CHECKING:
    from amphora_image.drivers.runtime import Runtime

COLUMNS = ("amphora", "load_balancer", "server_id", "image_id", "age_hours", "state", "reason")


def stale(runtime: Runtime, tag: str) -> tuple[int, list[tuple[Any, ...]]]:
    """Give the exit code (0 none, 1 stale, 2 only unknown) and a row for each amphora that does not run the tag's image.

    The amphorae are Octavia's where the cloud has one, else our project's servers, by their relations.

    :raises NoImageError: the tag resolves to nothing, which is never taken for "all are stale".
    """
    from amphora_image.clients.octavia import OctaviaAmphorae  # noqa: PLC0415 - heavy
    from amphora_image.config.options import AMPHORA_IMAGE, NOVA  # noqa: PLC0415 - heavy
    from amphora_image.relation.stale import STALE, amphorae_by_relations, judge  # noqa: PLC0415 - heavy

    image = runtime.resolver.resolve(wanted_by(runtime.policy, tag), runtime.policy)
    seconds = float(runtime.conf[AMPHORA_IMAGE].retry_deadline_seconds)
    octavia = OctaviaAmphorae(runtime.session, runtime.conf[NOVA], deadline_seconds=seconds)
    if octavia.is_there():
        amphorae = octavia.everything()
    else:
        amphorae = amphorae_by_relations(runtime.servers.everything(), runtime.related)
    findings = judge(amphorae, image.id)
    now = datetime.now(UTC)
    rows = [
        (
            each.amphora.id,
            each.amphora.load_balancer_id,
            each.amphora.server_id,
            each.amphora.image_id,
            round((now - each.amphora.created_at).total_seconds() / 3600, 1) if each.amphora.created_at else None,
            each.state,
            each.reason,
        )
        for each in findings
    ]
    code = 0 if not findings else 1 if any(each.state == STALE for each in findings) else 2
    return code, rows
