# SPDX-License-Identifier: Apache-2.0
"""A file to publish, what became of it in Glance, and its removal: for all the tests that publish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import disks
from support.cloud import until

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from support.cloud import User

    from amphora_image.sandbox import Access

BYTES = disks.qcow2(size=3 * 1024 * 1024 + 11)

_PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The image, as a file."""
    path = tmp_path / "amphora.qcow2"
    path.write_bytes(BYTES)
    return path


def images(user: User, name: str) -> list[dict[str, Any]]:
    """Give the records of the images of a name."""
    return list(user.image.get("/v2/images", params={"name": name}).json()["images"])


def delete(user: User, records: Iterable[dict[str, Any]]) -> None:
    """Delete images, those too that a promotion has protected."""
    for each in records:
        path = f"/v2/images/{each['id']}"
        user.image.patch(path, json=[{"op": "replace", "path": "/protected", "value": False}], headers=_PATCH)
        user.image.delete(path)


def nothing_is_staged(access: Access) -> None:
    """Wait until Glance has removed what it staged."""
    staging = access.root / "glance" / "staging"
    until(lambda: not list(staging.iterdir()), seconds=10, what="the staging area is empty")
