# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.web import Answer, serving
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.neutron import NeutronNetworks, connect
from amphora_image.config import load
from amphora_image.errors import AccessDeniedError, ResourceNotFoundError, ServiceUnavailableError

MISSING = Answer({"NeutronError": {"message": "not there"}}, 404)


def networks_at(url, folder, options=""):
    ini = folder / "x.ini"
    ini.write_text(f"[neutron]\n{options or f'endpoint = {url}'}\n")
    session = Session(auth=Token(url, "token"))
    return NeutronNetworks(connect(session, load([str(ini)])), deadline_seconds=0.5)


def test_a_network_and_a_group_are_found_by_id(tmp_path):
    with serving(Answer({"network": {"name": "n"}}), Answer({"security_group": {"name": "g"}})) as web:
        networks = networks_at(web.url, tmp_path)
        assert (networks.network("n1"), networks.security_group("g1")) == ("n", "g")
        assert [path for _, path, _ in web.asked] == ["/v2.0/networks/n1", "/v2.0/security-groups/g1"]


@pytest.mark.parametrize("options", ["endpoint = {}", "endpoint = http://127.0.0.1:9\nendpoint_override = {}/v2.0/"])
def test_either_name_of_the_endpoint_does_with_its_version_or_without(tmp_path, options):
    with serving(Answer({"network": {"name": "n"}})) as web:
        networks_at(web.url, tmp_path, options.format(web.url)).network("n1")
        assert [path for _, path, _ in web.asked] == ["/v2.0/networks/n1"]


def test_a_group_is_found_by_name_too_if_that_names_one(tmp_path):
    one, two = ({"security_groups": [{"name": "g"}] * count} for count in (1, 2))
    with serving(MISSING, Answer(one), MISSING, Answer(two)) as web:
        networks = networks_at(web.url, tmp_path)
        assert networks.security_group("g") == "g"
        with pytest.raises(ResourceNotFoundError, match="but 2"):
            networks.security_group("g")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (MISSING, ResourceNotFoundError),
        (Answer({"NeutronError": {"message": "policy"}}, 403), AccessDeniedError),
        (Answer("<html>welcome</html>"), ServiceUnavailableError),
        (Answer([]), ServiceUnavailableError),
        (Answer({"servers": []}), ServiceUnavailableError),
        (Answer("", 0), ServiceUnavailableError),
    ],
)
def test_what_goes_wrong_is_one_of_our_errors(tmp_path, answer, kind):
    with serving(*[answer] * 8) as web, pytest.raises(kind):
        networks_at(web.url, tmp_path).network("n1")


def test_the_newer_name_of_the_ca_file_is_taken_where_the_older_is_empty(tmp_path):
    adapter = connect_with(tmp_path, "cafile = /ca.pem")
    assert adapter.session._verify == "/ca.pem"
    adapter = connect_with(tmp_path, "cafile = /ca.pem\nca_certificates_file = /older.pem\nvalid_interfaces = internal")
    assert (adapter.session._verify, adapter.interface) == ("/older.pem", ["internal"])


def connect_with(folder, options):
    ini = folder / "x.ini"
    ini.write_text(f"[neutron]\n{options}\n")
    return connect(Session(auth=Token("http://127.0.0.1:9", "token")), load([str(ini)]))
