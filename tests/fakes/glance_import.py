# SPDX-License-Identifier: Apache-2.0
"""A Glance in memory, as publishing needs it, with faults to order."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

from amphora_image.clients.glance_import import ImportTask, Store
from amphora_image.errors import ResourceNotFoundError
from amphora_image.models import ImageRecord

if TYPE_CHECKING:
    from collections.abc import Callable

OWNER = "ours"
_VALUES = ("name", "disk_format", "container_format", "visibility")


class FakeImports:
    """Keeps images; ``asked`` lists the requests, ``faults`` has what to raise when a method is called, by its name.

    ``import_answer`` makes what an import ends in of the staged image; ``change`` does something to bytes that arrive.
    """

    def __init__(self) -> None:
        self.images: dict[str, ImageRecord] = {}
        self.staged: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.faults: dict[str, BaseException] = {}
        self.made_with: list[dict[str, object]] = []
        self.change: Callable[[bytes], bytes] = lambda sent: sent
        self.import_answer: Callable[[ImageRecord], ImageRecord] = lambda record: record
        self.task = ImportTask(id="t1", status="success")
        self.url_bytes = b""

    def create(self, values):
        self._ask("create")
        self.made_with.append(dict(values))
        made = ImageRecord(
            id=str(uuid.uuid4()),
            owner=OWNER,
            status="queued",
            properties={name: value for name, value in values.items() if name not in _VALUES},
            **{name: values[name] for name in _VALUES},
        )
        self.images[made.id] = made
        return made

    def upload(self, image_id, body, *, store=None):
        self._ask(f"upload {store or 'default'}")
        self._store(image_id, b"".join(body), (store or "s1",))

    def stage(self, image_id, body):
        self._ask("stage")
        self.staged[image_id] = b"".join(body)
        self.images[image_id] = replace(self.images[image_id], status="uploading")

    def begin(self, image_id, order):
        self._ask(f"begin {order.method}")
        if order.method == "copy-image":
            record = self.images[image_id]
            self.images[image_id] = replace(record, stores=(*record.stores, *order.stores))
        else:
            sent = self.url_bytes if order.uri else self.staged.pop(image_id)
            self._store(image_id, sent, order.stores or ("s1",))
        self.images[image_id] = self.import_answer(self.images[image_id])

    def record(self, image_id):
        self._ask("record")
        return self.images.get(image_id)

    def tasks(self, image_id):
        self._ask("tasks")
        return [self.task] if image_id in self.images else []

    def named(self, name, owner):
        self._ask("named")
        return [each for each in self.images.values() if each.name == name and each.owner == owner]

    def patch(self, image_id, changes):
        self._ask("patch")
        record = self.images[image_id]
        properties = dict(record.properties)
        for change in changes:
            name = change["path"][1:].replace("~1", "/").replace("~0", "~")
            if name in {"visibility", "min_disk", "min_ram"}:
                record = replace(record, **{name: change["value"]})
            elif change["op"] == "remove":
                del properties[name]
            else:
                properties[name] = change["value"]
        self.images[image_id] = replace(record, properties=properties)
        return self.images[image_id]

    def delete(self, image_id):
        self._ask("delete")
        self.staged.pop(image_id, None)
        return self.images.pop(image_id, None) is not None

    def methods(self):
        self._ask("methods")
        return ("glance-direct", "web-download", "copy-image")

    def stores(self):
        self._ask("stores")
        return (Store(id="s1", default=True), Store(id="s2"), Store(id="s3", read_only=True))

    def _store(self, image_id, sent, stores):
        if image_id not in self.images:
            raise ResourceNotFoundError("image", image_id)
        kept = self.change(sent)
        self.images[image_id] = replace(
            self.images[image_id],
            status="active",
            size=len(kept),
            hash_algo="sha512",
            hash_value=hashlib.sha512(kept).hexdigest(),
            stores=stores,
        )

    def _ask(self, request):
        self.asked.append(request)
        if (fault := self.faults.get(request.partition(" ")[0])) is not None:
            raise fault
