# SPDX-License-Identifier: Apache-2.0
"""``amphora-image related db upgrade|check``: the schema of the relations' database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliff.command import Command
from cliff.show import ShowOne

from amphora_image.errors import ConfigurationError, RelationSchemaError

if TYPE_CHECKING:
    import argparse

    from amphora_image.relation.schema import Schema

_UPGRADE_EPILOG = (
    "Example: `amphora-image --config-file /etc/glance/glance-api.conf related db upgrade`. To upgrade Glance's hosts "
    "one after another, run it with --expand-only first, and once more without when no host runs the older release."
)


def open_schema(options: argparse.Namespace) -> Schema:
    """Read ``[relation] connection``.

    :raises ConfigurationError: the ini or the URL cannot be used, or the extra ``relation`` is not installed.
    """
    from amphora_image.config import load  # noqa: PLC0415 - heavy
    from amphora_image.config.relation import RELATION  # noqa: PLC0415 - heavy

    connection = load(options.config_file, options.config_dir)[RELATION].connection
    try:
        from amphora_image.relation.schema import Schema  # noqa: PLC0415 - heavy
    except ImportError as error:
        problem = f"the relations' database needs a package that is not installed: {error}"
        raise ConfigurationError(problem, "pip install 'amphora-image[relation]'") from error
    return Schema(connection)


class Upgrade(Command):
    """Make the tables of the relations, or bring them up to date.

    Whatever ends this early, run it again: what is applied stays applied. Several at once do no harm: one works, the
    others wait for it.
    """

    _epilog = _UPGRADE_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take how far to go."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "--expand-only",
            action="store_true",
            help="Add what this release needs, and leave what only an older one needs: both can work then.",
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> None:
        """Upgrade, and say from what to what."""
        schema = open_schema(self.app.options)
        before = schema.upgrade(contract=not parsed_args.expand_only)
        after = schema.state()
        self.app.stderr.write(f"schema {before.current or '(none)'} -> {after.current}; newest {after.newest}\n")


class Check(ShowOne):
    """Say whether the relations' database is ready for this release; exit code 2 if it is not."""

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Look at the schema; nothing is changed.

        :raises RelationSchemaError: something has to be added first.
        """
        del parsed_args
        state = open_schema(self.app.options).state()
        pending = [f"{revision} ({phase})" for revision, phase in state.pending]
        if not state.usable:
            raise RelationSchemaError(f"it is at {state.current or 'no version'}, and lacks {', '.join(pending)}")
        return ("current", "newest", "pending"), [state.current, state.newest, " ".join(pending)]
