# SPDX-License-Identifier: Apache-2.0
"""``amphora-image show|fetch``: an image anywhere, by its reference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from cliff.show import ShowOne

if TYPE_CHECKING:
    import argparse

_REFERENCE_HELP = (
    "glance://tag/NAME, glance://UUID, https://HOST/PATH, http://…, file:///PATH, or any other scheme that an installed "
    "package reads; a bare word is a tag and a UUID an image id. What follows # pins the bytes: #sha256=DIGEST, "
    "#sha512=DIGEST or #checksum=URL."
)
_SHOW_EPILOG = (
    "The image is not downloaded, unless --digest is given. Examples: `amphora-image show "
    "glance://tag/amphora`; `amphora-image show https://images.example.org/amphora.qcow2`; `amphora-image show --digest "
    "file:///srv/images/amphora.qcow2 -f value -c digest` prints what to pin."
)
_FETCH_EPILOG = (
    "DEST appears when the image is whole, verified and safe, and not before; then the command ends with 0. After an "
    "interruption the same command goes on where the source can, over http(s) for example. file:// needs its folder in "
    "[image_file] allowed_roots. With [image_cache] path set, what has a digest is downloaded once for all. Examples: "
    "`amphora-image fetch https://images.example.org/amphora.qcow2#checksum=https://images.example.org/SHA256SUMS "
    "./amphora.qcow2`; `amphora-image fetch glance://tag/amphora ./amphora.qcow2`. exit codes besides the usual: 1 the "
    "bytes are not those of the pin, are unsafe, or DEST cannot be written; 6 the source broke off or changed: try again."
)


class Show(ShowOne):
    """Show what is known of an image anywhere: size, format, digests, time and properties.

    What the source does not say is empty. [amphora_image] image_properties and, for file://, a side file (the image's
    name with .yaml after it) say what only Glance knows by itself; where nobody says the format, the image's first bytes
    do.
    """

    _epilog = _SHOW_EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the reference."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("reference", metavar="REF", help=_REFERENCE_HELP)
        parser.add_argument(
            "--digest", action="store_true", help="Read all of the image to verify it and tell its sha256."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Ask the service, without downloading."""
        from amphora_image.cli.sources import open_source  # noqa: PLC0415 - heavy

        source = open_source(self.app.options, parsed_args.reference)
        info, pin = source.info, source.reference.pin
        names = ("reference", "size", "disk_format", "digests", "pin", "modified_at", "properties")
        modified = info.modified_at.isoformat() if info.modified_at else None
        told = (info.size, info.disk_format or source.look(), _Pairs(info.digests), str(pin) if pin else None, modified)
        values = [source.reference.shown, *told, _Pairs(info.properties)]
        if not parsed_args.digest:
            return names, values
        return (*names, "digest"), [*values, str(source.read_digest())]


class Fetch(ShowOne):
    """Put an image from anywhere into a file, verified.

    The bytes are compared with the pin and with what the source says of them; an image with a backing file, an external
    data file or another format than it is said to have is refused. Progress goes to stderr.
    """

    _epilog = _FETCH_EPILOG  # type: ignore[assignment]  # as above

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the reference and the destination."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument("reference", metavar="REF", help=_REFERENCE_HELP)
        parser.add_argument("destination", metavar="DEST", type=Path, help="File to make.")
        parser.add_argument("--overwrite", action="store_true", help="Replace DEST where it is a file already.")
        parser.add_argument("--no-cache", action="store_true", help="Leave the cache alone, if there is one.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Fetch, and show what lies there now."""
        from amphora_image.cli.sources import open_source  # noqa: PLC0415 - heavy
        from amphora_image.services.fetch import check_destination  # noqa: PLC0415 - heavy

        destination = parsed_args.destination
        check_destination(destination, overwrite=parsed_args.overwrite)
        source = open_source(self.app.options, parsed_args.reference)
        done = source.bring(destination, self.app.stderr, use_cache=not parsed_args.no_cache)
        names = ("reference", "path", "size", "disk_format", "digest", "resumed_at")
        digest = str(done.digest) if done.digest else None
        return names, [source.reference.shown, str(done.path), done.size, done.disk_format, digest, done.resumed_at]


class _Pairs(FormattableColumn[Any]):
    """Pairs: a line each for people, an object for programs."""

    def human_readable(self) -> str:
        return "\n".join(f"{key}={value}" for key, value in self._value.items())

    def machine_readable(self) -> dict[str, str]:
        return dict(self._value)
