# SPDX-License-Identifier: Apache-2.0
"""``amphora-image boot``: one server from the image that a build would take now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliff.show import ShowOne

from amphora_image.cli.context import columns, open_runtime, seconds, wanted_by

if TYPE_CHECKING:
    import argparse

_RECORDING_SECONDS = 10.0
_SHOWN = ("id", "name", "status", "management_ip", "flavor_id", "zone", "image_id")


class Boot(ShowOne):
    """Boot one server and show it.

    What is not given is taken from the ini, as for an amphora: the image by its rules, [controller_worker]
    amp_flavor_id, amp_boot_network_list, amp_secgroup_list, amp_ssh_key_name, [nova] availability_zone.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take what the server is to be."""
        parser = super().get_parser(prog_name)
        parser.add_argument("name", help="Name of the server.")
        parser.add_argument("--image", metavar="REF", help="TAG, ID or glance://… instead of what the ini asks for.")
        parser.add_argument("--flavor", metavar="ID", help="Flavor of the server.")
        parser.add_argument("--network", metavar="ID", action="append", default=[], help="Network; may be repeated.")
        parser.add_argument("--port", metavar="ID", action="append", default=[], help="Port; may be repeated.")
        parser.add_argument(
            "--security-group", metavar="ID", action="append", default=[], help="Security group; may be repeated."
        )
        parser.add_argument("--key-name", metavar="NAME", help="Key pair.")
        parser.add_argument("--zone", metavar="ZONE", help="Availability zone.")
        parser.add_argument("--server-group", metavar="ID", help="Server group; a pair in one gets one image.")
        parser.add_argument("--wait", action="store_true", help="Return once the server is ACTIVE.")
        parser.add_argument(
            "--deadline", metavar="SECONDS", type=seconds, default=300, help="How long --wait waits (default: 300)."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Resolve, boot, and with ``--wait`` stay until Nova is done."""
        from amphora_image.boot import BootRequest, wait_until_active  # noqa: PLC0415 - heavy

        runtime = open_runtime(self.app.options)
        request = runtime.with_defaults(
            BootRequest(
                name=parsed_args.name,
                flavor_id=parsed_args.flavor,
                key_name=parsed_args.key_name,
                security_groups=tuple(parsed_args.security_group),
                network_ids=tuple(parsed_args.network),
                port_ids=tuple(parsed_args.port),
                server_group_id=parsed_args.server_group,
                zone=parsed_args.zone,
            )
        )
        image, server = runtime.build(wanted_by(runtime.policy, parsed_args.image, request.zone), request)
        if runtime.recorder is not None and not runtime.recorder.settle(_RECORDING_SECONDS):
            self.app.stderr.write(f"that server {server.id} was booted from image {image.id} is not recorded\n")
        if parsed_args.wait:
            self.app.stderr.write(f"waiting for server {server.id} to become ACTIVE\n")
            wait_until_active(runtime.servers, server.id, deadline_seconds=parsed_args.deadline)
            server = runtime.server(server.id)
        names, values = columns(server, _SHOWN)
        return (*names, "image_name", "chosen_by"), [*values, image.name, image.chosen_by]
