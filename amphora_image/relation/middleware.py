# SPDX-License-Identifier: Apache-2.0
"""The filter for Glance's pipeline, after ``context``: it takes relations out of requests, and answers about them.

It is loaded by PasteDeploy: ``paste.filter_factory = amphora_image.relation.middleware:filter_factory``. What does not
concern relations is passed on as it came.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

from oslo_config import cfg

from amphora_image.clients.own_servers import shows
from amphora_image.config.relation import RELATION, RELATION_OPTIONS
from amphora_image.errors import AccessDeniedError, AmphoraImageError, ConfigurationError, InvalidRelationError
from amphora_image.relation.database import Database, Settings
from amphora_image.relation.lists import Lists, concerns_relations, parse_query
from amphora_image.relation.resource import RelationsOfImage
from amphora_image.relation.store import RelationStore
from amphora_image.relation.values import parse_uuid
from amphora_image.relation.wire import Answer
from amphora_image.relation.writing import Trust, Writing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from amphora_image.relation.wire import Application, Environ

LOG = logging.getLogger(__name__)

_IMAGES = "/v2/images"
_PATH = re.compile(r"/v2/images(?:/(?P<id>[^/]+)(?P<relations>/relations)?)?")


class RelationsFilter:
    """WSGI: ``application`` is what follows in the pipeline."""

    def __init__(self, application: Application, store: RelationStore, trust: Trust) -> None:
        self._application = application
        self._lists = Lists(store, application)
        self._writing = Writing(store, application, trust)
        self._resource = RelationsOfImage(store, application, self._lists)

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Answer a request, or pass it on."""
        path = environ["PATH_INFO"]
        found = _PATH.fullmatch(path) if path.startswith(_IMAGES) else None
        try:
            answered = self._answer(environ, start_response, found) if found else None
        except InvalidRelationError as error:
            answered = Answer.error(400, str(error)).send(environ, start_response)
        except AccessDeniedError as error:
            answered = Answer.error(403, str(error)).send(environ, start_response)
        except AmphoraImageError as error:
            LOG.error("%s %s is refused: %s", environ["REQUEST_METHOD"], path, error)  # noqa: TRY400 - it is told
            told = "relations cannot be read or written now; try again later, and see Glance's log"
            answered = Answer.error(503, told).send(environ, start_response)
        return self._application(environ, start_response) if answered is None else answered

    def _answer(self, environ: Environ, start_response: Any, found: re.Match[str]) -> Any:
        """Answer what concerns relations; None for what does not."""
        method, image_id = environ["REQUEST_METHOD"], found["id"]
        if found["relations"]:
            return self._resource.answer(environ, image_id).send(environ, start_response)
        if image_id is None and method == "GET":
            query = parse_query(environ) if environ.get("QUERY_STRING") else []
            if concerns_relations(query):
                return self._lists.images(environ, query).send(environ, start_response)
        elif image_id is None and method == "POST":
            return self._writing.create(environ, start_response)
        elif image_id is not None and method == "PATCH":
            return self._writing.update(environ, start_response, image_id)
        elif image_id is not None and method == "DELETE":
            return self._writing.delete(environ, start_response, image_id)
        return None


def made(application: Application, conf: cfg.ConfigOpts) -> RelationsFilter:
    """Make the filter from ``[relation]``; nothing is connected to yet.

    :raises ConfigurationError: an option cannot be used.
    """
    group = conf[RELATION]
    try:
        installations = {user: parse_uuid(text, "installation") for user, text in group.installations.items()}
    except InvalidRelationError as error:
        raise ConfigurationError(f"[relation] installations: {error}", "give NAME@DOMAIN:INSTALLATION_UUID") from error

    def shown(environ: Environ, server_id: str) -> bool:
        token, catalogue = environ.get("HTTP_X_AUTH_TOKEN", ""), environ.get("HTTP_X_SERVICE_CATALOG", "")
        return shows(token, catalogue, server_id, deadline_seconds=group.timeout_seconds)

    store = RelationStore(Database(Settings.of(conf)))
    return RelationsFilter(application, store, Trust(installations, shown))


def filter_factory(_global_conf: Any, **_local_conf: Any) -> Callable[[Application], RelationsFilter]:
    """Make what PasteDeploy asks for; the options are in Glance's own configuration, ``[relation]``."""
    conf = cfg.CONF
    conf.register_opts(RELATION_OPTIONS, group=RELATION)
    return lambda application: made(application, conf)
