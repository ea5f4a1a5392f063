# SPDX-License-Identifier: Apache-2.0
"""``amphora-image promote|rollback|quarantine|history``: which image a tag leads to, and which it led to."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from cliff.lister import Lister
from cliff.show import ShowOne

from amphora_image.cli.context import columns, open_session
from amphora_image.errors import InvalidReferenceError

if TYPE_CHECKING:
    import argparse

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.promote import Promoter, Promotion
    from amphora_image.reference import IdReference, TagReference

_SHOWN = ("tag", "image_id", "former_id", "number", "at", "by", "reason", "changed")
_EPILOG = (
    "exit codes besides the usual: 3 another promotion of the same moment holds the tag; 4 the image may not be booted, "
    "or there is none to go back to; 6 another promotion holds the lock, or Glance gives no answer: try again. After an "
    "interruption the same command again finishes what was begun."
)


class Promote(ShowOne):
    """Make an image the only holder of a tag; at every moment an image that may be booted has it.

    The image is tagged first, and read back; then the others of the trusted project lose the tag. The image and the
    former holder are protected from being deleted. Promoting the holder again changes nothing.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the image, the tag and why."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_image(parser)
        _add_tag(parser)
        _add_reason(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Promote, and show who holds the tag since when."""
        image, tag = _image(parsed_args.image), _tag(parsed_args.tag)
        promoter = open_promoter(self.app.options, tag)
        return self._told(promoter.promote(image.image_id, tag.tag, reason=parsed_args.reason))

    def _told(self, done: Promotion) -> tuple[tuple[str, ...], list[Any]]:
        if not done.changed:
            self.app.stderr.write(f"nothing to do: image {done.image_id} holds tag {done.tag!r} since {done.at}\n")
        return columns(done, _SHOWN)


class Rollback(Promote):
    """Give a tag back to the image that held it before, after checking that this may be booted.

    Doing it again changes nothing: to go back further, promote one of the images that `history` shows.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the tag and why."""
        parser: argparse.ArgumentParser = super(Promote, self).get_parser(prog_name)
        _add_tag(parser)
        _add_reason(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Roll back, and show who holds the tag since when."""
        from amphora_image.publish.rollback import rollback  # noqa: PLC0415 - heavy

        tag = _tag(parsed_args.tag)
        return self._told(rollback(open_promoter(self.app.options, tag), tag.tag, reason=parsed_args.reason))


class Quarantine(ShowOne):
    """Take an image out of use: its tags go to their former holders, then it is hidden and untagged.

    It cannot be promoted until somebody lifts the quarantine. Servers that run it are left alone: replace them by
    failovers. Nothing is changed where a tag would lead to no image any more, unless --leave-empty is given.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # as above

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the image, why, and whether tags may be left empty."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_image(parser)
        _add_reason(parser, required=True)
        parser.add_argument(
            "--leave-empty", action="store_true", help="Go on where a tag has no former holder that may be booted."
        )
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Put the image into quarantine, and show where its tags went."""
        from amphora_image.publish.quarantine import quarantine  # noqa: PLC0415 - heavy

        image = _image(parsed_args.image)
        done = quarantine(
            open_promoter(self.app.options, image),
            image.image_id,
            reason=parsed_args.reason,
            leave_empty=parsed_args.leave_empty,
        )
        if not done.changed:
            self.app.stderr.write(f"nothing to do: image {done.image_id} is in quarantine\n")
        names, values = columns(done, ("image_id", "reason", "emptied", "changed"))
        return (*names, "moved"), [*values[:2], list(values[2]), *values[3:], _Moved(done.moved)]


class History(Lister):
    """Show who promoted which image to a tag when, from which and why; the latest first.

    It is kept in the images' own properties: the last ten promotions, and those that other images remember.
    """

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take the tag."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        _add_tag(parser)
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
        """Read what the images remember."""
        from amphora_image.publish.history import observe  # noqa: PLC0415 - heavy

        tag = _tag(parsed_args.tag)
        promoter = open_promoter(self.app.options, tag)
        entries = observe(promoter.store, tag.tag, promoter.rules.owner).entries
        if not entries:
            self.app.stderr.write(f"no promotion to tag {tag.tag!r} is known\n")
        rows = [(one.number, one.at, one.action, one.former, one.to, one.by, one.reason) for one in reversed(entries)]
        return ("number", "at", "action", "from", "to", "by", "reason"), rows


class _Moved(FormattableColumn[Any]):
    """Promotions: a line each for people, objects for programs."""

    def human_readable(self) -> str:
        return "\n".join(f"{one.tag}: {one.image_id}" for one in self._value)

    def machine_readable(self) -> list[dict[str, Any]]:
        return [{name: getattr(one, name) for name in _SHOWN} for one in self._value]


def open_promoter(options: argparse.Namespace, reference: TagReference | IdReference) -> Promoter:
    """Make a promoter as the ini and the credentials say, for what a command's ``reference`` is about.

    :raises AmphoraImageError: the configuration cannot be used, or Keystone refuses or gives no answer.
    """
    return promoter_of(*open_session(options), reference)


def promoter_of(conf: cfg.ConfigOpts, session: Session, reference: TagReference | IdReference) -> Promoter:
    """Make a promoter in the cloud of ``session``.

    :raises AmphoraImageError: Keystone refuses or gives no answer.
    """
    from amphora_image.clients.glance_tags import GlanceTags  # noqa: PLC0415 - heavy
    from amphora_image.clients.session import adapter, user  # noqa: PLC0415 - heavy
    from amphora_image.config.options import AMPHORA_IMAGE, GLANCE  # noqa: PLC0415 - heavy
    from amphora_image.config.policy import Policy, Wanted  # noqa: PLC0415 - heavy
    from amphora_image.publish.entry import author  # noqa: PLC0415 - heavy
    from amphora_image.publish.lock import promotion_lock  # noqa: PLC0415 - heavy
    from amphora_image.publish.promote import Pace, Promoter  # noqa: PLC0415 - heavy
    from amphora_image.resolve import resolver_of  # noqa: PLC0415 - heavy

    ours = conf[AMPHORA_IMAGE]
    seconds = float(ours.retry_deadline_seconds)
    return Promoter(
        GlanceTags(adapter(session, conf[GLANCE], "image"), deadline_seconds=seconds),
        rules=resolver_of(conf, session).rules(Wanted(reference, "the command line"), Policy.of(conf)),
        by=author(*user(session, deadline_seconds=seconds)),
        lock=partial(promotion_lock, ours.promotion_lock_url, wait_seconds=ours.promotion_lock_wait_seconds),
        pace=Pace(deadline_seconds=seconds),
    )


def _image(text: str) -> IdReference:
    """Read which image is meant: one by its id, since a tag moves and a name may be many images'.

    :raises InvalidReferenceError: it is none.
    """
    from amphora_image.reference import IdReference, Reference  # noqa: PLC0415 - heavy

    remedy = "give the id; `openstack image list` shows it"
    try:
        reference = Reference.parse(text)
    except InvalidReferenceError as error:
        raise InvalidReferenceError(text, error.reason, remedy) from error
    if not isinstance(reference, IdReference):
        raise InvalidReferenceError(text, "an image is named by its id here", remedy)
    if reference.pin is not None:
        raise InvalidReferenceError(
            text, "a pin is not compared here", "give the id alone, after `resolve` with the pin"
        )
    return reference


def _tag(text: str) -> TagReference:
    """Read the tag, which may be written as a reference, and check that Glance's route takes it.

    :raises InvalidReferenceError: it is none.
    :raises ConfigurationError: it cannot be moved.
    """
    from amphora_image.clients.glance_tags import check_movable  # noqa: PLC0415 - heavy
    from amphora_image.reference import TagReference  # noqa: PLC0415 - heavy

    return TagReference(check_movable(text))


def _add_image(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", metavar="IMAGE", help="UUID or glance://UUID; a name is not taken.")


def _add_tag(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tag", metavar="TAG", required=True, help="The tag, as it is in Glance.")


def _add_reason(parser: argparse.ArgumentParser, *, required: bool = False) -> None:
    parser.add_argument(
        "--reason", metavar="TEXT", required=required, default="", help="Why; kept for `history`, 200 characters."
    )
