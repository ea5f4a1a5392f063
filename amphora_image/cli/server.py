# SPDX-License-Identifier: Apache-2.0
"""``amphora-image server show|delete``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliff.command import Command
from cliff.show import ShowOne

from amphora_image.cli.context import columns, open_runtime, seconds, server_id

if TYPE_CHECKING:
    import argparse

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
