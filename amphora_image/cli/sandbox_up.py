# SPDX-License-Identifier: Apache-2.0
"""``amphora-image sandbox up``."""

from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

from cliff.command import Command

from amphora_image.cli.context import seconds
from amphora_image.cli.sandbox_place import add_place, place_options, sandbox_of

if TYPE_CHECKING:
    import argparse
    from types import FrameType

    from amphora_image.sandbox import Progress

_DEADLINE_SECONDS = 180.0
_EXTRAS = ("octavia", "relations")
_UP_EPILOG = (
    'Examples: `amphora-image sandbox up && eval "$(amphora-image sandbox env)" && openstack image list`; '
    "a second one beside it: `amphora-image sandbox up --name other`; "
    "with load balancers: `amphora-image sandbox up --with octavia`; "
    "with a Glance that keeps relations: `amphora-image sandbox up --with relations`."
)


class Up(Command):
    """Bring up a real small OpenStack: PostgreSQL, Keystone, Glance, Placement, Nova, Neutron and, if wanted, Octavia.

    Everything listens on 127.0.0.1 only, on free ports, and lives in one folder. The first start makes the databases;
    later ones resume them. What runs already is left alone. On a failure, on Ctrl-C and past the deadline no process
    is left behind.
    """

    _epilog = _UP_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _interrupted_by = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox, and how long to wait for it."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        add_place(parser)
        parser.add_argument(
            "--deadline",
            metavar="SECONDS",
            type=seconds,
            default=_DEADLINE_SECONDS,
            help="give up, and end what was started, after so many seconds (default: %(default)g)",
        )
        parser.add_argument(
            "--with",
            dest="extras",
            metavar="NAME",
            action="append",
            choices=_EXTRAS,
            default=[],
            help=f"what it shall have besides, from now on: {', '.join(_EXTRAS)}; may be repeated",
        )
        parser.add_argument(
            "--compute-driver",
            metavar="NAME",
            help="what Octavia boots its amphorae with, from now on (default: amphora_image_driver)",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Bring it up, with a line for each service as it becomes ready.

        :raises SandboxError: it did not come up.
        """
        numbers = [signal.SIGTERM, signal.SIGHUP]
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background ignores it
            numbers.append(signal.SIGINT)
        for number in numbers:
            signal.signal(number, self._interrupt)
        sandbox = sandbox_of(parsed_args)
        self._heed()
        access = sandbox.up(
            self._report,
            parsed_args.deadline,
            with_=parsed_args.extras,
            compute_driver=parsed_args.compute_driver,
        )
        place = place_options(parsed_args)
        self._say(f"\nThe cloud is up at {access.auth_url}; its logs are in {access.root / 'log'}.")
        self._say(f'  use it:  eval "$(amphora-image sandbox env{place})"; openstack image list')
        self._say(f"  end it:  amphora-image sandbox down{place}")

    def _report(self, progress: Progress) -> None:
        self._heed()
        self._say(str(progress))

    def _interrupt(self, number: int, _frame: FrameType | None) -> None:
        """Leave as after Ctrl-C, so that what was begun is undone."""
        self._interrupted_by = number
        self._heed()

    def _heed(self) -> None:
        """Leave if a signal said so, maybe in a place that swallows exceptions: a finaliser, or a callback of an import.

        :raises KeyboardInterrupt: it was Ctrl-C.
        :raises SystemExit: it was another.
        """
        if self._interrupted_by == signal.SIGINT:
            raise KeyboardInterrupt
        if self._interrupted_by:
            sys.exit(128 + self._interrupted_by)

    def _say(self, line: str) -> None:
        print(line, file=self.app.stdout, flush=True)  # a command's output
