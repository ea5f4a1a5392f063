# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from fakes.web import Answer, serving
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.octavia import OctaviaAmphorae
from amphora_image.errors import AccessDeniedError
from amphora_image.models import Amphora

GROUP = SimpleNamespace(endpoint_type="publicURL", region_name="")
RECORD = {
    "id": "a1",
    "status": "ALLOCATED",
    "compute_id": "s1",
    "loadbalancer_id": "lb1",
    "image_id": "i1",
    "created_at": "2026-01-02T03:04:05",
}


def octavia_at(web):
    return OctaviaAmphorae(Session(auth=Token(web.url, "canary-token")), GROUP, deadline_seconds=5)


def test_all_amphorae_are_listed_to_the_last_page():
    following = [{"rel": "next", "href": "http://elsewhere/v2.0/octavia/amphorae?limit=1&marker=a1"}]
    pages = Answer({"amphorae": [RECORD], "amphorae_links": following}), Answer({"amphorae": [{"id": "a2"}]})
    with serving(*pages) as web:
        octavia = octavia_at(web)
        assert octavia.is_there()
        found = octavia.everything()
        paths = [path for _, path, _ in web.asked]
    assert paths == ["/v2.0/octavia/amphorae?limit=1000", "/v2.0/octavia/amphorae?limit=1&marker=a1"]
    assert found == [
        Amphora(
            id="a1",
            status="ALLOCATED",
            server_id="s1",
            load_balancer_id="lb1",
            image_id="i1",
            created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        ),
        Amphora(id="a2"),
    ]


def test_who_is_no_administrator_is_told_so():
    with serving(Answer({"faultstring": "no"}, 403)) as web, pytest.raises(AccessDeniedError, match="list amphorae"):
        octavia_at(web).everything()
