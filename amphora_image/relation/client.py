# SPDX-License-Identifier: Apache-2.0
"""Relations from the side of Nova, of a scheduler of backups, or of an operator: asked of Glance, like images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from amphora_image.clients.glance import record_of
from amphora_image.errors import ConfigurationError, ResourceNotFoundError
from amphora_image.relation.keys import ANSWERED, INSTALLATION, INSTANCE, KIND, recorded_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.clients.rest import Rest
    from amphora_image.models import ImageRecord
    from amphora_image.relation.values import Kind, Recorded, Relation

_PAGE = 500


class InstanceAwareImageService:
    """Glance's images as those of instances, over ``glance`` and by its user's rights. Thread-safe.

    ``installation`` is the Nova that instances are of; empty reads those of all, and can record nothing.

    All methods raise :class:`ConfigurationError` where Glance has no filter for relations, and what
    :class:`amphora_image.clients.rest.Rest` raises.
    """

    def __init__(self, glance: Rest, installation: str = "") -> None:
        self.installation = installation
        self._rest = glance

    def everywhere(self) -> InstanceAwareImageService:
        """Give the same for all installations."""
        return InstanceAwareImageService(self._rest)

    def record(self, relation: Relation) -> None:
        """Keep a relation; one that is kept already is success. One request, which may be sent again.

        :raises ResourceNotFoundError: there is no such image that we may see; not told of a boot, where we are a service
            or an administrator ourselves: Glance is not asked then.
        :raises AccessDeniedError: we are neither a service nor an administrator.
        """
        body = _keys(relation)
        self._of_image(relation.image_id, lambda path: self._rest.change("PUT", path, "record a relation", body=body))

    def forget(self, relation: Relation) -> None:
        """Remove a relation; one that is gone already is success. One request, which may be sent again.

        :raises ResourceNotFoundError: there is no such image that we may see.
        :raises AccessDeniedError: we are neither a service nor an administrator.
        """
        query = urlencode(_keys(relation))
        self._of_image(
            relation.image_id, lambda path: self._rest.change("DELETE", f"{path}?{query}", "remove a relation")
        )

    def images(self, instance_id: str, kind: Kind | None = None) -> Iterator[ImageRecord]:
        """Give an instance's images that we may see, the newest first; a request for each page, as they are taken."""
        query = {INSTANCE: instance_id, "sort": "created_at:desc,id:asc", "limit": str(_PAGE)}
        query |= {INSTALLATION: self.installation} if self.installation else {}
        query |= {KIND: kind.value} if kind else {}
        path = f"/v2/images?{urlencode(query)}"
        while path:
            found, path = self._rest.read(path, f"list the images of instance {instance_id}", _images)
            yield from found

    def relations(self, image_id: str) -> Iterator[Recorded]:
        """Give the relations of an image that we may see, the newest first; a request for each page, as they are taken.

        :raises ResourceNotFoundError: there is no such image that we may see.
        """
        query = {"limit": str(_PAGE), **({INSTALLATION: self.installation} if self.installation else {})}
        marker: str | None = f"?{urlencode(query)}"
        while marker is not None:
            found, marker = self._of_image(image_id, self._page(marker))
            yield from found

    def _page(self, marker: str) -> Callable[[str], tuple[list[Recorded], str | None]]:
        return lambda path: self._rest.read(f"{path}{marker}", "list the relations of an image", _relations)

    def _of_image(self, image_id: str, send: Callable[[str], Any]) -> Any:
        """Send what is about the relations of one image; a 404 is of the image, or says that there is no filter."""
        path = f"/v2/images/{quote(image_id, safe='')}"
        try:
            return send(f"{path}/relations")
        except ResourceNotFoundError as error:
            try:
                self._rest.read(path, f"read image {image_id}", lambda body: body)
            except ResourceNotFoundError:
                raise ResourceNotFoundError("image", image_id) from error
            raise _no_filter() from error


def _keys(relation: Relation) -> dict[str, str]:
    return {INSTALLATION: relation.installation, INSTANCE: relation.instance_id, KIND: relation.kind.value}


def _images(body: Any) -> tuple[list[ImageRecord], str]:
    if ANSWERED not in body:
        raise _no_filter()
    return [record_of(each) for each in body["images"]], body.get("next") or ""


def _relations(body: Any) -> tuple[list[Recorded], str | None]:
    """Read a page, and the query of the next one."""
    following = body.get("next")
    return [recorded_of(each) for each in body["relations"]], f"?{following.partition('?')[2]}" if following else None


def _no_filter() -> ConfigurationError:
    return ConfigurationError(
        "this Glance keeps no relations", "install the filter there (the guide, Installing the filter)"
    )
