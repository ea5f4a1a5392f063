# SPDX-License-Identifier: Apache-2.0
"""A scheduler of backups in one page: ``backup_scheduler.py INI KEEP SERVER …``, to be run by cron.

Each server gets a backup, and keeps its newest KEEP; one that fails does not stop the others. The ini has
``[service_auth]`` and ``[relation] nova_installation_uuid``.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from amphora_image.clients.glance_import import GlanceImports
from amphora_image.clients.session import adapter
from amphora_image.config import load
from amphora_image.drivers.runtime import Runtime
from amphora_image.errors import AmphoraImageError
from amphora_image.relation.snapshots import Snapshots
from amphora_image.relation.values import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable

_DEADLINE_SECONDS = 3600


def back_up(snapshots: Snapshots, servers: Iterable[str], keep: int) -> list[str]:
    """Back up each server, delete what is older than its newest ``keep`` backups, and give those that failed."""
    failed = []
    for server_id in servers:
        name = f"backup-{server_id[:8]}-{datetime.now(UTC):%Y%m%d-%H%M}"
        try:
            image_id = snapshots.take(server_id, name, Kind.BACKUP)
            snapshots.wait(server_id, image_id, deadline_seconds=_DEADLINE_SECONDS)
            deleted = snapshots.rotate(server_id, keep)
        except AmphoraImageError as error:
            failed.append(server_id)
            print(f"{server_id}: {error}", file=sys.stderr)
        else:
            print(f"{server_id}: {image_id}, and deleted {len(deleted)}")
    return failed


def main() -> int:
    """Do what the command line says; end with 1 if any server has no new backup."""
    ini, keep, *servers = sys.argv[1:]
    runtime = Runtime(load([ini]))
    images = GlanceImports(adapter(runtime.session, runtime.conf.glance, "image"))
    return int(bool(back_up(Snapshots(runtime.servers, runtime.related, images), servers, int(keep))))


if __name__ == "__main__":
    sys.exit(main())
