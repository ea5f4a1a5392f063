# SPDX-License-Identifier: Apache-2.0
"""What the real Nova of the functional tests does not do on order: lost answers, refusals of rare kinds, HTML."""

from datetime import UTC, datetime

import pytest
from fakes.web import Answer, serving
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.nova import NovaServers, connect
from amphora_image.config import load
from amphora_image.errors import (
    AccessDeniedError,
    AmbiguousBuildError,
    NoResourcesError,
    PortInUseError,
    QuotaExceededError,
    RequestRefusedError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)

ID = "6b3c0f7e-1234-4abc-8def-0123456789ab"


def refusal(status, text):
    return Answer({"refused": {"message": text, "code": status}}, status)


def servers_at(url, tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[nova]\nendpoint = {url}\n")
    return NovaServers(connect(Session(auth=Token(url, "token")), load([str(ini)]).nova), deadline_seconds=0.5)


def create(servers):
    return servers.create("amphora-1", image="i1", flavor="f1", key_name="k1", nics=[], availability_zone="z1")


@pytest.mark.parametrize(
    ("text", "resource", "named"),
    [
        ("Flavor f1 could not be found.", "flavor", "f1"),
        ("Invalid key_name provided.", "key pair", "k1"),
        (f"Network {ID} could not be found.", "network", ID),
        ("The requested availability zone is not available", "availability zone", "z1"),
        ("Unable to find security_group with name or id 'sg'", "security group", "sg"),
        (f"Port id {ID} could not be found.", "port", ID),
        (f"Instance group {ID} could not be found.", "server group", ID),
        ("Can not find requested image", "image", "i1"),
    ],
)
def test_what_does_not_exist_is_named(tmp_path, text, resource, named):
    with serving(refusal(400, text)) as web, pytest.raises(ResourceNotFoundError) as caught:
        create(servers_at(web.url, tmp_path))
    assert (caught.value.resource, caught.value.identifier) == (resource, named)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (
            refusal(403, "Quota exceeded for instances: Requested 1, but already used 10 of 10 instances"),
            QuotaExceededError,
        ),
        (refusal(403, "Policy doesn't allow os_compute_api:servers:create to be performed."), AccessDeniedError),
        (refusal(403, "Personality file limit exceeded"), RequestRefusedError),
        (refusal(403, "Personality content exceeds maximum size 10240"), RequestRefusedError),
        (refusal(400, "something else"), RequestRefusedError),
        (refusal(503, "not now"), ServiceUnavailableError),
        (refusal(429, "slow down"), ServiceUnavailableError),
        (Answer("", 0), AmbiguousBuildError),
        (Answer("<html>gateway time-out</html>", 504), AmbiguousBuildError),
        (Answer("<html>welcome</html>"), AmbiguousBuildError),
        (refusal(500, "Unexpected API Error."), AmbiguousBuildError),
    ],
)
def test_one_post_is_sent_and_its_failure_told_for_what_it_is(tmp_path, answer, kind):
    with serving(answer) as web:
        with pytest.raises(kind) as caught:
            create(servers_at(web.url, tmp_path))
        assert type(caught.value) is kind
        assert [method for method, _, _ in web.asked] == ["POST"]


def test_a_nova_that_is_not_there_made_nothing(tmp_path):
    with serving() as web:
        servers = servers_at(web.url, tmp_path)
    with pytest.raises(ServiceUnavailableError, match="Nova"):
        create(servers)


def test_a_read_is_tried_again_but_not_when_there_is_nothing(tmp_path):
    with serving(refusal(503, "later"), refusal(404, "gone")) as web:
        with pytest.raises(ResourceNotFoundError, match=f"server {ID}"):
            servers_at(web.url, tmp_path).get(ID)
        assert len(web.asked) == 2


