# SPDX-License-Identifier: Apache-2.0
"""Putting an image into Glance: create, send the bytes, import, watch, correct and delete."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlencode

from amphora_image.clients.glance import record_of
from amphora_image.clients.rest import Rest
from amphora_image.clients.translate import retried
from amphora_image.errors import ResourceNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from keystoneauth1.adapter import Adapter

    from amphora_image.clients.rest import SizedBytes
    from amphora_image.models import ImageRecord

_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
_BYTES = {"Content-Type": "application/octet-stream"}
_TOKEN_SECONDS = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """One of Glance's stores, by its id."""

    id: str
    default: bool = False
    read_only: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportOrder:
    """What an import is asked to do; without ``stores`` and ``all_stores`` Glance takes its default store.

    ``uri`` is for web-download. Where not ``all_stores_must_succeed``, one store that has the image is enough.
    """

    method: str
    uri: str | None = None
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    all_stores_must_succeed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportTask:
    """How an import goes, by Glance's own word: ``status`` is pending, processing, success or failure."""

    id: str
    status: str
    message: str = ""
    updated_at: str = ""


class ImageImports(Protocol):
    """What publishing needs of Glance; :class:`GlanceImports` says what each method does."""

    def create(self, values: Mapping[str, Any]) -> ImageRecord: ...  # noqa: D102 - GlanceImports has the contract
    def upload(self, image_id: str, body: SizedBytes, *, store: str | None = None) -> None: ...  # noqa: D102
    def stage(self, image_id: str, body: SizedBytes) -> None: ...  # noqa: D102
    def begin(self, image_id: str, order: ImportOrder) -> None: ...  # noqa: D102
    def record(self, image_id: str) -> ImageRecord | None: ...  # noqa: D102
    def tasks(self, image_id: str) -> list[ImportTask]: ...  # noqa: D102
    def named(self, name: str, owner: str) -> list[ImageRecord]: ...  # noqa: D102
    def patch(self, image_id: str, changes: Sequence[Mapping[str, Any]]) -> ImageRecord: ...  # noqa: D102
    def delete(self, image_id: str) -> bool: ...  # noqa: D102
    def methods(self) -> tuple[str, ...]: ...  # noqa: D102
    def stores(self) -> tuple[Store, ...]: ...  # noqa: D102


