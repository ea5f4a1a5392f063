# SPDX-License-Identifier: Apache-2.0
"""``https://`` and ``http://``: an image on a web server."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from amphora_image.config.web import WebRules
from amphora_image.errors import SourceForbiddenError
from amphora_image.reference import UrlReference
from amphora_image.services.base import ImageInfo
from amphora_image.services.digest import Expected, verified
from amphora_image.services.web.answers import check_answer, modified_at, stated_length, strong_etag
from amphora_image.services.web.download import Download, patiently
from amphora_image.services.web.request import BLOCK_BYTES, Way, asked
from amphora_image.services.web.wire import Net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from oslo_config import cfg

    from amphora_image.reference import Reference
    from amphora_image.services.base import Part
    from amphora_image.services.registry import Surroundings

#: Statuses by which servers say that they know no HEAD; a signed URL for GET alone answers 403.
_NO_HEAD = frozenset({403, 405, 501})


class HttpService:
    """Reads images from web servers, by ``[image_http]`` in ``conf`` as it is at each call. Thread-safe.

    All methods raise :class:`SourceForbiddenError` (our own rules), :class:`SourceRefusedError`,
    :class:`SourceNotFoundError` or :class:`SourceUnavailableError` (the server), and :class:`ConfigurationError`.
    """

    def __init__(self, conf: cfg.ConfigOpts, net: Net | None = None) -> None:
        self._conf = conf
        self._net = net or Net()

    def stat(self, reference: Reference) -> ImageInfo:
        """Ask the server what it knows, without the body; what passes is tried again."""
        own, way = self._begun(reference)
        return patiently(way, lambda: self._stat(own, way))

    @contextmanager
    def read(self, reference: Reference) -> Iterator[Iterator[bytes]]:
        """Open the image for one reading; a cut is mended by a request for the rest.

        :raises DigestMismatchError: in the last step, where the bytes are not those of the pin.
        :raises SourceChangedError: after a cut the server has another version.
        """
        own, way = self._begun(reference)
        with (
            Download(own, way) as download,
            verified(download.blocks(), Expected(own, size=download.size)) as blocks,
        ):
            blocks.etag = download.etag
            yield blocks

    @contextmanager
    def resume(self, reference: Reference, part: Part) -> Iterator[Iterator[bytes]]:
        """Open what follows ``part``, which is hashed first.

        :raises SourceChangedError: the server has another version than ``part.etag``.
        :raises DigestMismatchError: in the last step, where the bytes of all are not those of the pin.
        """
        own, way = self._begun(reference)
        with (
            part.path.open("rb") as held,
            Download(own, way, offset=part.path.stat().st_size, known_version=part.etag) as download,
            verified(download.blocks(), Expected(own, size=download.size)) as blocks,
        ):
            while block := held.read(BLOCK_BYTES):
                blocks.feed(block)
            blocks.etag = part.etag
            yield blocks

    def _stat(self, own: UrlReference, way: Way) -> ImageInfo:
        with asked("HEAD", own, {}, way) as answer:
            if answer.status not in _NO_HEAD:
                check_answer(own, answer)
                return ImageInfo(
                    size=stated_length(answer),
                    modified_at=modified_at(answer),
                    etag=strong_etag(answer) or None,
                )
        with asked("GET", own, {}, way) as answer:
            check_answer(own, answer)
            return ImageInfo(size=answer.length, modified_at=modified_at(answer), etag=strong_etag(answer) or None)

    def _begun(self, reference: Reference) -> tuple[UrlReference, Way]:
        """Begin one piece of work: by the rules as they are now, against the deadline from now on."""
        if not isinstance(reference, UrlReference):
            raise TypeError(f"{reference.shown} is on no web server")
        rules = WebRules.of(self._conf)
        if reference.scheme == "http" and reference.pin is None and not rules.allow_unpinned_http:
            remedy = "use https://, pin it with #sha256=DIGEST, or set allow_unpinned_http in [image_http]"
            raise SourceForbiddenError(reference.shown, "over http:// anybody on the way can change it", remedy)
        return reference, Way(rules=rules, net=self._net, ends_at=self._net.clock() + rules.total_deadline_seconds)


def make(surroundings: Surroundings) -> HttpService:
    """Make the service of ``http`` and ``https``, for the entry points."""
    return HttpService(surroundings.conf)
