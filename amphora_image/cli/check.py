# SPDX-License-Identifier: Apache-2.0
"""``amphora-image check``: what would go wrong, before the first build."""

from __future__ import annotations

from argparse import ArgumentTypeError
from functools import partial
from typing import TYPE_CHECKING

from cliff.lister import Lister

from amphora_image.cli.context import names_a_cloud, open_runtime

if TYPE_CHECKING:
    import argparse

    from amphora_image.preflight.run import Preflight

_DEADLINE_SECONDS = 15
_EPILOG = (
    "exit codes: 0 all is well; 1 builds work, but there are warnings; 2 builds would fail, or the configuration cannot "
    "be read. Examples: `amphora-image --config-file /etc/octavia/octavia.conf check` before the switch; "
    "`amphora-image --config-file FILE --os-cloud admin check` also tells which image the service user fails to see; "
    "`amphora-image --config-file FILE check --image TAG --flavor ID` for what an Octavia flavor names."
)


class Check(Lister):
    """Check configuration, image and cloud as a build would meet them; nothing is changed.

    Run it with octavia.conf, or any ini, before the driver is switched, and after each change. It asks Keystone, Glance,
    Nova and Neutron as the user in [service_auth]: whether the tag is on exactly one image, whose that image is, its
    hash, whether it fits the flavor, whether flavor, network, security group, key pair and zone exist, and which options
    have no effect. Each row that is not ok ends with its remedy. A service that gives no answer is an error row.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take what to check instead of what the ini says, and how long to wait."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--image", metavar="REF", help="TAG, ID or glance://… instead of what the ini asks for.")
        parser.add_argument("--flavor", metavar="ID", help="Nova flavor instead of amp_flavor_id.")
        parser.add_argument("--zone", metavar="ZONE", help="Nova availability zone instead of the ini's.")
        parser.add_argument(
            "--deadline",
            metavar="SECONDS",
            type=_seconds,
            default=_DEADLINE_SECONDS,
            help=f"How long each service may take to answer (default: {_DEADLINE_SECONDS}).",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[str, str, str, str]]]:
        """Run all checks and give a row for each finding."""
        from amphora_image.preflight.finding import worst  # noqa: PLC0415 - heavy

        found = self._open(parsed_args).run()
        self._exit_code = worst(found).value
        rows = [(one.check, str(one.level), one.detail, one.remedy) for one in found]
        return ("check", "result", "detail", "remedy"), rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with the worst finding's level."""
        super().run(parsed_args)
        return self._exit_code

    def _open(self, parsed_args: argparse.Namespace) -> Preflight:
        """Use the credentials in ``[service_auth]``; those of a named cloud look on, or stand in where there are none."""
        from amphora_image.clients.session import has_credentials  # noqa: PLC0415 - heavy
        from amphora_image.config import load  # noqa: PLC0415 - heavy
        from amphora_image.drivers.runtime import Runtime  # noqa: PLC0415 - heavy
        from amphora_image.preflight.open import open_preflight, shorten  # noqa: PLC0415 - heavy
        from amphora_image.preflight.run import Asked  # noqa: PLC0415 - heavy

        options = self.app.options
        asked = Asked(parsed_args.image, parsed_args.flavor, parsed_args.zone)
        prepare = partial(shorten, deadline_seconds=parsed_args.deadline)
        other = open_runtime(options, prepare) if names_a_cloud(options) else None
        conf = load(options.config_file, options.config_dir)
        if other is not None and not has_credentials(conf):
            return open_preflight(other, is_service=False, asked=asked)
        prepare(conf)
        return open_preflight(Runtime(conf), overview=other, asked=asked)


def _seconds(text: str) -> int:
    """Read a time of at least a second."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number of seconds from 1 on")
    return int(text)
