# SPDX-License-Identifier: Apache-2.0
"""What the commands on a reference share: from its text to the service that reads it. Heavy: imported when one runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, TextIO

from amphora_image.cli.context import session_of
from amphora_image.config import load
from amphora_image.config.options import AMPHORA_IMAGE
from amphora_image.config.policy import Policy, Wanted
from amphora_image.contents import Inspector
from amphora_image.reference import IdReference, Pin, Reference, TagReference
from amphora_image.resolve import resolver_of
from amphora_image.services.cache import Cache
from amphora_image.services.fetch import fetch
from amphora_image.services.metadata import with_defaults
from amphora_image.services.registry import Services, Surroundings

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.progress import Progress
    from amphora_image.services.base import ImageInfo, ImageService
    from amphora_image.services.fetch import Fetched


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An image that a command works on: ``reference`` is concrete, and ``service`` reads it; ``info`` it told."""

    conf: cfg.ConfigOpts
    service: ImageService
    reference: Reference
    info: ImageInfo

    def look(self) -> str:
        """Tell the disk format that the image's first bytes show, or all of them where it has few.

        :raises UnsafeImageError: nobody should boot it.
        """
        inspector = Inspector()
        with self.service.read(self.reference) as blocks:
            for block in blocks:
                inspector.feed(block)
                if inspector.format is not None:
                    break
        return inspector.finish()

    def bring(self, destination: Path, out: TextIO, *, use_cache: bool = True) -> Fetched:
        """Put the image into the file ``destination``, verified; progress goes to ``out``.

        :raises AmphoraImageError: as :func:`~amphora_image.services.fetch.fetch`.
        """
        cache = Cache.of(self.conf) if use_cache else None
        service = cache.before(self.service, self.reference, self.info) if cache else self.service
        progress = _Counted(_progress(out))
        progress.begin(f"fetching {self.reference.shown}", self.info.size)
        try:
            return fetch(service, self.reference, destination, declared=self.info.disk_format, progress=progress)
        finally:
            progress.end()

    def read_digest(self) -> Pin:
        """Read, and so verify, all of the image; give its sha256."""
        digest = hashlib.sha256()
        with self.service.read(self.reference) as blocks:
            for block in blocks:
                digest.update(block)
        return Pin("sha256", digest.hexdigest())


def open_source(options: argparse.Namespace, text: str) -> Source:
    """Find the image that ``text`` names: resolve a tag, read a checksum file, and ask what is known of the image.

    Keystone is asked for nothing unless the image is in Glance.

    :raises InvalidReferenceError: the text is no reference.
    :raises AmphoraImageError: there is no such image, or it may not be read.
    """
    reference = Reference.parse(text, bare_word_is_tag=True)
    conf = load(options.config_file, options.config_dir)

    @cache
    def session() -> Session:
        return session_of(options, conf)

    if isinstance(reference, TagReference):
        wanted = Wanted.of(reference, "the command line")
        image = resolver_of(conf, session()).resolve(wanted, Policy.of(conf))
        reference = IdReference(image.id, pin=reference.pin)
    services = Services(Surroundings(conf, session))
    settled = services.settled(reference)
    service = services.of(settled)
    info = service.stat(settled)
    if not isinstance(settled, IdReference):
        info = with_defaults(info, conf[AMPHORA_IMAGE].image_properties)
    return Source(conf=conf, service=service, reference=settled, info=info)


class _Counted:
    """Adds up what is told piece by piece."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self.begin, self.end = progress.begin, progress.end
        self._done = 0

    def __call__(self, count: int) -> None:
        self._done += count
        self._progress.moved(self._done)


def _progress(out: TextIO) -> Progress:
    """Draw a bar where somebody looks on; else write lines."""
    if out.isatty():
        from amphora_image.publish.bar import Bars  # noqa: PLC0415 - its library is for terminals alone

        return Bars(out)
    from amphora_image.publish.progress import Lines  # noqa: PLC0415 - not for --help

    return Lines(out)
