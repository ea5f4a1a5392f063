# SPDX-License-Identifier: Apache-2.0
"""Errors of the relations between instances and images."""

from __future__ import annotations

from dataclasses import dataclass

from amphora_image.errors.base import AmphoraImageError, RetryableError, one_line


@dataclass(eq=False)
class InvalidRelationError(AmphoraImageError):
    """What was given is no relation: a UUID in no known spelling, an unknown kind, a part that is missing."""

    problem: str
    remedy: str
    exit_code = 2

    def __str__(self) -> str:
        return f"{one_line(self.problem)}; {self.remedy}"


@dataclass(eq=False)
class SnapshotFailedError(AmphoraImageError):
    """The image of a server did not become usable; it is left as it is, and none was deleted for it."""

    server_id: str
    image_id: str
    detail: str

    def __str__(self) -> str:
        return (
            f"image {self.image_id} of server {self.server_id} did not become active: {one_line(self.detail)}; "
            f"see Nova's log for the server's id, then delete that image"
        )


@dataclass(eq=False)
class RelationStoreError(RetryableError):
    """The database of the relations is down, slow or full."""

    detail: str

    def __str__(self) -> str:
        return (
            f"the database of the relations gave no usable answer: {one_line(self.detail)}; "
            f"see that it runs, has room, and is the one that [relation] connection names, then try again"
        )


@dataclass(eq=False)
class RelationSchemaError(AmphoraImageError):
    """The database of the relations lacks its table, or has one that this release cannot use."""

    detail: str
    exit_code = 2

    def __str__(self) -> str:
        return (
            f"the database of the relations is not ready for this release: {one_line(self.detail)}; "
            f"run `amphora-image related db upgrade` with the configuration that Glance reads"
        )
