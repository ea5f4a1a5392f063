# SPDX-License-Identifier: Apache-2.0
"""The commands of the sandbox: a real small OpenStack on this machine."""

from __future__ import annotations

import argparse
import math
import os
import pathlib
import shlex
import signal
import sys
from typing import TYPE_CHECKING

from cliff.command import Command
from cliff.lister import Lister

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    from types import FrameType

    from amphora_image.sandbox import Progress, Sandbox

_DEADLINE_SECONDS = 180.0
_LOG_LINES = 50
_NOT_ALL_RUN = 1
_FORMATS = ("shell", "clouds", "ini")
_EXTRAS = ("octavia",)
_USERS = ("admin", "octavia", "demo")

_UP_EPILOG = (
    'Examples: `amphora-image sandbox up && eval "$(amphora-image sandbox env)" && openstack image list`; '
    "a second one beside it: `amphora-image sandbox up --name other`; "
    "with load balancers: `amphora-image sandbox up --with octavia`."
)
_STATUS_EPILOG = "Example: `amphora-image sandbox status -f json`."
_ENV_EPILOG = (
    'Examples: `eval "$(amphora-image sandbox env --user octavia)"`; '
    "`umask 077; amphora-image sandbox env --format clouds > clouds.yaml && openstack --os-cloud admin server list`."
)
_LOGS_EPILOG = "Example: `amphora-image sandbox logs nova --lines 200`."
_DOWN_EPILOG = "Example: `amphora-image sandbox down --remove` ends it and deletes all it had."


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
        _add_place(parser)
        parser.add_argument(
            "--deadline",
            metavar="SECONDS",
            type=_positive_seconds,
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
        sandbox = _sandbox(parsed_args)
        self._heed()
        access = sandbox.up(
            self._report,
            parsed_args.deadline,
            with_=parsed_args.extras,
            compute_driver=parsed_args.compute_driver,
        )
        place = _place_options(parsed_args)
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


class Status(Lister):
    """Show which services of the sandbox run, where, and with how much memory.

    The exit status is 0 if all of them run, and 1 if not.
    """

    _epilog = _STATUS_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_place(parser)
        return parser

    def run(self, parsed_args: argparse.Namespace) -> int:
        """Print the table, and give the exit status."""
        self._all_run = True
        code: int = super().run(parsed_args)
        return code or (0 if self._all_run else _NOT_ALL_RUN)

    def take_action(
        self, parsed_args: argparse.Namespace
    ) -> tuple[tuple[str, ...], list[tuple[str, str, int | None, str, float]]]:
        """Give the table.

        :raises SandboxError: there is no such sandbox.
        """
        found = _sandbox(parsed_args).status()
        self._all_run = all(each.state == "running" for each in found)
        columns = ("Service", "State", "PID", "Address", "Memory MiB")
        return columns, [(each.service, each.state, each.pid, each.address, each.memory_mib) for each in found]


class Env(Command):
    """Print how to use the sandbox, in a form that programs read; it holds passwords.

    shell: lines for a POSIX shell that set the OS_* variables. clouds: a clouds.yaml with an entry for each of admin,
    octavia and demo. ini: the configuration of a controller worker with our compute driver.
    """

    _epilog = _ENV_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox, which form and for whom."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_place(parser)
        parser.add_argument("--format", choices=_FORMATS, default="shell", help="default: %(default)s")
        parser.add_argument(
            "--user", choices=_USERS, help="who to be (default: admin, in an ini octavia; clouds has all of them)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print it.

        :raises SandboxError: there is no such sandbox, or it never came up.
        """
        access = _sandbox(parsed_args).access()
        if parsed_args.format == "clouds":
            text = access.clouds()
        elif parsed_args.format == "ini":
            text = access.ini(user=parsed_args.user or "octavia")
        else:
            text = access.shell(parsed_args.user or "admin")
        self.app.stdout.write(text)


class Logs(Command):
    """Print the last lines of a service's log, or of all of them."""

    _epilog = _LOGS_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox, which service and how much."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_place(parser)
        parser.add_argument("service", metavar="SERVICE", nargs="?", help="as `sandbox status` names it (default: all)")
        parser.add_argument(
            "--lines", metavar="N", type=int, default=_LOG_LINES, help="of each log (default: %(default)s)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print them.

        :raises SandboxError: there is no such sandbox or service.
        """
        sandbox = _sandbox(parsed_args)
        services = [parsed_args.service] if parsed_args.service else [each.service for each in sandbox.status()]
        for service in services:
            if len(services) > 1:
                self.app.stdout.write(f"==> {service} <==\n")
            for line in sandbox.logs(service, parsed_args.lines):
                self.app.stdout.write(f"{line}\n")


class Down(Command):
    """End the sandbox's processes and no others, also those that a killed `up` left; the databases stay.

    A sandbox that does not run, or does not exist, is no error.
    """

    _epilog = _DOWN_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox, and whether to delete it."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_place(parser)
        parser.add_argument("--remove", action="store_true", help="delete its folder and databases too")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """End it.

        :raises SandboxError: something could not be ended or deleted.
        """
        _sandbox(parsed_args).down(remove=parsed_args.remove)


def _positive_seconds(text: str) -> float:
    """Read a time to wait.

    :raises argparse.ArgumentTypeError: it is none.
    """
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds above 0")
    return seconds


def _add_place(parser: argparse.ArgumentParser) -> None:
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--name", default="default", help="which sandbox (default: %(default)s)")
    place.add_argument(
        "--dir",
        metavar="DIR",
        type=pathlib.Path,
        help="its folder (default: amphora-image/sandbox/NAME under $XDG_STATE_HOME or ~/.local/state)",
    )


def _place_options(parsed_args: argparse.Namespace) -> str:
    if parsed_args.dir is not None:
        return f" --dir {shlex.quote(str(parsed_args.dir))}"
    return "" if parsed_args.name == "default" else f" --name {shlex.quote(parsed_args.name)}"


def _sandbox(parsed_args: argparse.Namespace) -> Sandbox:
    """Give the sandbox that is meant; only here are its modules imported.

    :raises SandboxError: the extra that brings them is not installed.
    """
    try:
        from amphora_image.sandbox.cloud import Sandbox  # noqa: PLC0415  # heavy, and only in the extra
        from amphora_image.sandbox.layout import default_root  # noqa: PLC0415  # as above
    except ModuleNotFoundError as error:
        raise SandboxError(
            f"the sandbox needs {error.name}, which is not installed",
            "install the extra, in a clone: pip install -c constraints.txt '.[sandbox]'",
        ) from error
    return Sandbox(parsed_args.dir or default_root(parsed_args.name, os.environ))
