# SPDX-License-Identifier: Apache-2.0
"""What ``publish`` does with its arguments: the publishers and the progress. Heavy: imported when it runs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TextIO

from amphora_image.clients.glance_import import GlanceImports
from amphora_image.clients.session import adapter, project_id
from amphora_image.config.options import AMPHORA_IMAGE, GLANCE
from amphora_image.errors import NoOwnerError
from amphora_image.publish.lock import check_lock
from amphora_image.publish.many import Outcome, Target, publish_to_all
from amphora_image.publish.progress import Lines, Progress
from amphora_image.publish.publish import Publisher
from amphora_image.publish.wait import Limits, Waiter

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.fanout import Stop
    from amphora_image.publish.order import Order
    from amphora_image.publish.source import Load


def publish_all(
    clouds: Mapping[str, tuple[cfg.ConfigOpts, Session]],
    load: Load,
    order: Order,
    limits: argparse.Namespace,
    out: TextIO,
) -> list[Outcome]:
    """Publish to each cloud; ``limits`` has the deadlines, ``out`` takes the progress.

    :raises ConfigurationError: the lock that the promotion after it needs cannot be used.
    :raises ServiceUnavailableError: its coordinator does not answer.
    """
    _check_locks(clouds, order.tag)

    def target(name: str, stop: Stop) -> Publisher:
        progress = _progress(out, name if len(clouds) > 1 else "")
        return _publisher(
            clouds[name], progress, Limits(phase_seconds=limits.deadline, stuck_seconds=limits.stuck_after), stop
        )

    return publish_to_all([Target(name=name, open=partial(target, name)) for name in clouds], load, order)


def check_clouds(clouds: Mapping[str, tuple[cfg.ConfigOpts, Session]], tag: str | None) -> None:
    """Make sure, before what takes long and ends in publishing, that each cloud knows us and its Glance answers.

    :raises ConfigurationError: the lock that the promotion to ``tag`` needs cannot be used.
    :raises NoOwnerError: the credentials are of no project.
    :raises AmphoraImageError: a service refuses us, or does not answer.
    """
    _check_locks(clouds, tag)
    for conf, session in clouds.values():
        seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
        _owner(session, seconds)
        GlanceImports(adapter(session, conf[GLANCE], "image"), deadline_seconds=seconds).methods()


def _check_locks(clouds: Mapping[str, tuple[cfg.ConfigOpts, Session]], tag: str | None) -> None:
    for conf, _ in clouds.values() if tag is not None else ():
        check_lock(conf[AMPHORA_IMAGE].promotion_lock_url)


def _publisher(cloud: tuple[cfg.ConfigOpts, Session], progress: Progress, limits: Limits, stop: Stop) -> Publisher:
    conf, session = cloud
    seconds = float(conf[AMPHORA_IMAGE].retry_deadline_seconds)
    glance = adapter(session, conf[GLANCE], "image")
    imports = GlanceImports(glance, deadline_seconds=seconds, answer_seconds=limits.stuck_seconds, sleep=stop.sleep)

    waiter = Waiter(imports, limits=limits, progress=progress, sleep=stop.sleep)
    return Publisher(
        imports, waiter, owner=partial(_owner, session, seconds), promote=_promote(conf, session), progress=progress
    )


def _owner(session: Session, seconds: float) -> str:
    if (found := project_id(session, deadline_seconds=seconds)) is None:
        raise NoOwnerError
    return found


def _promote(conf: cfg.ConfigOpts, session: Session) -> Callable[[str, str, str], object]:
    """Make what moves a tag; what it needs is loaded, and Keystone asked, when it is called."""

    def promote(image_id: str, tag: str, reason: str) -> object:
        from amphora_image.cli.promote import promoter_of  # noqa: PLC0415 - not needed without a tag
        from amphora_image.reference import TagReference  # noqa: PLC0415 - as above

        return promoter_of(conf, session, TagReference(tag)).promote(image_id, tag, reason=reason)

    return promote


def _progress(out: TextIO, label: str) -> Progress:
    """Draw bars where somebody looks on and there is but one of them; else write lines."""
    if label or not out.isatty():
        return Lines(out, label)
    from amphora_image.publish.bar import Bars  # noqa: PLC0415 - its library is for terminals alone

    return Bars(out)
