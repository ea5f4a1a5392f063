# SPDX-License-Identifier: Apache-2.0
"""``amphora-image related images|instances`` and ``installation-uuid generate``."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from cliff.lister import Lister
from cliff.show import ShowOne

from amphora_image.cli.context import open_runtime, wanted_by
from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    import argparse

    from amphora_image.drivers.runtime import Runtime
    from amphora_image.relation.client import InstanceAwareImageService

_IMAGES_EPILOG = (
    "Example: `amphora-image related images --instance ID --kind backup -f json`. Which images are shown is for Glance "
    "to say, by the rights of whoever asks."
)
_INSTANCES_EPILOG = "Example: `amphora-image related instances --image amphora -f value -c instance_id`."
_KINDS = ("boot", "snapshot", "backup")


class Generate(ShowOne):
    """Make a UUID for an installation of Nova, and print the line for the ini that names it.

    Each Nova needs one of its own, once: write it into the ini of all that boot servers there, and into [relation]
    installations of each Glance that it uses.
    """

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[str]]:
        """Make it; nothing is sent or kept."""
        del parsed_args
        made = uuid.uuid4()
        option = f"--nova-installation-uuid={made}"
        return ("ini", "option"), [f"[relation]\nnova_installation_uuid = {made}", option]


class Images(Lister):
    """List the images of an instance, the newest first: what it was booted from, its snapshots and its backups."""

    _epilog = _IMAGES_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the instance and the kind."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("--instance", metavar="ID", required=True, help="UUID of the instance.")
        parser.add_argument("--kind", choices=_KINDS, help="Only images of this kind.")
        _take_installation(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Ask Glance kind by kind, since an image does not say of which it is."""
        from amphora_image.relation.values import Kind, parse_uuid  # noqa: PLC0415 - heavy

        instance_id = parse_uuid(parsed_args.instance, "--instance")
        service = _service(open_runtime(self.app.options), parsed_args.nova_installation_uuid)
        kinds = [Kind(parsed_args.kind)] if parsed_args.kind else list(Kind)
        found = [(image, kind) for kind in kinds for image in service.images(instance_id, kind)]
        found.sort(key=lambda each: each[0].age_key)
        rows = [
            (
                image.id,
                image.name,
                kind.value,
                image.status,
                image.created_at and image.created_at.isoformat(),
                image.size,
            )
            for image, kind in found
        ]
        return ("id", "name", "kind", "status", "created", "size"), rows


class Instances(Lister):
    """List the instances of an image, in every installation, the newest first: what runs it and what it was made of.

    With --stale --tag, list instead the amphorae that do not run what the tag means now, and those of which it is not
    known: Octavia's where the cloud has one, else the servers of the project, by their relations. Ends then with 0 if
    there are none, with 1 if some are stale, and with 2 if of some it is only not known.
    """

    _exit_code = 0
    _epilog = _INSTANCES_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the image."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("--image", metavar="REF", help="ID, or TAG or glance://…, which is resolved.")
        which.add_argument("--tag", metavar="TAG", help="With --stale: the tag that amphorae are booted by.")
        parser.add_argument("--stale", action="store_true", help="List the amphorae that do not run the tag's image.")
        _take_installation(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Resolve the reference, unless it is an id, and ask Glance.

        :raises ConfigurationError: of --stale and --tag there is only one.
        """
        if parsed_args.stale != bool(parsed_args.tag):
            raise ConfigurationError("--stale and --tag belong together", "give both, or --image alone")
        runtime = open_runtime(self.app.options)
        if parsed_args.stale:
            from amphora_image.cli.related_stale import COLUMNS, stale  # noqa: PLC0415 - for this alone

            self._exit_code, found = stale(runtime, parsed_args.tag)
            return COLUMNS, found
        service = _service(runtime, parsed_args.nova_installation_uuid, everywhere=True)
        rows = [
            (
                each.relation.instance_id,
                each.relation.installation,
                each.relation.kind.value,
                each.relation.image_id,
                each.created_at.isoformat(),
            )
            for each in service.relations(_image_id(runtime, parsed_args.image))
        ]
        return ("instance_id", "installation", "kind", "image_id", "recorded"), rows

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 1 or 2 when amphorae are stale, or of which it is not known."""
        super().run(parsed_args)
        return self._exit_code


def _take_installation(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--nova-installation-uuid",
        metavar="UUID",
        help="Only of this installation of Nova.",
    )


def _service(runtime: Runtime, installation: str | None, *, everywhere: bool = False) -> InstanceAwareImageService:
    """Give the relations of the installation that is named, else of the ini's, or of all of them.

    :raises InvalidRelationError: it is no UUID.
    """
    from amphora_image.relation.values import parse_uuid  # noqa: PLC0415 - heavy

    if installation is not None:
        return runtime.related_of(parse_uuid(installation, "--nova-installation-uuid"))
    return runtime.related_of("") if everywhere else runtime.related


def _image_id(runtime: Runtime, text: str) -> str:
    """Give the image that is meant: an id as it is, also of one that may no longer be booted; else what it resolves to.

    :raises NoImageError: it resolves to nothing.
    """
    from amphora_image.reference import IdReference  # noqa: PLC0415 - heavy

    wanted = wanted_by(runtime.policy, text)
    if isinstance(wanted.reference, IdReference):
        return wanted.reference.image_id
    return runtime.resolver.resolve(wanted, runtime.policy).id
