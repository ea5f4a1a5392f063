# SPDX-License-Identifier: Apache-2.0
"""One image's bytes from a web server: after a cut they go on where it was, if they are still those of one version."""

from __future__ import annotations

import contextlib
import logging
import random
import re
from typing import TYPE_CHECKING, Self, TypeVar

from amphora_image.errors import SourceChangedError, SourceRefusedError, SourceUnavailableError
from amphora_image.services.web.answers import NO_RANGE, OK, check_answer, strong_etag, version
from amphora_image.services.web.request import Answer, Way, asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.reference import UrlReference

LOG = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE_SECONDS, _LAST_PAUSE_SECONDS = 0.05, 8.0
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-[0-9]{1,18}|\*)/([0-9]{1,18}|\*)")


class Download:
    """The body of one image; a context manager, inside which :meth:`blocks` gives it, once. Not thread-safe.

    With ``offset`` it begins there, and ``known_version`` says of which version. ``size`` is that of the whole in
    bytes, ``etag`` its strong ETag, each None where the server does not say.
    """

    def __init__(self, reference: UrlReference, way: Way, *, offset: int = 0, known_version: str = "") -> None:
        self._reference = reference
        self._way = way
        self._offset = offset
        self._version = known_version
        self._answer: Answer | None = None
        self._open = contextlib.ExitStack()
        self._patience = _Patience(way)
        self.size: int | None = None
        self.etag: str | None = None

    def __enter__(self) -> Self:
        """Ask for it, and ask again what may pass.

        :raises AmphoraImageError: as :meth:`blocks`, and where there is no image, or none that may be read.
        """
        self._ask()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def blocks(self) -> Iterator[bytes]:
        """Give the bytes after the offset, to the end, and go on after a cut.

        :raises SourceUnavailableError: nothing more came within the deadlines.
        :raises SourceChangedError: after a cut the server has another version.
        :raises SourceRefusedError: there is more than the rules, or the server itself, said.
        """
        while True:
            try:
                for block in self._answer.blocks() if self._answer else ():
                    self._offset += len(block)
                    self._check_size(self._offset)
                    self._patience.renew()
                    yield block
                return
            except SourceUnavailableError as error:
                if not self._version and self._reference.pin is None:
                    raise  # nothing would tell whether what follows is of the same version
                self._patience.wait(error)
                self._ask()

    def _ask(self) -> None:
        """Open an answer that begins at the offset; a passing fault is no end."""
        while True:
            try:
                self._open.close()
                self._answer = self._ask_once()
                return
            except SourceUnavailableError as error:
                self._open.close()
                self._patience.wait(error)
            except BaseException:
                self._open.close()
                raise

    def _ask_once(self) -> Answer | None:
        headers = {"Range": f"bytes={self._offset}-"} if self._offset else {}
        if self._offset and self._version:
            headers["If-Range"] = self._version
        answer = self._open.enter_context(asked("GET", self._reference, headers, self._way))
        check_answer(self._reference, answer, ranged=bool(headers))
        begins_at, size = self._place(answer)
        found = version(answer)
        if self._version and found != self._version and (found or answer.status == OK):
            raise SourceChangedError(self._reference.shown, "the server has another version now")
        if self.size is not None and size != self.size:
            raise SourceChangedError(self._reference.shown, f"it had {self.size} bytes and has {size} now")
        if size is None and not answer.chunked and self._reference.pin is None and answer.status == OK:
            detail = "the server tells no length, so that a cut could not be told from the end"
            raise SourceRefusedError(self._reference.shown, detail, "pin it with #sha256=DIGEST")
        self._check_size(size or 0)
        self.size = size
        self._version = self._version or found
        self.etag = strong_etag(answer) or None
        if begins_at is None:
            return None
        answer.skip(self._offset - begins_at)
        return answer

    def _place(self, answer: Answer) -> tuple[int | None, int | None]:
        """Say where an answer's body begins, None where the image ended before, and how large the whole is.

        :raises SourceRefusedError: it is another range than was asked for.
        """
        if answer.status == OK:
            return 0, answer.length
        found = _CONTENT_RANGE.fullmatch(answer.header("Content-Range"))
        begin, size = found.groups() if found else (None, None)
        whole = int(size) if size and size != "*" else self.size
        if answer.status == NO_RANGE and whole == self._offset:
            return None, whole
        if answer.status == NO_RANGE or begin is None or int(begin) != self._offset:
            detail = f"asked for what follows byte {self._offset}, the server answered HTTP {answer.status}"
            raise SourceChangedError(self._reference.shown, f"{detail} {answer.header('Content-Range')}")
        return self._offset, whole

    def _check_size(self, size: int) -> None:
        if size > self._way.rules.max_size_bytes:
            detail = f"it has more than the {self._way.rules.max_size_bytes} bytes that are allowed"
            raise SourceRefusedError(
                self._reference.shown, detail, "raise max_size_bytes in [image_http] if it is right"
            )


def patiently(way: Way, call: Callable[[], T]) -> T:
    """Call again what the source could not give, within the deadlines.

    :raises SourceUnavailableError: the last one.
    """
    patience = _Patience(way)
    while True:
        try:
            return call()
        except SourceUnavailableError as error:
            patience.wait(error)


class _Patience:
    """How long to go on trying: until no byte has come for ``retry_deadline_seconds``, or the whole took too long."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self.renew()

    def renew(self) -> None:
        """Begin anew: a byte has come."""
        self._ends_at = min(self._way.net.clock() + self._way.rules.retry_deadline_seconds, self._way.ends_at)
        self._pause = _FIRST_PAUSE_SECONDS

    def wait(self, error: SourceUnavailableError) -> None:
        """Wait before the next try: what the server asks for, else a random time that grows.

        :raises SourceUnavailableError: ``error``, where the deadline would be over after that.
        """
        pause = max(error.retry_after_seconds, self._pause * random.uniform(0.5, 1))  # noqa: S311 - no secret
        if self._way.net.clock() + pause >= self._ends_at:
            raise error
        LOG.info("%s (again in %.1f s)", error, pause)
        self._way.net.sleep(pause)
        self._pause = min(self._pause * 2, _LAST_PAUSE_SECONDS)