class GlanceImports:
    """Glance's v2 API, as far as it makes images. Thread-safe.

    Reads and deletions are tried again within ``deadline_seconds``; all else is sent once. An answer to bytes that were
    sent may take ``answer_seconds``. What ``sleep`` raises ends reads alone: who was told to stop still deletes. All
    methods raise what :class:`~amphora_image.clients.rest.Rest` does.
    """

    def __init__(
        self,
        adapter: Adapter,
        *,
        deadline_seconds: float = 60,
        answer_seconds: float = 600,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rest = Rest(adapter, "Glance", deadline_seconds=deadline_seconds, sleep=sleep)
        self._deadline_seconds = deadline_seconds
        self._answer_seconds = answer_seconds

    def create(self, values: Mapping[str, Any]) -> ImageRecord:
        """Make an image without bytes, with the given attributes and properties."""
        answer = self._rest.change("POST", "/v2/images", "create an image", body=dict(values))
        return record_of(answer)

    def upload(self, image_id: str, body: SizedBytes, *, store: str | None = None) -> None:
        """Send the bytes straight into ``store``, None for the default one; the image is active after that."""
        headers = {"X-Image-Meta-Store": store} if store else {}
        self._send(image_id, "file", body, headers)

    def stage(self, image_id: str, body: SizedBytes) -> None:
        """Send the bytes to where :meth:`begin` takes them from."""
        self._send(image_id, "stage", body, {})

    def begin(self, image_id: str, order: ImportOrder) -> None:
        """Ask for an import; Glance does it after it has answered."""
        method = {"name": order.method} | ({"uri": order.uri} if order.uri else {})
        body: dict[str, Any] = {"method": method, "all_stores_must_succeed": order.all_stores_must_succeed}
        if order.all_stores:
            body["all_stores"] = True
        elif order.stores:
            body["stores"] = list(order.stores)
        self._rest.change("POST", f"{_path(image_id)}/import", f"import image {image_id}", body=body)

    def record(self, image_id: str) -> ImageRecord | None:
        """Give all of one image, None where there is none that we may see."""
        try:
            return self._rest.read(_path(image_id), f"read image {image_id}", record_of)
        except ResourceNotFoundError:
            return None

    def tasks(self, image_id: str) -> list[ImportTask]:
        """List the imports of an image that Glance still knows of, the latest last; none where it is gone."""
        try:
            return self._rest.read(f"{_path(image_id)}/tasks", f"read the tasks of image {image_id}", _tasks_of)
        except ResourceNotFoundError:
            return []

    def named(self, name: str, owner: str) -> list[ImageRecord]:
        """List the images of ``owner`` with exactly that name, whatever their status, but none that is hidden."""
        path: str = "/v2/images?" + urlencode({"owner": owner, "limit": "100", "visibility": "all", "name": name})
        found: list[ImageRecord] = []
        while path:
            page = self._rest.read(path, f"list the images named {name!r}", lambda body: body)
            found += [record_of(each) for each in page["images"]]
            path = page.get("next") or ""
        return [each for each in found if each.name == name and each.owner == owner]

    def patch(self, image_id: str, changes: Sequence[Mapping[str, Any]]) -> ImageRecord:
        """Change an image by a JSON patch (RFC 6902), all of it or nothing."""
        action = f"change image {image_id}"
        return record_of(self._rest.change("PATCH", _path(image_id), action, body=list(changes), headers=_PATCH))

    def delete(self, image_id: str) -> bool:
        """Delete an image with all its bytes, staged ones too; False when there was none."""

        def once() -> bool:
            try:
                self._rest.change("DELETE", _path(image_id), f"delete image {image_id}")
            except ResourceNotFoundError:
                return False
            return True

        return retried(once, deadline_seconds=self._deadline_seconds)

    def methods(self) -> tuple[str, ...]:
        """Tell the import methods that are enabled; none where Glance has no import."""
        try:
            told = self._rest.read("/v2/info/import", "list the import methods", lambda body: body["import-methods"])
        except ResourceNotFoundError:
            return ()
        return tuple(told["value"])

    def stores(self) -> tuple[Store, ...]:
        """Tell the stores; none where Glance has but one and no name for it."""
        try:
            told = self._rest.read("/v2/info/stores", "list the stores", lambda body: body["stores"])
        except ResourceNotFoundError:
            return ()
        return tuple(
            Store(
                id=each["id"],
                default=str(each.get("default", "")).lower() == "true",
                read_only=str(each.get("read-only", "")).lower() == "true",
            )
            for each in told
        )

    def _send(self, image_id: str, place: str, body: SizedBytes, headers: dict[str, str]) -> None:
        self._rest.renew_token(needed_seconds=_TOKEN_SECONDS)
        headers = {**_BYTES, **headers, "x-openstack-image-size": str(len(body))}
        self._rest.send_body(
            f"{_path(image_id)}/{place}",
            f"take the bytes of image {image_id}",
            body,
            headers=headers,
            timeout_seconds=self._answer_seconds,
        )


def _tasks_of(body: Any) -> list[ImportTask]:
    tasks = sorted(body["tasks"], key=lambda each: str(each.get("created_at") or ""))
    return [
        ImportTask(
            id=str(each.get("id") or each.get("task_id")),
            status=each["status"],
            message=each.get("message") or "",
            updated_at=str(each.get("updated_at") or ""),
        )
        for each in tasks
    ]


def _path(image_id: str) -> str:
    return f"/v2/images/{quote(image_id, safe='')}"
