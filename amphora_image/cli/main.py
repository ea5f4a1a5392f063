# SPDX-License-Identifier: Apache-2.0
"""The command ``amphora-image``: global options, logging, and errors as one line with an exit code."""

from __future__ import annotations

import inspect
import logging
import sys
from importlib.metadata import EntryPoint, version
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from cliff.app import App
from cliff.commandmanager import CommandManager

from amphora_image.errors import AmphoraImageError, SandboxError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from cliff.command import Command

#: Every command and where it lives. Data and not entry points of our own: to find those, stevedore reads the metadata
#: of each installed package, which takes longer than all else that --help does.
COMMANDS = {
    "backup": "amphora_image.cli.snapshot:Backup",
    "boot": "amphora_image.cli.boot:Boot",
    "build": "amphora_image.cli.build:Build",
    "cache list": "amphora_image.cli.cache:List",
    "cache prune": "amphora_image.cli.cache:Prune",
    "cache verify": "amphora_image.cli.cache:Verify",
    "check": "amphora_image.cli.check:Check",
    "fetch": "amphora_image.cli.fetch:Fetch",
    "history": "amphora_image.cli.promote:History",
    "import-info": "amphora_image.cli.import_info:ImportInfo",
    "inspect": "amphora_image.cli.inspect:Inspect",
    "installation-uuid generate": "amphora_image.cli.related:Generate",
    "promote": "amphora_image.cli.promote:Promote",
    "publish": "amphora_image.cli.publish:Publish",
    "quarantine": "amphora_image.cli.promote:Quarantine",
    "related db check": "amphora_image.cli.related_db:Check",
    "related db upgrade": "amphora_image.cli.related_db:Upgrade",
    "related images": "amphora_image.cli.related:Images",
    "related instances": "amphora_image.cli.related:Instances",
    "related reconcile": "amphora_image.cli.related_reconcile:Reconcile",
    "resolve": "amphora_image.cli.resolve:Resolve",
    "rollback": "amphora_image.cli.promote:Rollback",
    "sandbox down": "amphora_image.cli.sandbox:Down",
    "sandbox env": "amphora_image.cli.sandbox:Env",
    "sandbox logs": "amphora_image.cli.sandbox:Logs",
    "sandbox status": "amphora_image.cli.sandbox:Status",
    "sandbox up": "amphora_image.cli.sandbox_up:Up",
    "server delete": "amphora_image.cli.server:Delete",
    "server orphans": "amphora_image.cli.server:Orphans",
    "server show": "amphora_image.cli.server:Show",
    "show": "amphora_image.cli.fetch:Show",
    "snapshot": "amphora_image.cli.snapshot:Snapshot",
    "test": "amphora_image.cli.trial:Test",
}

_DESCRIPTION = """Find, explain and boot the image that amphorae are made of.

What is wanted, and whose images are trusted, comes from the ini (--config-file); the credentials from --os-cloud or
OS_* variables when given, else from [service_auth] in the ini."""

_EPILOG = """exit codes: 0 done; 1 refused or failed; 2 wrong usage or configuration; 3 overtaken by another promotion;
4 no image may be booted; 5 credentials or rights are missing; 6 a service does not answer, try again; 130 interrupted"""


class _Commands(CommandManager):
    """Finds a command in :data:`COMMANDS`; its module is loaded when it is used."""

    def load_commands(self, namespace: str) -> None:
        """Take over the list."""
        for name, place in COMMANDS.items():
            self.commands[name] = EntryPoint(name, place, namespace)

    def find_command(self, argv: list[str]) -> tuple[Any, str, list[str]]:
        """Find the command, and spare it a look through all installed packages for the one that brought it: it is ours."""
        found, name, rest = super().find_command(argv)
        same = {"__doc__": found.__doc__, "__module__": found.__module__}
        return type(found.__name__, (_OwnEpilog, found), same), name, rest


class _OwnEpilog:
    """Ends a command's help with nothing but what the command says."""

    _epilog: str | None

    def get_epilog(self) -> str:
        """Give what follows the options."""
        return self._epilog or ""


