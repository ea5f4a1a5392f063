# SPDX-License-Identifier: Apache-2.0
"""``/v2/images/{id}/relations``: read by whom Glance shows the image, written by services and administrators.

Glance is asked whether it shows the image, all but for a boot that a service records: that takes most of the time, and a
relation to an image that is not there, or not shown, is shown to nobody (``doc/adr/0024``).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from amphora_image.errors import AccessDeniedError, InvalidRelationError
from amphora_image.relation.keys import KEYS, relation_of
from amphora_image.relation.lists import parse_query
from amphora_image.relation.rights import Caller
from amphora_image.relation.store import Wanted
from amphora_image.relation.values import Kind
from amphora_image.relation.wire import Answer, ask, read_body, reading

if TYPE_CHECKING:
    from amphora_image.relation.lists import Lists
    from amphora_image.relation.store import RelationStore
    from amphora_image.relation.values import Relation
    from amphora_image.relation.wire import Application, Environ

_METHODS = ("GET", "HEAD", "PUT", "DELETE")

#: How Glance spells the ids that it makes; of another it is not known whether Glance would take it for the same.
_USUAL_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class RelationsOfImage:
    """Answers for the relations of one image; ``application`` is Glance, which says who may see the image."""

    def __init__(self, store: RelationStore, application: Application, lists: Lists) -> None:
        self._store = store
        self._application = application
        self._lists = lists

    def answer(self, environ: Environ, image_id: str) -> Answer:
        """Answer GET and HEAD with a page of relations; record one by PUT, and remove one by DELETE.

        PUT has the three keys in its body, DELETE in its query; both may be repeated.

        :raises InvalidRelationError: they make no relation.
        :raises AccessDeniedError: the caller may not write.
        """
        method = environ["REQUEST_METHOD"]
        if method not in _METHODS:
            answer = Answer.error(405, f"relations are read and written by {', '.join(_METHODS)}")
            return Answer(answer.status, (*answer.headers, ("Allow", ", ".join(_METHODS))), answer.body)
        caller = Caller.of(environ)
        writes = method in {"PUT", "DELETE"}
        if writes and not caller.may_write:
            detail = "neither the token nor a service token beside it has the role service or admin"
            raise AccessDeniedError("Glance", "change relations", detail)
        relation = relation_of(_object(read_body(environ)), image_id) if method == "PUT" else None
        if relation is None or not _is_believed(caller, relation):
            shown = ask(self._application, reading(environ, f"/v2/images/{image_id}"))
            if shown.code == 404 and caller.is_admin:  # to whom Glance shows every image there is
                self._store.forget_all(Wanted(image_id=image_id))
            if shown.code != 200:
                return shown
        if relation is not None:
            self._store.record(relation)
            return Answer.of(204)
        if writes:
            self._store.forget(relation_of(dict(parse_query(environ)), image_id))
            return Answer.of(204)
        return self._lists.relations(environ, image_id)


def _is_believed(caller: Caller, relation: Relation) -> bool:
    """Tell whether a relation is recorded without asking Glance: a boot, by a caller who may name any relation.

    A user's token with a service's beside it is none: what the user does not see is not to be related for him.
    """
    return relation.kind is Kind.BOOT and caller.may_name_relations and bool(_USUAL_ID.fullmatch(relation.image_id))


def _object(raw: bytes) -> dict[str, object]:
    """Read a body that is to hold a relation.

    :raises InvalidRelationError: it is no JSON object.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        raise InvalidRelationError("the body is no JSON object", f"give one with {', '.join(KEYS)}")
    return body
