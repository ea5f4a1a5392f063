# SPDX-License-Identifier: Apache-2.0
"""``amphora-image server show|delete|orphans``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff.command import Command
from cliff.lister import Lister
from cliff.show import ShowOne

from amphora_image.cli.context import columns, open_runtime, seconds, server_id
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

_OLDER_THAN_SECONDS = 600
_ORPHANS_EPILOG = (
    "Example, with the credentials of an administrator of Octavia: `openstack loadbalancer amphora list --long "
    "-c compute_id -f value | amphora-image --config-file FILE server orphans --known-file -`. Look at each server before you delete "
    "it: `amphora-image server show ID`, then `amphora-image server delete ID`."
)
_SHOWN = ("id", "name", "status", "management_ip", "flavor_id", "zone", "image_id", "volume_id", "fault")


class Show(ShowOne):
    """Show a server: its state, its address on the boot network, and the image it was booted from."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the server's id."""
        parser = super().get_parser(prog_name)
        parser.add_argument("server", metavar="ID", help="UUID of the server.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Ask Nova once, and for its interfaces when it is ACTIVE."""
        wanted = server_id(parsed_args.server)
        return columns(open_runtime(self.app.options).server(wanted), _SHOWN)


class Delete(Command):
    """Delete servers; one that is gone already is told and is no error."""

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the servers' ids."""
        parser = super().get_parser(prog_name)
        parser.add_argument("servers", metavar="ID", nargs="+", help="UUID of a server; may be repeated.")
        parser.add_argument("--wait", action="store_true", help="Return once Nova has none of them any more.")
        parser.add_argument(
            "--deadline", metavar="SECONDS", type=seconds, default=300, help="How long --wait waits (default: 300)."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Delete all, then wait for all."""
        from amphora_image.boot import wait_until_gone  # noqa: PLC0415 - heavy

        wanted = [server_id(one) for one in parsed_args.servers]
        servers = open_runtime(self.app.options).servers
        for one in wanted:
            outcome = "is being deleted" if servers.delete(one) else "was not there"
            self.app.stderr.write(f"server {one} {outcome}\n")
        for one in wanted if parsed_args.wait else ():
            wait_until_gone(servers, one, deadline_seconds=parsed_args.deadline)


class Orphans(Lister):
    """List servers that look like amphorae and that nobody knows; nothing is deleted.

    Those are the servers of the service's project whose name is unique by itself, because it begins with the prefix and
    holds a UUID or because it is a random name, and that are older than a build takes. Without --known-file that is
    every amphora: give the ids of the servers that your controller knows, and only the others are left.
    """

    _epilog = _ORPHANS_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take what a name begins with, the least age, and the known ids."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--prefix", metavar="TEXT", default="amphora-", help="What names begin with (default: amphora-)."
        )
        parser.add_argument(
            "--older-than",
            metavar="SECONDS",
            type=_seconds,
            default=_OLDER_THAN_SECONDS,
            help=f"Least age, by Nova's clock: longer than a build takes (default: {_OLDER_THAN_SECONDS}).",
        )
        parser.add_argument(
            "--known-file", metavar="FILE", help="Server ids to leave out, one a line; - reads standard input."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Read the known ids first, so that a server made meanwhile is too young; then list."""
        from amphora_image.orphans import orphans  # noqa: PLC0415 - heavy

        known = self._known(parsed_args.known_file)
        found = orphans(
            open_runtime(self.app.options).servers.everything(),
            prefix=parsed_args.prefix,
            older_than_seconds=parsed_args.older_than,
            known=known,
        )
        rows = [
            (
                each.server.id,
                each.server.name,
                each.server.status,
                each.created_at.isoformat() if each.created_at else None,
                each.server.image_id,
            )
            for each in found
        ]
        return ("id", "name", "status", "created", "image_id"), rows

    def _known(self, name: str | None) -> frozenset[str]:
        """Read the ids that the controller knows.

        :raises ConfigurationError: the file cannot be read, a line is no id, or there is none.
        """
        from amphora_image.orphans import read_ids  # noqa: PLC0415 - heavy

        if name is None:
            return frozenset()
        if name == "-":
            return read_ids(self.app.stdin, "standard input")
        try:
            text = Path(name).read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{name} cannot be read: {error}", "give the path of a file of ids") from error
        return read_ids(text.splitlines(), name)


def _seconds(text: str) -> int:
    """Read a time of no less than 0."""
    if not text.isdecimal():
        raise ArgumentTypeError(f"{text!r} is no whole number of seconds")
    return int(text)
