# SPDX-License-Identifier: Apache-2.0
"""``amphora-image resolve``: which image a build would boot now, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from cliff.show import ShowOne

from amphora_image.cli.context import columns, open_session, wanted_by
from amphora_image.errors import NoImageError

if TYPE_CHECKING:
    import argparse

    from amphora_image.models import Image

_SHOWN = (
    "id",
    "name",
    "owner",
    "created_at",
    "size",
    "hash_algo",
    "hash_value",
    "disk_format",
    "min_disk",
    "min_ram",
    "tags",
    "chosen_by",
)


class Resolve(ShowOne):
    """Show the image that a build would boot now.

    Without an argument that is what the configuration asks for. A bare word is a tag, a UUID an image id. A tag that
    looks like either, or has ://, is written percent-encoded: glance://tag/a%2Fb. With #sha512=DIGEST at its end only
    the image with that digest will do. Ends with 4 when no image may be booted.
    """

    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the reference and how much to tell."""
        parser = super().get_parser(prog_name)
        parser.add_argument(
            "reference", nargs="?", metavar="REFERENCE", help="TAG, ID or glance://…, maybe with #sha512=DIGEST."
        )
        parser.add_argument(
            "--explain", action="store_true", help="Judge every candidate, foreign, hidden and inactive ones too."
        )
        parser.add_argument("--zone", metavar="ZONE", help="Nova availability zone, for zone_image_tags.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Resolve as a build would; with ``--explain`` show all verdicts, also when none may be booted."""
        from amphora_image.config.policy import Policy  # noqa: PLC0415 - heavy
        from amphora_image.resolve import resolver_of  # noqa: PLC0415 - heavy

        conf, session = open_session(self.app.options)
        resolver, policy = resolver_of(conf, session), Policy.of(conf)
        wanted = wanted_by(policy, parsed_args.reference, parsed_args.zone)
        if not parsed_args.explain:
            return _shown(resolver.resolve(wanted, policy))
        choice = resolver.explain(wanted, policy)
        try:
            names, values = _shown(resolver.resolve(wanted, policy))
        except NoImageError as error:
            self.app.LOG.error(error)  # noqa: TRY400 - told in one line, as every error is
            self._exit_code = error.exit_code
            names, values = _SHOWN, [None] * len(_SHOWN)
        return (*names, "candidates"), [*values, _Verdicts(choice.verdicts)]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 4 when the explanation is that no image may be booted."""
        super().run(parsed_args)
        return self._exit_code


class _Verdicts(FormattableColumn[Any]):
    """Verdicts: a line each for people, objects for programs."""

    def human_readable(self) -> str:
        return "\n".join(str(verdict) for verdict in self._value)

    def machine_readable(self) -> tuple[dict[str, Any], ...]:
        return tuple(
            {
                "id": one.candidate.id,
                "name": one.candidate.name,
                "owner": one.candidate.owner,
                "status": one.candidate.status,
                "visibility": one.candidate.visibility,
                "chosen": not one.reason,
                "reason": one.reason,
            }
            for one in self._value
        )


def _shown(image: Image) -> tuple[tuple[str, ...], list[Any]]:
    names, values = columns(image, _SHOWN)
    values[_SHOWN.index("created_at")] = image.created_at.isoformat() if image.created_at else None
    values[_SHOWN.index("tags")] = list(image.tags)
    return names, values
