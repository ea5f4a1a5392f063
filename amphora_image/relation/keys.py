# SPDX-License-Identifier: Apache-2.0
"""How a relation is written on the wire: three keys, in a body, a JSON patch or a query."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from amphora_image.errors import InvalidRelationError
from amphora_image.relation.values import Kind, Recorded, Relation, parse_kind, parse_uuid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

INSTALLATION = "nova_installation_uuid"
INSTANCE = "instance_id"
KIND = "relation_kind"
KEYS = (INSTALLATION, INSTANCE, KIND)

#: Beside a list of images, says that it is one of an instance: without the filter, Glance takes the query for one about
#: properties, and its answer would be read as "none".
ANSWERED = "relations_of"

#: What Nova sets on a snapshot by itself.
NOVA_INSTANCE = "instance_uuid"
NOVA_KIND = "image_type"
#: What is among the properties of the snapshot of a server that boots from a volume. Those are handed down from the
#: volume's image, instance_uuid included, and Nova sets none itself.
NOVA_VOLUME_BACKED = "block_device_mapping"

_ADD, _REPLACE, _REMOVE = "add", "replace", "remove"


def relation_of(parts: Mapping[str, Any], image_id: str) -> Relation:
    """Read a relation from its three keys.

    :raises InvalidRelationError: one is missing, or is not what it should be.
    """
    if missing := [key for key in KEYS if key not in parts]:
        raise InvalidRelationError(f"a relation lacks {', '.join(missing)}", f"give all of {', '.join(KEYS)}")
    return Relation(
        installation=parse_uuid(parts[INSTALLATION], INSTALLATION),
        instance_id=parse_uuid(parts[INSTANCE], INSTANCE),
        image_id=image_id,
        kind=parse_kind(parts[KIND], KIND),
    )


def relation_by_nova(body: Mapping[str, Any], installation: str, image_id: str) -> Relation | None:
    """Read the relation that an unmodified Nova means by a snapshot's properties; None where it means none.

    :raises InvalidRelationError: somebody wrote what Nova does not.
    """
    if NOVA_INSTANCE not in body or NOVA_VOLUME_BACKED in body:
        return None
    kind = parse_kind(body.get(NOVA_KIND), NOVA_KIND)
    if kind is Kind.BOOT:
        raise InvalidRelationError(f"{NOVA_KIND} {kind} is none of Nova's", "leave it out of the snapshot's metadata")
    instance_id = parse_uuid(body[NOVA_INSTANCE], NOVA_INSTANCE)
    return Relation(installation=installation, instance_id=instance_id, image_id=image_id, kind=kind)


def split_patch(operations: Sequence[Any]) -> tuple[dict[str, Any], list[Any]]:
    """Take our keys out of a JSON patch: give them with their values, and what is left for Glance.

    Pointers are read as Glance reads them, in both drafts of JSON patch that it knows. ``instance_id`` is ours only
    beside the installation; alone it is anybody's property.

    :raises InvalidRelationError: one of our keys is to be removed, has no value, or comes twice.
    """
    ours = [(operation, key) for operation in operations if (key := _key(operation)) in KEYS]
    if INSTALLATION not in {key for _operation, key in ours}:
        return {}, list(operations)
    found: dict[str, Any] = {}
    for operation, key in ours:
        if _verb(operation) not in (_ADD, _REPLACE) or "value" not in operation:
            remedy = "send DELETE …/relations to remove one"
            raise InvalidRelationError(f"{key} can only be added to an image, with a value", remedy)
        if key in found:
            raise InvalidRelationError(f"{key} comes twice in one patch", "send one patch for each relation")
        found[key] = operation["value"]
    taken = {id(operation) for operation, _key_name in ours}
    return found, [operation for operation in operations if id(operation) not in taken]


def _verb(operation: Mapping[str, Any]) -> Any:
    """Say what an operation does: ``{"op": "add", "path": …}``, or ``{"add": path}`` in the older draft."""
    return (
        operation["op"]
        if "op" in operation
        else next((verb for verb in (_ADD, _REPLACE, _REMOVE) if verb in operation), None)
    )


def _key(operation: Any) -> str | None:
    """Say what an operation is about: the first part of its pointer, None where it has none."""
    if not isinstance(operation, dict):
        return None
    pointer = operation.get("path") if "op" in operation else operation.get(_verb(operation))
    if not isinstance(pointer, str):
        return None
    return pointer.lstrip("/").split("/")[0].replace("~1", "/").replace("~0", "~").strip()


def recorded_of(value: Mapping[str, Any]) -> Recorded:
    """Read a relation as ``/relations`` shows it.

    :raises KeyError: a key is missing.
    :raises ValueError: its time is none.
    :raises InvalidRelationError: it is none.
    """
    relation = relation_of(value, value["image_id"])
    return Recorded(relation=relation, created_at=datetime.fromisoformat(value["created_at"]))


def as_json(recorded: Recorded) -> dict[str, str]:
    """Write a relation as ``/relations`` shows it."""
    relation = recorded.relation
    return {
        INSTALLATION: relation.installation,
        INSTANCE: relation.instance_id,
        "image_id": relation.image_id,
        KIND: relation.kind.value,
        "created_at": recorded.created_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
