# SPDX-License-Identifier: Apache-2.0
"""``amphora_image_verify``: a plug-in of Glance's image import, which lets only the bytes through that were expected.

Name it first in ``[image_import_opts] image_import_plugins``, so that it sees the bytes as they were staged or downloaded.
An image that says in ``amphora_image_sha512`` what its bytes hash to is imported only if they do; one that says nothing
is left alone. What was found is kept in ``os_glance_amphora_image_sha512``: Glance lets no client set a property with
that beginning, so that it is Glance's own word for what was staged. It says nothing of what later plug-ins made of it;
that is what ``os_hash_value`` is for.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

from glance.common.exception import UploadException
from taskflow import task
from taskflow.patterns import linear_flow

LOG = logging.getLogger(__name__)

_EXPECTED = "amphora_image_sha512"
_VERIFIED = "os_glance_amphora_image_sha512"
_BLOCK_BYTES = 1 << 20


def get_flow(**values: Any) -> linear_flow.Flow:
    """Make the step from what Glance gives every import plug-in: ``image_id``, ``image_repo``, ``task_id`` and more."""
    repo = values.get("admin_repo") or values["image_repo"]
    return linear_flow.Flow(values["task_type"]).add(
        Verify(repo, values["image_id"], name=f"{values['task_type']}-Verify-{values['task_id']}")
    )


class Verify(task.Task):  # type: ignore[misc]  # taskflow has no types
    """Compares the staged file with the hash that the image expects."""

    def __init__(self, repo: Any, image_id: str, *, name: str) -> None:
        super().__init__(name=name)
        self._repo = repo
        self._image_id = image_id

    def execute(self, file_path: str, **_: Any) -> None:
        """Hash the file at the ``file:`` URL, as the step before has staged it.

        :raises UploadException: it has another hash; of all exceptions, only this one's text reaches the task's message.
        """
        image = self._repo.get(self._image_id)
        properties = image.extra_properties
        expected = str(properties.get(_EXPECTED) or "").lower()
        # What an earlier import of the same image was found to be does not hold for this one.
        former = properties.pop(_VERIFIED, None)
        found = _sha512(url2pathname(urlsplit(file_path).path)) if expected else ""
        if found and found == expected:
            properties[_VERIFIED] = found
        if former is not None or found:
            self._repo.save(image)
        if found != expected:
            raise UploadException(f"the bytes have the sha512 {found}, and {_EXPECTED} is {expected}")
        LOG.info("Image %s: the staged bytes have the sha512 %s", self._image_id, found or "that nobody asked for")


def _sha512(path: str) -> str:
    hasher = hashlib.sha512()
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            hasher.update(block)
    return hasher.hexdigest()
