# SPDX-License-Identifier: Apache-2.0
"""From a source to a verified image: looked into, made private, filled, compared, and only then what it shall be."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from amphora_image.clients.glance_import import ImportOrder
from amphora_image.errors import (
    AccessDeniedError,
    AmphoraImageError,
    DigestMismatchError,
    ImportFailedError,
    NoMethodError,
    RequestRefusedError,
)
from amphora_image.publish.body import Body, CheckedPass, digest
from amphora_image.publish.former import Former
from amphora_image.publish.methods import COPY_IMAGE, GLANCE_DIRECT, UPLOAD, WEB_DOWNLOAD, Request, choose, discover
from amphora_image.publish.order import Published
from amphora_image.publish.progress import Progress, Silent
from amphora_image.publish.verify import SHA512, Meant, verify
from amphora_image.publish.wait import ended, failed_stores
from amphora_image.reference.base import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.clients.glance_import import ImageImports
    from amphora_image.models import ImageRecord
    from amphora_image.publish.former import Found
    from amphora_image.publish.methods import Way
    from amphora_image.publish.order import Order
    from amphora_image.publish.source import Load
    from amphora_image.publish.wait import Waiter

LOG = logging.getLogger(__name__)


class Publisher:
    """Puts images into one cloud's Glance, as ``owner``.

    ``promote`` gives a tag to an image: called with its id, the tag and the reason. Whatever fails, or interrupts, before
    the image is verified deletes it again.
    """

    def __init__(
        self,
        imports: ImageImports,
        waiter: Waiter,
        *,
        owner: Callable[[], str],
        promote: Callable[[str, str, str], object],
        progress: Progress | None = None,
    ) -> None:
        self._imports = imports
        self._waiter = waiter
        self._owner = owner
        self._promote = promote
        self._progress = progress or Silent()

    def publish(self, load: Load, order: Order) -> Published:
        """Publish once: an image of that name with the same bytes, made by an earlier run, is completed and not sent anew.

        :raises NoMethodError: the cloud offers no way for it.
        :raises SourceChangedError: the source changed meanwhile.
        :raises UnsafeImageError: the bytes are no image that anyone should boot.
        :raises DigestMismatchError: the source has others than were expected.
        :raises HashMismatchError: Glance has others.
        :raises ServerConversionError: Glance made another image of them.
        :raises ImportFailedError: Glance gave up.
        :raises ImportStuckError: Glance does not go on.
        :raises AmphoraImageError: Keystone or Glance refuses, or does not answer.
        """
        try:
            return self._published(load, order)
        finally:
            self._progress.end()

    def _published(self, load: Load, order: Order) -> Published:
        known = order.sha512 is not None
        request = Request(
            method=order.method,
            stores=order.stores,
            all_stores=order.all_stores,
            from_url=load.url is not None,
            hash_known=known,
        )
        way = choose(request, discover(self._imports))
        former = Former(self._imports, self._progress).clear(order, load, self._owner())
        if former.whole is not None:
            outcome = self._complete_former(former.whole, former, order, way)
        else:
            with _query_untold(load.url):
                outcome = self._publish_anew(load, order, way)
        if order.tag is not None:
            self._waiter.go_on()
            self._progress.begin(f"promoting to {order.tag}")
            self._give_tag(outcome.id, order)
        return replace(outcome, tag=order.tag, removed=former.removed, found=former.found)

    def _complete_former(self, whole: ImageRecord, former: Found, order: Order, way: Way) -> Published:
        """Go on with an image that an earlier run made, which may have ended before all the stores had it."""
        why, method = "an image of that name has these bytes already", "none"
        if _missing(whole, way) and not ended(whole):
            whole = self._waiter.wait(whole.id, "importing", all_must_succeed=order.all_stores_must_succeed)
        if missing := _missing(whole, way):
            if COPY_IMAGE not in self._imports.methods():
                problem = f"image {whole.id} has these bytes, but not in {', '.join(missing)}, and the cloud has no copy-image"
                raise NoMethodError(problem, "leave the stores out, or give another --name")
            why, method = f"{why}, and {', '.join(missing)} had not", COPY_IMAGE
            whole = self._copied(whole, way, order)
        done = self._complete(whole, order, former.sha512, verified_by=former.verified_by)
        return replace(done, method=method, why=why, reused=True, failed_stores=_missing(whole, way))

    def _publish_anew(self, load: Load, order: Order, way: Way) -> Published:
        with self._begun(order, load) as created:
            way, sha512 = self._filled(created.id, load, order, way)
            record = self._imported(created.id, way, order)
            size = load.source.size if load.source else None
            by_algorithm = (lambda name: digest(source, name)) if (source := load.source) else None
            meant = Meant(disk_format=load.disk_format, sha512=sha512, size=size, digest=by_algorithm)
            imported = way.method in {GLANCE_DIRECT, WEB_DOWNLOAD}
            by = verify(record, meant, imported=imported, accept_conversion=order.accept_conversion)
            done = self._complete(record, order, sha512, verified_by=by)
        why = "; ".join(filter(None, (load.why, way.why)))
        return replace(done, method=way.method, why=why, failed_stores=failed_stores(record))

    @contextmanager
    def _begun(self, order: Order, load: Load) -> Iterator[ImageRecord]:
        """Make the image, and delete it unless all goes well."""
        created = self._imports.create(order.first(load.disk_format))
        try:
            yield created
        except BaseException:
            self._undo(created.id)
            raise

    def _undo(self, image_id: str) -> None:
        self._progress.begin(f"deleting image {image_id}")
        try:
            self._imports.delete(image_id)
        except AmphoraImageError as error:  # the first error is what is told; this one is for the next run
            LOG.warning("Image %s is left half made, for it could not be deleted: %s", image_id, error)

    def _filled(self, image_id: str, load: Load, order: Order, way: Way) -> tuple[Way, str]:
        """Do what :meth:`_fill` does by the other way, where the cloud turns out to forbid the first one; say by which."""
        try:
            return way, self._fill(image_id, load, order, way)
        except AccessDeniedError:
            if way.otherwise is None:
                raise
        return way.otherwise, self._fill(image_id, load, order, way.otherwise)

    def _fill(self, image_id: str, load: Load, order: Order, way: Way) -> str:
        """Get the bytes into Glance, or on their way there; give their hash."""
        if load.url is not None:
            wanted = self._import_order(way, order, uri=load.url)
            self._imports.begin(image_id, wanted)
            return str(order.sha512)
        source = load.source
        assert source is not None  # noqa: S101 - a load has one of both
        staged = way.method == GLANCE_DIRECT
        phase = "staging" if staged else "uploading"
        self._progress.begin(phase, source.size)
        begin = load.begin or (lambda: CheckedPass(source, load.disk_format))
        body = Body(begin, source.size, moved=self._waiter.timed(image_id, phase))
        if staged:
            self._imports.stage(image_id, body)
        else:
            self._imports.upload(image_id, body, store=next(iter(way.stores), None))
        self._waiter.go_on()
        sha512 = str(body.sha512)
        if order.sha512 is not None and sha512 != order.sha512:
            raise DigestMismatchError(source.name, f"sha512={order.sha512}", f"sha512={sha512}")
        if staged:
            if order.sha512 is None:  # known only now, and wanted by the plug-in before it comes to its turn
                self._imports.patch(image_id, [{"op": "add", "path": f"/{SHA512}", "value": sha512}])
            self._imports.begin(image_id, self._import_order(way, order))
        return sha512

    def _imported(self, image_id: str, way: Way, order: Order) -> ImageRecord:
        """Wait until Glance has the image where it shall be."""
        must = order.all_stores_must_succeed
        if way.method in {GLANCE_DIRECT, WEB_DOWNLOAD}:
            self._progress.begin("importing" if way.method == GLANCE_DIRECT else "downloading and importing")
            return self._waiter.wait(image_id, "importing", all_must_succeed=must)
        return self._copied(self._waiter.wait(image_id, "uploading"), way, order)

    def _copied(self, record: ImageRecord, way: Way, order: Order) -> ImageRecord:
        """Have Glance copy the bytes that it has to the stores that have them not."""
        must = order.all_stores_must_succeed
        if not (further := _missing(record, way)):
            return record
        self._progress.begin(f"copying to {', '.join(further)}", None)
        order_of_copy = ImportOrder(method=COPY_IMAGE, stores=further, all_stores_must_succeed=must)
        self._imports.begin(record.id, order_of_copy)
        return self._waiter.wait(record.id, "copying", all_must_succeed=must)

    def _complete(self, record: ImageRecord, order: Order, sha512: str, *, verified_by: str) -> Published:
        """Make a verified image what was asked for, but for its tag."""
        if changes := order.last(record, sha512):
            self._progress.begin("setting properties")
            record = self._imports.patch(record.id, changes)
        return Published(
            id=record.id,
            name=record.name,
            method=UPLOAD,
            why="",
            sha512=sha512,
            size=record.size,
            disk_format=record.disk_format,
            verified_by=verified_by,
            stores=record.stores,
        )

    def _give_tag(self, image_id: str, order: Order) -> None:
        try:
            self._promote(image_id, str(order.tag), order.reason)
        except BaseException:
            LOG.warning(
                "Image %s is published and verified; it was not promoted, which the same command does", image_id
            )
            raise

    @staticmethod
    def _import_order(way: Way, order: Order, *, uri: str | None = None) -> ImportOrder:
        must = order.all_stores_must_succeed
        return ImportOrder(method=way.method, uri=uri, stores=way.stores, all_stores_must_succeed=must)


def _missing(record: ImageRecord, way: Way) -> tuple[str, ...]:
    """Name the stores that the image shall be in and is not."""
    return tuple(store for store in way.stores if store not in record.stores)


@contextmanager
def _query_untold(url: str | None) -> Iterator[None]:
    """Take out of an error what Glance repeats of ``url`` and what may be a signature."""
    try:
        yield
    except (ImportFailedError, RequestRefusedError) as error:
        if url is None or url not in error.detail:
            raise
        # Without its cause, which says the same with the URL.
        raise replace(error, detail=error.detail.replace(url, redacted(url))) from None
