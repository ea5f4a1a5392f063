# SPDX-License-Identifier: Apache-2.0
"""Lists: the images of an instance, and the relations of an image, each seen as Glance lets the caller see images."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from amphora_image.errors import InvalidRelationError
from amphora_image.relation.keys import ANSWERED, INSTALLATION, INSTANCE, KEYS, KIND, as_json
from amphora_image.relation.store import Wanted
from amphora_image.relation.values import parse_kind, parse_uuid
from amphora_image.relation.wire import Answer, ask, reading

if TYPE_CHECKING:
    from collections.abc import Sequence

    from amphora_image.relation.store import RelationStore
    from amphora_image.relation.wire import Application, Environ

_IMAGES = "/v2/images"
_MOST_IMAGES = 10_000
#: Which no image has: Glance answers with an empty list, after it has read the rest of the query.
_NO_IMAGE = "00000000-0000-0000-0000-000000000000"
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 1000

Query = list[tuple[str, str]]


def parse_query(environ: Environ) -> Query:
    """Read the query of a request, in its order."""
    return parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True)


def concerns_relations(query: Query) -> bool:
    """Tell whether a list of images is asked for by instance."""
    return any(name in {INSTANCE, INSTALLATION} for name, _value in query)


class Lists:
    """Answers from ``store``, as far as Glance behind the filter, ``application``, shows the images."""

    def __init__(self, store: RelationStore, application: Application) -> None:
        self._store = store
        self._application = application

    def images(self, environ: Environ, query: Query) -> Answer:
        """Give the page of Glance's list that is asked for, of an instance's images only.

        Glance does all but the choice by instance, in one query by ids: so whom an image is shown to, the other
        filters, the order, and where a page begins and ends are as in any list.

        :raises InvalidRelationError: the query is not about one instance, or about one that has too many images.
        """
        wanted = _wanted(query)
        if wanted.instance_id is None:
            raise InvalidRelationError(f"images are asked for by {INSTALLATION} alone", f"give {INSTANCE} too")
        found = self._store.image_ids(wanted, limit=_MOST_IMAGES + 1)
        if len(found) > _MOST_IMAGES:
            problem = f"instance {wanted.instance_id} has more than {_MOST_IMAGES} images"
            raise InvalidRelationError(problem, f"ask for one {KIND} or one {INSTALLATION}")
        others = [(name, value) for name, value in query if name not in {*KEYS, "id"}]
        chosen = _chosen(found, [value for name, value in query if name == "id"])
        behind = urlencode([*others, ("id", f"in:{','.join(chosen or [_NO_IMAGE])}")])
        answer = ask(self._application, reading(environ, _IMAGES, behind))
        if answer.code != 200:
            return answer
        page = answer.json()
        asked = [(name, value) for name, value in query if name != "marker"]
        page["first"] = f"{_IMAGES}?{urlencode(asked)}"
        if "next" in page:
            marker = dict(parse_qsl(urlsplit(page["next"]).query))["marker"]
            page["next"] = f"{_IMAGES}?{urlencode([*asked, ('marker', marker)])}"
        page[ANSWERED] = wanted.instance_id
        return answer.with_json(page)

    def relations(self, environ: Environ, image_id: str) -> Answer:
        """Give a page of an image's relations, the newest first, to whom Glance shows the image.

        :raises InvalidRelationError: the query is none.
        """
        query = parse_query(environ)
        wanted = _wanted(query)
        parameters = dict(query)
        limit = min(_number(parameters.get("limit", str(_DEFAULT_LIMIT)), "limit"), _MAX_LIMIT)
        marker = _number(parameters["marker"], "marker") if "marker" in parameters else None
        page = self._store.page(
            Wanted(
                instance_id=wanted.instance_id, image_id=image_id, installation=wanted.installation, kind=wanted.kind
            ),
            limit=limit,
            before=marker,
        )
        asked = [(name, value) for name, value in query if name != "marker"]
        path = f"{_IMAGES}/{quote(image_id, safe='')}/relations"
        body = {"relations": [as_json(each) for each in page], "first": _link(path, asked)}
        if limit and len(page) == limit:
            body["next"] = _link(path, [*asked, ("marker", str(page[-1].sequence))])
        return Answer.of(200, body)


def _wanted(query: Query) -> Wanted:
    """Read which relations are meant.

    :raises InvalidRelationError: a key comes twice, or is not what it should be.
    """
    found: dict[str, str] = {}
    for name, value in query:
        if name in KEYS:
            if name in found:
                raise InvalidRelationError(f"{name} comes twice in the query", "give it once")
            found[name] = value
    return Wanted(
        instance_id=parse_uuid(found[INSTANCE], INSTANCE) if INSTANCE in found else None,
        installation=parse_uuid(found[INSTALLATION], INSTALLATION) if INSTALLATION in found else None,
        kind=parse_kind(found[KIND], KIND) if KIND in found else None,
    )


def _chosen(found: Sequence[str], filters: Sequence[str]) -> list[str]:
    """Leave those ids that Glance's own filter by id allows, if the query has one: ``ID`` or ``in:ID,ID``."""
    chosen = set(found)
    for text in filters:
        chosen &= set(text.removeprefix("in:").replace('"', "").split(",")) if text.startswith("in:") else {text}
    return sorted(chosen)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise InvalidRelationError(f"{name} {text[:60]!r} is no whole number", "give the one that a next link has")
    return int(text)


def _link(path: str, query: Query) -> str:
    return f"{path}?{urlencode(query)}" if query else path
