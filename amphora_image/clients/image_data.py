# SPDX-License-Identifier: Apache-2.0
"""The bytes of an image in Glance, as a stream."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from keystoneauth1 import exceptions as ksa
from urllib3.exceptions import HTTPError

from amphora_image.clients.translate import retried, translated
from amphora_image.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from keystoneauth1.adapter import Adapter

_BLOCK_BYTES = 1024 * 1024


class ImageData:
    """Glance's ``/v2/images/{id}/file``, read only. Thread-safe."""

    def __init__(self, adapter: Adapter, *, deadline_seconds: float = 60) -> None:
        self._adapter = adapter
        self._deadline_seconds = deadline_seconds

    @contextmanager
    def opened(self, image_id: str) -> Iterator[Iterator[bytes]]:
        """Open the image's bytes for one reading, in blocks of up to 1 MiB; what passes before the first is tried again.

        :raises ResourceNotFoundError: there is no such image, or it is not ours to see.
        :raises ServiceUnavailableError: Glance gives no answer within the deadline, or breaks off.
        :raises AmphoraImageError: it refuses.
        """

        def once() -> Any:
            with translated("Glance", f"read the bytes of image {image_id}"):
                headers = {"Accept": "application/octet-stream", "Accept-Encoding": "identity"}
                how = {"headers": headers, "stream": True, "timeout": self._deadline_seconds / 3}
                path = f"/v2/images/{image_id}/file"
                answer = self._adapter.request(path, "GET", raise_exc=False, **how)
                if answer.status_code < 400:
                    return answer
                with answer:  # a stream keeps its connection until it is closed
                    raise ksa.from_response(answer, "GET", path)

        answer = retried(once, deadline_seconds=self._deadline_seconds)
        try:
            yield _blocks(answer)
        finally:
            answer.close()


def _blocks(answer: Any) -> Iterator[bytes]:
    try:
        while block := answer.raw.read(_BLOCK_BYTES, decode_content=False):
            yield block
    except (HTTPError, OSError) as error:
        raise ServiceUnavailableError("Glance", f"it broke off in the middle of an image: {error}") from error
