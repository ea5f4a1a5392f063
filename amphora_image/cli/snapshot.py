# SPDX-License-Identifier: Apache-2.0
"""``amphora-image snapshot|backup SERVER``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cliff.show import ShowOne

from amphora_image.cli.context import open_runtime, seconds, server_id

if TYPE_CHECKING:
    from amphora_image.relation.snapshots import Snapshots

_DEADLINE_SECONDS = 3600
_BACKUP_EPILOG = "Example, once a day: `amphora-image backup SERVER --name nightly --rotation 7`."


class Snapshot(ShowOne):
    """Make an image of a server, and relate the two in Glance.

    Servers that boot from a volume will do, too. Needs [relation] nova_installation_uuid in the ini, and our filter in
    Glance.
    """

    _kind = "snapshot"

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the server and how to call the image."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="SERVER", help="UUID of the server.")
        parser.add_argument("--name", required=True, help="Name of the image.")
        parser.add_argument("--wait", action="store_true", help="Return once the image is active.")
        parser.add_argument(
            "--deadline",
            metavar="SECONDS",
            type=seconds,
            default=_DEADLINE_SECONDS,
            help=f"How long that may take (default: {_DEADLINE_SECONDS}).",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Make it, wait if asked to, and delete what is too much."""
        from amphora_image.relation.values import Kind  # noqa: PLC0415 - heavy

        server, rotation = server_id(parsed_args.server).lower(), getattr(parsed_args, "rotation", None)
        snapshots = _snapshots(self.app.options)
        image_id = snapshots.take(server, parsed_args.name, Kind(self._kind))
        deleted: list[str] = []
        if parsed_args.wait or rotation is not None:
            self.app.stderr.write(f"waiting for image {image_id} to become active\n")
            snapshots.wait(server, image_id, deadline_seconds=parsed_args.deadline)
        if rotation is not None:
            deleted = snapshots.rotate(server, rotation)
        return ("id", "name", "kind", "server_id", "deleted"), [
            image_id,
            parsed_args.name,
            self._kind,
            server,
            " ".join(deleted),
        ]


class Backup(Snapshot):
    """Make a backup of a server, relate the two in Glance, and delete the server's oldest backups if asked to.

    Servers that boot from a volume will do, too. With --rotation it waits until the new backup is usable, and then
    deletes those of this server, and of no other, that are older than the newest N. Needs [relation]
    nova_installation_uuid in the ini, and our filter in Glance.
    """

    _kind = "backup"
    _epilog = _BACKUP_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take how many are kept."""
        parser = super().get_parser(prog_name)
        parser.add_argument("--rotation", metavar="N", type=_count, help="Keep the newest N backups of this server.")
        return parser


def _snapshots(options: argparse.Namespace) -> Snapshots:
    from amphora_image.clients.glance_import import GlanceImports  # noqa: PLC0415 - heavy
    from amphora_image.clients.session import adapter  # noqa: PLC0415 - heavy
    from amphora_image.config.options import AMPHORA_IMAGE, GLANCE  # noqa: PLC0415 - heavy
    from amphora_image.relation.snapshots import Snapshots  # noqa: PLC0415 - heavy

    runtime = open_runtime(options)
    glance = adapter(runtime.session, runtime.conf[GLANCE], "image")
    images = GlanceImports(glance, deadline_seconds=float(runtime.conf[AMPHORA_IMAGE].retry_deadline_seconds))
    return Snapshots(runtime.servers, runtime.related, images)


def _count(text: str) -> int:
    """Read a number of at least 1, so that the backup that is being made is kept.

    :raises argparse.ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of at least 1")
    return int(text)
