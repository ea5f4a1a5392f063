# SPDX-License-Identifier: Apache-2.0
"""Relations beside what Nova and Glance have: a plan of what to record and what to forget, and the doing of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from amphora_image.relation.store import Wanted
from amphora_image.relation.values import Kind, Relation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from datetime import datetime

    from amphora_image.models import FoundServer
    from amphora_image.relation.store import RelationStore
    from amphora_image.relation.values import Recorded

#: Of what is younger nothing is said: a relation is recorded before its image exists, and a boot's after its server.
GRACE_SECONDS = 3600
_IMAGES_AT_ONCE = 100

RECORD, FORGET = "record", "forget"


class Servers(Protocol):
    """What is needed of Nova, by an administrator."""

    def everything(self, *, all_projects: bool = False) -> list[FoundServer]: ...  # noqa: D102 - NovaServers has the contract


class Images(Protocol):
    """What is needed of Glance, by an administrator."""

    def existing(self, ids: Collection[str]) -> set[str]: ...  # noqa: D102 - GlanceImages has the contract


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do, and why."""

    action: str
    relation: Relation
    reason: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What there is: relations of one installation, its servers (all, and those of our project), and the images."""

    relations: Sequence[Recorded]
    server_ids: frozenset[str]
    ours: Sequence[FoundServer]
    image_ids: frozenset[str]


def observe(installation: str, store: RelationStore, servers: Servers, images: Images) -> Observed:
    """Look at everything: the relations first, so that what is made meanwhile is never taken for gone.

    :raises AccessDeniedError: we are no administrator of Nova.
    """
    relations = list(store.every(Wanted(installation=installation)))
    ours = servers.everything()
    everybody = servers.everything(all_projects=True)
    wanted = {each.relation.image_id for each in relations} | {each.server.image_id or "" for each in ours}
    found: set[str] = set()
    for chunk in _chunks(sorted(wanted - {""})):
        found |= images.existing(chunk)
    return Observed(relations, frozenset(each.server.id for each in everybody), ours, frozenset(found))


def plan(installation: str, observed: Observed, now: datetime) -> list[Step]:
    """Say what to do: a pure function of what was observed.

    Forgotten are relations to images that are gone, and boots of servers that are gone; a snapshot outlives its server.
    Recorded are the boots of our project's servers. What is younger than the grace is left alone.
    """
    steps = []
    for each in observed.relations:
        if (now - each.created_at).total_seconds() < GRACE_SECONDS:
            continue
        if each.relation.image_id not in observed.image_ids:
            steps.append(Step(FORGET, each.relation, "Glance has no such image"))
        elif each.relation.kind is Kind.BOOT and each.relation.instance_id not in observed.server_ids:
            steps.append(Step(FORGET, each.relation, "Nova has no such server"))
    known = {each.relation for each in observed.relations}
    return steps + [step for step in _boots(installation, observed) if step.relation not in known]


def _boots(installation: str, observed: Observed) -> Iterator[Step]:
    for found in observed.ours:
        image_id = found.server.image_id
        if image_id in observed.image_ids and found.age_seconds >= GRACE_SECONDS:
            relation = Relation(
                installation=installation, instance_id=found.server.id, image_id=str(image_id), kind=Kind.BOOT
            )
            yield Step(RECORD, relation, "the server was booted from it")


def apply(steps: Iterable[Step], store: RelationStore) -> None:
    """Do what was planned; each step may be repeated.

    :raises RelationStoreError: the database does not answer; what was done stays.
    """
    for step in steps:
        (store.record if step.action == RECORD else store.forget)(step.relation)


def _chunks(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), _IMAGES_AT_ONCE):
        yield ids[start : start + _IMAGES_AT_ONCE]