def test_a_delete_is_tried_again_and_what_is_gone_is_success(tmp_path):
    with serving(Answer("", 0), refusal(404, "gone")) as web:
        assert servers_at(web.url, tmp_path).delete(ID) is False
        assert len(web.asked) == 2


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (refusal(400, "Failed to claim PCI device for the port"), NoResourcesError, "p1"),
        (refusal(500, "PortBindingFailed: p1"), NoResourcesError, "p1"),
        (refusal(404, f"Instance {ID} could not be found."), ResourceNotFoundError, f"Instance {ID}"),
        (refusal(404, "Port p1 could not be found."), ResourceNotFoundError, "Port p1"),
        (refusal(409, "Cannot 'attach_interface' while building"), RequestRefusedError, "building"),
        (refusal(400, "Must not input both network_id and port_id"), RequestRefusedError, "both"),
    ],
)
def test_a_port_that_cannot_be_plugged_is_told_why(tmp_path, answer, kind, told):
    with serving(answer) as web, pytest.raises(kind, match=told):
        servers_at(web.url, tmp_path).attach(ID, port_id="p1")


@pytest.mark.parametrize("mine", [True, False])
def test_a_port_in_use_is_success_only_when_it_is_plugged_into_this_server(tmp_path, mine):
    plugged = {"port_id": "p1" if mine else "p2", "net_id": "n1", "fixed_ips": [{"ip_address": "192.0.2.7"}]}
    answers = [refusal(409, "Port p1 is still in use."), Answer({"interfaceAttachments": [plugged]})]
    with serving(*answers) as web:
        servers = servers_at(web.url, tmp_path)
        if mine:
            assert servers.attach(ID, port_id="p1").ip_addresses == ("192.0.2.7",)
        else:
            with pytest.raises(PortInUseError):
                servers.attach(ID, port_id="p1")


def flavor(specs):
    raw = {"id": "f1", "name": "amphora", "ram": 1024, "disk": 2, "links": []}
    return Answer({"flavor": raw}), Answer({"extra_specs": specs}) if isinstance(specs, dict) else specs


@pytest.mark.parametrize(
    ("specs", "architecture"),
    [
        ({}, None),
        ({"trait:HW_ARCH_AARCH64": "required"}, "aarch64"),
        ({"trait:HW_ARCH_AARCH64": "forbidden"}, None),
        ({"trait:COMPUTE_ARCH_X86_64": "required", "hw:cpu_policy": "shared"}, "x86_64"),
        ({"capabilities:cpu_info:arch": "s== x86_64"}, "x86_64"),
        (refusal(403, "Policy doesn't allow os-flavor-extra-specs:index to be performed."), None),
    ],
)
def test_a_flavor_tells_the_architecture_that_it_asks_for(tmp_path, specs, architecture):
    with serving(*flavor(specs)) as web:
        found = servers_at(web.url, tmp_path).flavor("f1")
    assert (found.id, found.name, found.ram, found.disk) == ("f1", "amphora", 1024, 2)
    assert found.architecture == architecture


def test_a_missing_flavor_or_key_pair_names_its_option(tmp_path):
    with serving(refusal(404, "no"), refusal(404, "no")) as web:
        servers = servers_at(web.url, tmp_path)
        with pytest.raises(ResourceNotFoundError, match="amp_flavor_id"):
            servers.flavor("f1")
        with pytest.raises(ResourceNotFoundError, match="amp_ssh_key_name"):
            servers.check_key_pair("k1")


def test_all_servers_are_listed_page_by_page_with_their_age(tmp_path):
    raw = {
        "id": ID,
        "name": "a",
        "status": "ACTIVE",
        "image": "",
        "flavor": {"id": "f"},
        "created": "2026-01-01T00:00:00Z",
    }
    with serving(Answer({"servers": [raw]}), Answer({"servers": []})) as web:
        (found,) = servers_at(web.url, tmp_path).everything()
    assert (found.server.id, found.server.image_id, found.created_at.isoformat()) == (
        ID,
        None,
        "2026-01-01T00:00:00+00:00",
    )
    now = datetime.now(UTC)
    assert found.age_seconds == pytest.approx((now - found.created_at).total_seconds(), abs=5)
    assert "marker" not in web.asked[0][1]
    assert f"marker={ID}" in web.asked[1][1]


def test_a_value_that_nova_repeats_is_left_out(tmp_path):
    told = "Invalid input for field/attribute user_data. Value: Y2FuYXJ5LTQ3MTE=. is too long"
    with serving(refusal(400, told)) as web, pytest.raises(RequestRefusedError, match="user_data") as caught:
        create(servers_at(web.url, tmp_path))
    assert "Y2FuYXJ5" not in str(caught.value)