class AmphoraImageApp(App):
    """The program: cliff's, with our global options, our exit codes and errors of one line."""

    NAME = "amphora-image"

    def __init__(self) -> None:
        self._failure: BaseException | None = None
        super().__init__(
            description=_DESCRIPTION,
            version=version("amphora-image"),
            command_manager=_Commands("amphora_image.cli"),
            deferred_help=True,
        )

    def build_option_parser(
        self, description: str | None, version: str | None, argparse_kwargs: dict[str, Any] | None = None
    ) -> argparse.ArgumentParser:
        """Add the options that say which configuration and which cloud."""
        from argparse import RawDescriptionHelpFormatter  # noqa: PLC0415 - for this parser only

        kwargs = {"epilog": _EPILOG, "formatter_class": RawDescriptionHelpFormatter, **(argparse_kwargs or {})}
        kwargs["allow_abbrev"] = False  # a command's own --os is no abbreviation of --os-cloud
        parser = super().build_option_parser(description, version, kwargs)
        parser.add_argument(
            "--config-file",
            metavar="FILE",
            action="append",
            default=[],
            help="Ini to read; may be repeated, the later wins. Default: ~/.amphora_image/, /etc/amphora_image/.",
        )
        parser.add_argument(
            "--config-dir",
            metavar="DIR",
            action="append",
            default=[],
            help="Read every *.conf in DIR; may be repeated.",
        )
        parser.add_argument(
            "--os-cloud",
            metavar="NAME",
            dest="os_clouds",
            action="append",
            default=[],
            help="Entry of clouds.yaml to take the credentials from; `publish` takes it more than once.",
        )
        return parser

    def configure_logging(self) -> None:
        """Send log lines to stderr, and never more than warnings of the HTTP clients, whose debug output has bodies."""
        super().configure_logging()
        for handler in logging.getLogger().handlers:
            handler.setFormatter(_Formatter(handler.formatter._fmt if handler.formatter else None))  # noqa: SLF001
        for noisy in ("alembic", "keystoneauth", "novaclient", "openstack", "requests", "urllib3"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        if not self.stderr.isatty():  # who waits at a terminal wants to know for what; a program wants one line
            for telling in ("amphora_image.clients.translate", "amphora_image.services.web.download"):
                logging.getLogger(telling).setLevel(logging.WARNING)
        # What these warn of, a Keystone that is down and an auth_type that nobody has, the error itself tells.
        for repeating in ("keystoneauth.identity", "stevedore"):
            logging.getLogger(repeating).setLevel(logging.ERROR)
        logging.getLogger("oslo_utils.imageutils").setLevel(logging.CRITICAL)  # so does it of what it finds unsafe

    def print_help_if_requested(self) -> None:
        """Print the options and a line for each command, without making one: that would load cliff's formatters."""
        if not self.options.deferred_help:
            return
        self.parser.print_help(self.stdout)
        self.stdout.write("\ncommands (amphora-image COMMAND --help tells more):\n")
        for name, place in sorted(self.command_manager):
            summary = (inspect.getdoc(place.load()) or "").partition("\n")[0].rstrip(".")
            self.stdout.write(f"  {name:<14}  {summary}\n")
        raise SystemExit(0)

    def interact(self) -> None:
        """Refuse to run without a command."""
        self.parser.error("a command is needed; `amphora-image --help` lists them")

    def run_subcommand(self, argv: list[str]) -> int:
        """Run a command and end with the exit code of its error, if any; help, also after options of the command."""
        if argv[0] == "help":
            argv = list(takewhile(lambda word: not word.startswith("-"), argv))
        code = super().run_subcommand(argv)
        return self._failure.exit_code if isinstance(self._failure, AmphoraImageError) else code

    def clean_up(self, cmd: Command, result: int, err: BaseException | None) -> None:  # noqa: ARG002 - cliff's hook
        """Keep the error, which cliff has logged, for its exit code."""
        self._failure = err


class _Formatter(logging.Formatter):
    """Formats an error that cliff logs as the bare exception: ours say what to do, others are told as a defect."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        error = record.msg
        if isinstance(error, SandboxError) and error.log_lines:
            record.message = "\n".join([f"amphora-image: {error}", *(f"  | {line}" for line in error.log_lines)])
        elif isinstance(error, AmphoraImageError):
            record.message = f"amphora-image: {error}"
        elif isinstance(error, Exception):
            told = " ".join(str(error).split())
            record.message = (
                f"amphora-image: unexpected {type(error).__name__}: {told}; this is a defect of amphora-image, "
                f"run again with --debug (before the command) and report what it prints"
            )
        return super().formatMessage(record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; what cliff returns is the exit code."""
    return AmphoraImageApp().run(list(sys.argv[1:] if argv is None else argv))
