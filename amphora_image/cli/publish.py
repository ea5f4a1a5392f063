# SPDX-License-Identifier: Apache-2.0
"""``amphora-image publish``: a file, or an image elsewhere, into Glance, verified, and the tag to it."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from cliff.lister import Lister

from amphora_image.cli.context import open_sessions, seconds

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.many import Outcome
    from amphora_image.publish.order import Order
    from amphora_image.publish.source import Load

_SHOWN = ("cloud", "id", "disk_format", "size", "sha512", "method", "verified_by", "stores", "tag", "outcome")
_METHODS = ("auto", "upload", "glance-direct", "web-download", "copy-image")
_VISIBILITIES = ("private", "shared", "community", "public")
_EPILOG = (
    "The image is made private and without a tag, under its final name; it gets its properties, its visibility and its "
    "tag only when Glance is seen to hold the very bytes that were sent. Whatever fails before deletes it; what a crash "
    "leaves is removed by the same command. Run it again after any failure: an image that is whole already is not sent "
    "anew. Examples: `amphora-image publish amphora.qcow2 --name amphora-2026.1 --tag amphora`; `amphora-image publish "
    "https://images.example.org/amphora.qcow2#sha256=DIGEST --name amphora-2026.1` sends it on while it downloads and "
    "verifies it; `… --method web-download --sha512 HEX --disk-format qcow2` has Glance fetch it instead; "
    "`amphora-image publish REF --name NAME --os-cloud east --os-cloud west` reads REF once for both. "
    "With several clouds the exit code is the highest of theirs."
)


class Publish(Lister):
    """Put an image into Glance, verify it there, and move the tag to it.

    What REF names is looked into before it is sent: an image with a backing file, an external data file or another format
    than --disk-format is refused. An image on a web server goes straight on into Glance, without a copy in between; its
    pin and the rules of [image_http] hold as for `amphora-image fetch`, those of [image_file] for file://. A side file
    and [amphora_image] image_properties say what the options do not. Progress goes to stderr.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the image, what the image shall be, and the way it shall take."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "reference",
            metavar="REF",
            help="Path of an image file, https://HOST/PATH, http://…, file:///PATH, or any other scheme but glance:// that "
            "`amphora-image fetch` reads; #sha256=DIGEST, #sha512=DIGEST or #checksum=URL after it pins the bytes.",
        )
        parser.add_argument("--name", required=True, metavar="NAME", help="The image's name.")
        parser.add_argument("--tag", metavar="TAG", help="Promote the image to TAG once it is verified.")
        parser.add_argument("--reason", default="", metavar="TEXT", help="With --tag: why, for its history.")
        parser.add_argument("--disk-format", metavar="FORMAT", help="raw, qcow2, ...; detected when left out.")
        parser.add_argument("--container-format", default="bare", metavar="FORMAT", help="Default: bare.")
        parser.add_argument(
            "--property",
            dest="properties",
            type=_property,
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="Property of the image, min_disk and min_ram too; may be repeated. img_signature and the like are set "
            "at once, so that Glance verifies the signature.",
        )
        parser.add_argument("--visibility", choices=_VISIBILITIES, default="private", help="Default: private.")
        parser.add_argument("--sha512", type=_sha512, metavar="HEX", help="What the bytes have to hash to.")
        self._add_way(parser)
        return parser

    def _add_way(self, parser: argparse.ArgumentParser) -> None:
        group = parser.add_argument_group("the way into Glance")
        group.add_argument(
            "--method",
            choices=_METHODS,
            default="auto",
            help="Default: auto, the cheapest that is safe; it says which and why. web-download has Glance fetch an http(s) "
            "URL, which auto does not: where redirects would lead Glance cannot be judged here.",
        )
        into = group.add_mutually_exclusive_group()
        into.add_argument(
            "--store", dest="stores", action="append", default=[], metavar="ID", help="Glance store; may be repeated."
        )
        into.add_argument("--all-stores", action="store_true", help="Put it into every store that can be written to.")
        group.add_argument(
            "--all-stores-must-succeed",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="Whether one store that fails fails the import (default: yes).",
        )
        group.add_argument(
            "--accept-server-conversion",
            action="store_true",
            help="Keep an image that the cloud converted on import, although its hash then says nothing of the file.",
        )
        group.add_argument(
            "--deadline",
            type=seconds,
            default=3600.0,
            metavar="SECONDS",
            help="For sending, and for an import, each in all (default: 3600).",
        )
        group.add_argument(
            "--stuck-after",
            type=seconds,
            default=600.0,
            metavar="SECONDS",
            help="How long Glance may tell of nothing new (default: 600).",
        )

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Look into the image once, then publish it to each cloud at the same time."""
        from amphora_image.cli.publishing import publish_all  # noqa: PLC0415 - heavy

        order, clouds = _order(parsed_args), open_sessions(self.app.options)
        load, order = _prepared(parsed_args.reference, order, next(iter(clouds.values())))
        outcomes = publish_all(clouds, load, order, parsed_args, self.app.stderr)
        failures = [each.error for each in outcomes if each.error is not None]
        if failures and len(outcomes) == 1:
            raise failures[0]
        for each in outcomes:
            if each.error is not None:
                self.app.LOG.error("amphora-image: cloud %s: %s", each.cloud, each.error)
        self._exit_code = max((each.exit_code for each in failures), default=0)
        return _SHOWN, [_row(each) for each in outcomes]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with the worst code of all clouds."""
        return super().run(parsed_args) or self._exit_code


