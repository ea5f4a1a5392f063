# SPDX-License-Identifier: Apache-2.0
"""The commands of the sandbox: a real small OpenStack on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliff.command import Command
from cliff.lister import Lister

from amphora_image.cli.sandbox_place import add_place, sandbox_of

if TYPE_CHECKING:
    import argparse


_LOG_LINES = 50
_NOT_ALL_RUN = 1
_FORMATS = ("shell", "clouds", "ini")
_USERS = ("admin", "octavia", "demo")

_STATUS_EPILOG = "Example: `amphora-image sandbox status -f json`."
_ENV_EPILOG = (
    'Examples: `eval "$(amphora-image sandbox env --user octavia)"`; '
    "`umask 077; amphora-image sandbox env --format clouds > clouds.yaml && openstack --os-cloud admin server list`."
)
_LOGS_EPILOG = "Example: `amphora-image sandbox logs nova --lines 200`."
_DOWN_EPILOG = "Example: `amphora-image sandbox down --remove` ends it and deletes all it had."


class Status(Lister):
    """Show which services of the sandbox run, where, and with how much memory.

    The exit status is 0 if all of them run, and 1 if not.
    """

    _epilog = _STATUS_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Add the options that say which sandbox."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        add_place(parser)
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
        found = sandbox_of(parsed_args).status()
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
        add_place(parser)
        parser.add_argument("--format", choices=_FORMATS, default="shell", help="default: %(default)s")
        parser.add_argument(
            "--user", choices=_USERS, help="who to be (default: admin, in an ini octavia; clouds has all of them)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print it.

        :raises SandboxError: there is no such sandbox, or it never came up.
        """
        access = sandbox_of(parsed_args).access()
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
        add_place(parser)
        parser.add_argument("service", metavar="SERVICE", nargs="?", help="as `sandbox status` names it (default: all)")
        parser.add_argument(
            "--lines", metavar="N", type=int, default=_LOG_LINES, help="of each log (default: %(default)s)"
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Print them.

        :raises SandboxError: there is no such sandbox or service.
        """
        sandbox = sandbox_of(parsed_args)
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
        add_place(parser)
        parser.add_argument("--remove", action="store_true", help="delete its folder and databases too")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """End it.

        :raises SandboxError: something could not be ended or deleted.
        """
        sandbox_of(parsed_args).down(remove=parsed_args.remove)
