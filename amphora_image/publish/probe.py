# SPDX-License-Identifier: Apache-2.0
"""What a cloud offers, and what of that really works: each method is tried with a few bytes, which are removed."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.clients.glance_import import ImportOrder
from amphora_image.errors import AmphoraImageError
from amphora_image.publish.body import Body
from amphora_image.publish.leftovers import PUBLISHER, Fate, fate, mark
from amphora_image.publish.methods import COPY_IMAGE, GLANCE_DIRECT, UPLOAD, WEB_DOWNLOAD, Offer, discover
from amphora_image.publish.verify import SHA512, VERIFIED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.clients.glance_import import ImageImports
    from amphora_image.models import ImageRecord
    from amphora_image.publish.wait import Waiter

_BYTES = 64 * 1024
_SECTOR = 512
_NAME = "amphora-image-probe"
_PLUGIN = "amphora_image_verify"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One method, store or plug-in; ``works`` is None when it was not tried."""

    kind: str
    name: str
    detail: str = ""
    works: bool | None = None


class Prober:
    """Looks at one Glance, and tries it."""

    def __init__(self, imports: ImageImports, waiter: Waiter) -> None:
        self._imports = imports
        self._waiter = waiter

    def look(self) -> list[Finding]:
        """Tell what Glance says it offers.

        :raises AmphoraImageError: it does not answer.
        """
        return self._findings(discover(self._imports), lambda _: (None, ""))

    def probe(self, url: str | None) -> list[Finding]:
        """Tell what works, too; ``url`` is what web-download shall fetch, None not to try that.

        :raises AmphoraImageError: Glance does not even say what it offers.
        """
        offer = discover(self._imports)
        seen: list[bool] = []
        found = self._findings(offer, lambda method: self._tried(method, offer, url, seen))
        if seen:
            told = "verifies the staged bytes" if seen[0] else "is not among the plug-ins of this Glance"
            found.append(Finding(kind="plug-in", name=_PLUGIN, detail=told, works=seen[0]))
        return found

    def _findings(self, offer: Offer, judge: Callable[[str], tuple[bool | None, str]]) -> list[Finding]:
        found = []
        for method in (UPLOAD, *offer.methods):
            works, detail = judge(method)
            found.append(Finding(kind="method", name=method, detail=detail, works=works))
        for store in offer.stores:
            told = [*(["default"] if store.default else []), *(["read-only"] if store.read_only else [])]
            found.append(Finding(kind="store", name=store.id, detail=", ".join(told)))
        return found

    def _tried(self, method: str, offer: Offer, url: str | None, seen: list[bool]) -> tuple[bool | None, str]:
        writable = [store.id for store in offer.stores if not store.read_only]
        tries: dict[str, Callable[[str], None]] = {
            UPLOAD: self._upload,
            GLANCE_DIRECT: lambda image_id: self._direct(image_id, seen),
        }
        if len(writable) > 1:
            tries[COPY_IMAGE] = lambda image_id: self._copy(image_id, writable)
        if url:
            tries[WEB_DOWNLOAD] = lambda image_id: self._download(image_id, url)
        if method in tries:
            return self._try(tries[method])
        missing = {COPY_IMAGE: "there is no second store", WEB_DOWNLOAD: "give --probe-url"}
        return None, f"not tried: {missing.get(method, 'publish does not use it')}"

    def _try(self, import_into: Callable[[str], None]) -> tuple[bool, str]:
        """Make an image, import into it, delete it, and what a probe that was killed has left."""
        try:
            made = self._imports.create(
                {
                    "name": _NAME,
                    "disk_format": "raw",
                    "container_format": "bare",
                    "visibility": "private",
                    PUBLISHER: mark(),
                }
            )
            try:
                import_into(made.id)
            finally:
                self._imports.delete(made.id)
            for left in self._imports.named(_NAME, made.owner or ""):
                if fate(left.properties.get(PUBLISHER, "")) is Fate.ENDED:
                    self._imports.delete(left.id)
        except AmphoraImageError as error:
            return False, str(error)
        return True, ""

    def _upload(self, image_id: str) -> None:
        self._imports.upload(image_id, _noise())
        self._waited(image_id)

    def _direct(self, image_id: str, seen: list[bool]) -> None:
        body = _noise()
        self._imports.stage(image_id, body)
        expected = str(body.sha512)
        self._imports.patch(image_id, [{"op": "add", "path": f"/{SHA512}", "value": expected}])
        self._imports.begin(image_id, ImportOrder(method=GLANCE_DIRECT))
        seen.append(self._waited(image_id).properties.get(VERIFIED) == expected)

    def _copy(self, image_id: str, stores: list[str]) -> None:
        self._imports.upload(image_id, _noise(), store=stores[0])
        self._imports.begin(image_id, ImportOrder(method=COPY_IMAGE, stores=(stores[1],)))
        self._waited(image_id)

    def _download(self, image_id: str, url: str) -> None:
        self._imports.begin(image_id, ImportOrder(method=WEB_DOWNLOAD, uri=url))
        self._waited(image_id)

    def _waited(self, image_id: str) -> ImageRecord:
        return self._waiter.wait(image_id, "trying")


class _Noise:
    """A few bytes that are no disk of any known format: an empty sector, as a random one may end as a boot record."""

    def __init__(self) -> None:
        self._bytes = bytes(_SECTOR) + secrets.token_bytes(_BYTES - _SECTOR)
        self.sha512: str | None = hashlib.sha512(self._bytes).hexdigest()

    def __iter__(self) -> Iterator[bytes]:
        yield self._bytes


def _noise() -> Body:
    return Body(_Noise, _BYTES)