def _order(parsed_args: argparse.Namespace) -> Order:
    from amphora_image.publish.order import Order  # noqa: PLC0415 - heavy

    return Order(
        name=parsed_args.name,
        tag=parsed_args.tag,
        disk_format=parsed_args.disk_format,
        container_format=parsed_args.container_format,
        properties=dict(parsed_args.properties),
        visibility=parsed_args.visibility,
        sha512=parsed_args.sha512,
        method=parsed_args.method,
        stores=tuple(parsed_args.stores),
        all_stores=parsed_args.all_stores,
        all_stores_must_succeed=parsed_args.all_stores_must_succeed,
        accept_conversion=parsed_args.accept_server_conversion,
        reason=parsed_args.reason,
    )


def _prepared(text: str, order: Order, cloud: tuple[cfg.ConfigOpts, Session]) -> tuple[Load, Order]:
    """Look into the image that ``text`` names: the path of a file, or a reference, which takes more to read.

    :raises AmphoraImageError: it cannot be read, may not be, or nobody should boot it.
    """
    if "://" in text:
        from amphora_image.cli.loading import prepared  # noqa: PLC0415 - heavy

        return prepared(text, order, cloud)
    from amphora_image.publish.body import disk_format  # noqa: PLC0415 - heavy
    from amphora_image.publish.source import FileSource, Load  # noqa: PLC0415 - heavy

    source = FileSource(text)
    return Load(disk_format=disk_format(source, order.disk_format), source=source), order


def _row(outcome: Outcome) -> tuple[Any, ...]:
    done = outcome.published
    if done is None:
        return (outcome.cloud, *[None] * (len(_SHOWN) - 2), str(outcome.error))
    stores = ",".join(done.stores)
    told = [done.why]
    told += [f"not in {', '.join(done.failed_stores)}"] if done.failed_stores else []
    told += [f"removed {', '.join(done.removed)}, left half made"] if done.removed else []
    told += [f"{', '.join(done.found)} may be in the making by another run"] if done.found else []
    what = (done.id, done.disk_format, done.size, _Hash(done.sha512))
    return (outcome.cloud, *what, done.method, done.verified_by, stores, done.tag, "; ".join(told))


class _Hash(FormattableColumn[str]):
    """A hash: its beginning for people, all of it for programs."""

    def human_readable(self) -> str:
        return f"{self._value[:12]}..."


def _property(text: str) -> tuple[str, str]:
    """Read KEY=VALUE.

    :raises argparse.ArgumentTypeError: it is not of that form.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return name, value


def _sha512(text: str) -> str:
    """Read a sha512 in hexadecimal.

    :raises argparse.ArgumentTypeError: it is none.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{128}", text):
        raise argparse.ArgumentTypeError("a sha512 has 128 hexadecimal digits")
    return text.lower()
