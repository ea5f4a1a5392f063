# SPDX-License-Identifier: Apache-2.0
"""What changes relations on the way to Glance: a new image, a patch, a deletion.

A relation is committed *before* Glance gets the request, and taken back if Glance refuses it. Whatever dies between the
two leaves a relation to an image that is not there, which no list shows and which ``related reconcile`` removes; never
an image whose relation is lost. A new image needs its id for that, so the filter chooses it, as any client of Glance may.
"""

from __future__ import annotations

import json
import logging
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.errors import AccessDeniedError, AmphoraImageError
from amphora_image.relation.keys import INSTALLATION, KEYS, NOVA_INSTANCE, relation_by_nova, relation_of, split_patch
from amphora_image.relation.rights import Caller
from amphora_image.relation.store import Wanted
from amphora_image.relation.values import parse_uuid
from amphora_image.relation.wire import ask, read_body, with_body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amphora_image.relation.store import RelationStore
    from amphora_image.relation.values import Relation
    from amphora_image.relation.wire import Answer, Application, Environ

LOG = logging.getLogger(__name__)

#: After the database failed, how long it is not asked to clean up, so that requests without relations do not wait for it.
_QUIET_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Trust:
    """Whom to believe: each Nova's installation by its user, NAME@DOMAIN, and how to ask Nova whose a server is.

    ``shows`` takes the request and a server's id, and tells whether the caller may see that server.
    """

    installations: Mapping[str, str]
    shows: Callable[[Environ, str], bool]


class Writing:
    """The requests that may change relations, on their way to ``application``. Thread-safe."""

    def __init__(self, store: RelationStore, application: Application, trust: Trust) -> None:
        self._store = store
        self._application = application
        self._trust = trust
        self._quiet_until = 0.0

    def create(self, environ: Environ, start_response: Any) -> Any:
        """Pass on POST /v2/images, without the relation that it may carry.

        :raises InvalidRelationError: what it carries is no relation.
        :raises AccessDeniedError: the caller may not record it.
        :raises RetryableError: the database, or Nova, did not answer; Glance has seen nothing.
        """
        raw = read_body(environ)
        untouched = with_body(environ, raw)
        body = _parsed(raw, INSTALLATION, NOVA_INSTANCE, '"id"')
        if not isinstance(body, dict):
            return self._application(untouched, start_response)
        named = body.get("id")
        image_id = named if isinstance(named, str) else str(uuid.uuid4())
        relation = self._meant(environ, body, image_id)
        if relation is None and named is None:
            return self._application(untouched, start_response)
        if relation is None:
            answer = ask(self._application, untouched)
        else:
            parse_uuid(image_id, "id")
            kept = {name: value for name, value in body.items() if INSTALLATION not in body or name not in KEYS}
            answer = self._guarded(with_body(environ, json.dumps({**kept, "id": image_id}).encode()), relation)
        if answer.code == 201 and named is not None:
            self._forget_former(image_id, relation)
        return answer.send(environ, start_response)

    def update(self, environ: Environ, start_response: Any, image_id: str) -> Any:
        """Pass on PATCH /v2/images/ID, without the relation that it may carry.

        :raises InvalidRelationError: what it carries is no relation.
        :raises AccessDeniedError: the caller may not record it.
        :raises RetryableError: the database did not answer; Glance has seen nothing.
        """
        raw = read_body(environ)
        untouched = with_body(environ, raw)
        operations = _parsed(raw, INSTALLATION)
        if not isinstance(operations, list):
            return self._application(untouched, start_response)
        parts, rest = split_patch(operations)
        if not parts:
            return self._application(untouched, start_response)
        _demand(Caller.of(environ).may_name_relations)
        relation = relation_of(parts, image_id)
        return self._guarded(with_body(environ, json.dumps(rest).encode()), relation).send(environ, start_response)

    def delete(self, environ: Environ, start_response: Any, image_id: str) -> Any:
        """Pass on DELETE /v2/images/ID, and forget the image's relations when it is gone."""
        answer = ask(self._application, environ)
        if answer.code == 204:
            self._cleaned(lambda: self._store.forget_all(Wanted(image_id=image_id)), image_id)
        return answer.send(environ, start_response)

    def _meant(self, environ: Environ, body: Mapping[str, Any], image_id: str) -> Relation | None:
        """Give the relation that a new image carries, None for none.

        :raises AccessDeniedError: the caller may not record it.
        """
        caller = Caller.of(environ)
        if INSTALLATION in body:
            _demand(caller.may_name_relations)
            return relation_of(body, image_id)
        installation = caller.installation(self._trust.installations)
        relation = relation_by_nova(body, installation, image_id) if installation else None
        # Nova lets createImage's metadata replace the id that it set itself. Its own API knows better whose a server is.
        if relation is not None and not self._trust.shows(environ, relation.instance_id):
            detail = f"Nova shows this user no server {relation.instance_id}"
            raise AccessDeniedError("Glance", f"record an image of instance {relation.instance_id}", detail)
        return relation

    def _guarded(self, environ: Environ, relation: Relation) -> Answer:
        """Record, then ask Glance; take back what was recorded if Glance does not do its part."""
        fresh = self._store.record(relation)
        self._quiet_until = 0.0
        done = False
        try:
            answer = ask(self._application, environ)
            done = answer.code < 300
        finally:
            if fresh and not done:
                self._cleaned(lambda: self._store.forget(relation), relation.image_id)
        return answer

    def _forget_former(self, image_id: str, kept: Relation | None) -> None:
        """Forget the relations of a former image with the id that a new one was given: they are not the new one's."""

        def forget() -> None:
            for each in self._store.every(Wanted(image_id=image_id)):
                if each.relation != kept:
                    self._store.forget(each.relation)

        self._cleaned(forget, image_id)

    def _cleaned(self, clean: Callable[[], object], image_id: str) -> None:
        """Clean up, but not while the database is known to be failing: what is left over is harmless."""
        if time.monotonic() < self._quiet_until:
            return
        try:
            clean()
        except AmphoraImageError as error:
            self._quiet_until = time.monotonic() + _QUIET_SECONDS
            LOG.warning("Relations of image %s are left over, `related reconcile` removes them: %s", image_id, error)


def _parsed(raw: bytes, *words: str) -> Any:
    """Read a body that has one of ``words`` in it, or may have it in escapes; None for any other, and for no JSON."""
    if b"\\u" not in raw and not any(word.encode() in raw for word in words):
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):  # for Glance to refuse
        return None


def _demand(allowed: bool) -> None:  # noqa: FBT001 - it reads as the question that it answers
    if not allowed:
        raise AccessDeniedError("Glance", "record relations", "the token has neither the role service nor admin")
