# SPDX-License-Identifier: Apache-2.0
"""``amphora-image related reconcile``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cliff.lister import Lister

from amphora_image.cli.context import open_runtime
from amphora_image.errors import AccessDeniedError, ConfigurationError

if TYPE_CHECKING:
    import argparse

    from amphora_image.drivers.runtime import Runtime

_EPILOG = (
    "Example: `amphora-image --config-file FILE related reconcile`, and once more with --apply when the list is right."
)


class Reconcile(Lister):
    """Compare the relations of an installation with its Nova and with Glance, and list what is to be done.

    Nothing is changed without --apply. Relations to images that are gone, and boots of servers that are gone, are to be
    forgotten; boots of servers of the project in the credentials, that nobody recorded, are to be recorded. What is
    younger than an hour is left alone. Needs an administrator, [relation] nova_installation_uuid, and [relation]
    connection, which is Glance's.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take whether to do it."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--apply", action="store_true", help="Do what is listed.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Observe, plan, and with ``--apply`` do it."""
        from amphora_image.relation.reconcile import apply, observe, plan  # noqa: PLC0415 - heavy

        runtime = open_runtime(self.app.options)
        store, installation = _store(runtime), runtime.related.installation
        _demand_admin(runtime)
        steps = plan(installation, observe(installation, store, runtime.servers, runtime.images), datetime.now(UTC))
        if parsed_args.apply:
            apply(steps, store)
        rows = [
            (each.action, each.relation.instance_id, each.relation.image_id, each.relation.kind.value, each.reason)
            for each in steps
        ]
        return ("action", "instance_id", "image_id", "kind", "reason"), rows


def _store(runtime: Runtime) -> Any:
    """Open the database.

    :raises ConfigurationError: the extra is not installed, or no installation is named.
    """
    if not runtime.related.installation:
        remedy = "set [relation] nova_installation_uuid to that of this Nova"
        raise ConfigurationError("whose relations to reconcile is not said", remedy)
    try:
        from amphora_image.relation.database import Database, Settings  # noqa: PLC0415 - heavy
        from amphora_image.relation.store import RelationStore  # noqa: PLC0415 - heavy
    except ImportError as error:
        problem = f"the relations' database needs a package that is not installed: {error}"
        raise ConfigurationError(problem, "pip install 'amphora-image[relation]'") from error
    return RelationStore(Database(Settings.of(runtime.conf)))


def _demand_admin(runtime: Runtime) -> None:
    """Refuse who does not see every image, for whom what is not shown is not gone.

    :raises AccessDeniedError: the token has not the role admin.
    """
    from amphora_image.clients.session import roles  # noqa: PLC0415 - heavy

    if "admin" not in roles(runtime.session):
        raise AccessDeniedError("Glance", "see every image", "the token has not the role admin")
