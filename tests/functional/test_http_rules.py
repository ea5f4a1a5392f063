# SPDX-License-Identifier: Apache-2.0
"""What may be read at all, and what is sent to whom: addresses, redirects, TLS, credentials. All on loopback."""

import base64
import hashlib
import os
import socket
import ssl
import time

import pytest
from oslo_config import cfg
from support.authority import Authority
from support.image_server import Fault, serving_image

from amphora_image.config import register_opts
from amphora_image.errors import (
    ConfigurationError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceUnavailableError,
)
from amphora_image.reference import Reference
from amphora_image.services.http import HttpService
from amphora_image.services.web.wire import Net

CONTENT = b"an image" * 1000
PIN = f"#sha256={hashlib.sha256(CONTENT).hexdigest()}"
PUBLIC = "203.0.112.1"  # public by the rule; never connected to


class Names:
    """A resolver of made-up names, which answers each with the next of its addresses; an address is itself."""

    def __init__(self, **names):
        self.names = {name.replace("_", "."): list(addresses) for name, addresses in names.items()}
        self.asked = []

    def __call__(self, host, port, *, type):  # noqa: A002 - getaddrinfo has it
        self.asked.append(host)
        known = self.names.get(host)
        answers = (known.pop(0) if len(known) > 1 else known[0]) if known else host
        found = []
        for address in [answers] if isinstance(answers, str) else answers:
            found += socket.getaddrinfo(address, port, type=type, flags=socket.AI_NUMERICHOST)
        return found


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def conf(authority):
    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf([], project="nothing")
    settings = {"allowed_addresses": ["127.0.0.1/32"], "allowed_ports": [], "retry_deadline_seconds": 0.2}
    for name, value in {**settings, "ca_certificates_file": str(authority.path)}.items():
        conf.set_override(name, value, "image_http")
    return conf


@pytest.fixture
def read(conf):
    def call(url, names=None):
        with HttpService(conf, Net(resolve=names or Names())).read(Reference.parse(url)) as blocks:
            return b"".join(blocks)

    return call


@pytest.fixture
def web():
    with serving_image(CONTENT) as server:
        yield server


@pytest.fixture
def secure(authority):
    with serving_image(CONTENT, tls=authority.server("images.example", "127.0.0.1"), name="images.example") as server:
        yield server


HERE = {"images_example": ["127.0.0.1"], "other_example": ["127.0.0.1"]}


def test_tls_is_verified_for_the_name_though_the_address_is_connected_to(secure, read):
    names = Names(**HERE)
    assert read(secure.url, names) == CONTENT
    assert names.asked == ["images.example"]
    assert secure.asked[0][2]["host"] == f"images.example:{secure.port}"


def test_loopback_is_not_allowed_unless_said_so(web, read, conf):
    """ "private, loopback, link-local […]" """
    conf.clear_override("allowed_addresses", "image_http")
    with pytest.raises(SourceForbiddenError, match=r"127\.0\.0\.1 is not public; add its network to allowed_addresses"):
        read(web.url + PIN)
    assert not web.asked


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "localhost"])
def test_another_spelling_of_an_address_is_the_address(web, conf, host):
    """ "mapped and rebinding forms" """
    conf.clear_override("allowed_addresses", "image_http")
    with (
        pytest.raises(SourceForbiddenError, match="is not public"),
        HttpService(conf).read(Reference.parse(f"http://{host}:{web.port}/x{PIN}")),
    ):
        pass
    assert not web.asked


def test_denied_addresses_come_before_allowed_ones(web, read, conf):
    conf.set_override("denied_addresses", ["127.0.0.0/8"], "image_http")
    with pytest.raises(SourceForbiddenError, match="is in denied_addresses"):
        read(web.url + PIN)
    assert not web.asked


def test_a_port_that_is_not_allowed_is_refused(web, read, conf):
    conf.clear_override("allowed_ports", "image_http")
    with pytest.raises(SourceForbiddenError, match=rf"port {web.port} is not allowed; add the port to allowed_ports"):
        read(web.url + PIN)
    assert not web.asked


def test_a_rebinding_name_is_resolved_once_and_what_was_judged_is_connected_to(web, read):
    """ "to a rebinding name": allowed when it is judged, another address when it is connected to"""
    names = Names(rebinding_example=["127.0.0.1", "127.0.0.2"])
    assert read(f"http://rebinding.example:{web.port}/x{PIN}", names) == CONTENT
    assert names.asked == ["rebinding.example"]


def test_a_rebinding_name_is_judged_again_for_each_connection(web, read):
    web.faults = [Fault(cut_after=100)]
    names = Names(rebinding_example=["127.0.0.1", "127.0.0.2"])
    with pytest.raises(SourceForbiddenError, match=r"127\.0\.0\.2 is not public"):
        read(f"http://rebinding.example:{web.port}/x{PIN}", names)
    assert len(web.asked) == 1


def test_of_a_names_addresses_only_the_allowed_are_tried(web, read):
    names = Names(both_example=[["127.0.0.2", "127.0.0.1"]])
    with socket.create_server(("127.0.0.2", web.port)) as other:
        other.setblocking(False)
        assert read(f"http://both.example:{web.port}/x{PIN}", names) == CONTENT
        with pytest.raises(BlockingIOError):
            other.accept()


def test_an_address_of_a_kind_that_this_machine_does_not_speak_is_passed_over(web, conf):
    def resolve(_, port, **__):
        found = socket.getaddrinfo("127.0.0.1", port, type=socket.SOCK_STREAM)
        return [(socket.AF_APPLETALK, *found[0][1:]), *found]

    with HttpService(conf, Net(resolve=resolve)).read(Reference.parse(web.url + PIN)) as blocks:
        assert b"".join(blocks) == CONTENT


def test_a_redirect_is_followed_and_judged_again(web, read):
    """ "every redirect checked again"; "[redirect] to an address that is not allowed" """
    with serving_image(CONTENT, host="127.0.0.2") as other:
        web.faults = [Fault(status=302, headers={"Location": "/elsewhere?x=1"}), Fault()]
        assert read(web.url + PIN) == CONTENT
        assert [path for _, path, _ in web.asked] == ["/amphora.img", "/elsewhere?x=1"]
        web.faults = [Fault(status=307, headers={"Location": other.url})]
        with pytest.raises(SourceForbiddenError, match=r"127\.0\.0\.2 is not public"):
            read(web.url + PIN)
        assert not other.asked


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("file:///etc/passwd", "it redirects to file://"),
        ("FILE:///etc/passwd", "it redirects to file://"),
        ("glance://tag/x", "it redirects to glance://"),
        ("ftp://127.0.0.1/x", "it redirects to ftp://"),
        ("https://me:canary@127.0.0.1/x", "it holds credentials"),
        ("http://[", "it is no URL"),
        ("", "does not say to where"),
        ("http://h/a b", "the path holds what a URL cannot"),
    ],
)
def test_a_redirect_to_what_is_no_web_server_is_not_followed(web, read, location, told):
    """ "redirect to file:"; OSSA-2025-001: file:// that nothing filters"""
    web.faults = [Fault(status=302, headers={"Location": location})]
    with pytest.raises(SourceForbiddenError, match=told) as caught:
        read(web.url + PIN)
    assert "canary" not in str(caught.value)
    assert len(web.asked) == 1


def test_a_redirect_loop_comes_to_an_end(web, read):
    """ "redirect loop" """
    web.every = Fault(status=301, headers={"Location": web.url})
    with pytest.raises(SourceForbiddenError, match="come to no end"):
        read(web.url + PIN)
    assert len(web.asked) == 1
    web.every = None
    web.faults = [Fault(status=301, headers={"Location": f"/{number}"}) for number in range(30)]
    with pytest.raises(SourceForbiddenError, match="come to no end"):
        read(web.url + PIN)
    assert len(web.asked) < 20


def test_a_redirect_from_https_down_to_http_is_not_followed(secure, web, read):
    """ "https → http downgrade is allowed" """
    secure.faults = [Fault(status=302, headers={"Location": web.url})]
    with pytest.raises(SourceForbiddenError, match="redirects from https down to http://"):
        read(secure.url + PIN, Names(**HERE))
    assert not web.asked


@pytest.mark.parametrize(
    ("names", "days", "told"), [(["images.example"], -1, "expired"), (["x.example"], 1, "mismatch")]
)
def test_a_certificate_that_is_expired_or_for_another_name_is_refused(authority, read, names, days, told):
    """ "certificate expired or for another name" """
    with serving_image(CONTENT, tls=authority.server(*names, days=days), name="images.example") as server:
        with pytest.raises(SourceRefusedError, match=f"its certificate is not to be trusted: .*{told}"):
            read(server.url + PIN, Names(**HERE))
        assert not server.asked


def test_a_certificate_for_one_name_is_none_for_another_at_the_same_address(secure, read):
    with pytest.raises(SourceRefusedError, match=r"mismatch.*other\.example"):
        read(secure.url.replace("images", "other"), Names(**HERE))
    assert not secure.asked


def test_an_authority_that_is_not_named_is_not_trusted(secure, read, conf):
    conf.clear_override("ca_certificates_file", "image_http")
    with pytest.raises(SourceRefusedError, match="set ca_certificates_file"):
        read(secure.url, Names(**HERE))


def test_tls_older_than_the_minimum_is_refused(authority, read, conf):
    context = authority.server("images.example")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving_image(CONTENT, tls=context, name="images.example") as server:
        assert read(server.url, Names(**HERE)) == CONTENT
        conf.set_override("minimum_tls_version", "1.3", "image_http")
        with pytest.raises(SourceRefusedError, match="TLS cannot be spoken with it"):
            read(server.url, Names(**HERE))


def test_a_client_certificate_is_shown_to_the_named_host_and_to_no_other(authority, read, conf):
    conf.set_override("client_certificate_file", str(authority.issue("worker")), "image_http")
    context = authority.server("images.example", "other.example", wants_client=True)
    with serving_image(CONTENT, tls=context, name="images.example") as server:
        assert read(server.url, Names(**HERE)) == CONTENT
        server.every = Fault(status=302, headers={"Location": server.url.replace("images", "other")})
        with pytest.raises((SourceRefusedError, SourceUnavailableError), match=r"other\.example"):
            read(server.url, Names(**HERE))
        assert {headers["host"].partition(":")[0] for _, _, headers in server.asked} == {"images.example"}


def test_a_file_for_tls_that_is_missing_is_told(secure, read, conf):
    conf.set_override("client_certificate_file", "/nowhere.pem", "image_http")
    with pytest.raises(ConfigurationError, match="correct ca_certificates_file, client_certificate_file"):
        read(secure.url, Names(**HERE))


@pytest.fixture
def credentials(tmp_path, conf):
    def write(text, *, option="credentials_file", mode=0o600):
        path = tmp_path / option
        path.write_text(text)
        path.chmod(mode)
        conf.set_override(option, str(path), "image_http")

    return write


BASIC = "Basic " + base64.b64encode(b"me:canary%1").decode()


@pytest.mark.parametrize(
    ("section", "header", "value"),
    [
        ("type = basic\nusername = me\npassword = canary%1", "authorization", BASIC),
        ("type = bearer\ntoken = canary", "authorization", "Bearer canary"),
        ("type = header\nheader = X-Auth-Token\nvalue = canary", "x-auth-token", "canary"),
    ],
)
def test_credentials_are_sent_to_their_host(secure, read, credentials, section, header, value):
    """ "credentials per host (basic, bearer, header […])" """
    credentials(f"[images.example]\n{section}\n")
    assert read(secure.url, Names(**HERE)) == CONTENT
    assert secure.asked[0][2][header] == value


def test_a_section_with_the_port_comes_first(secure, read, credentials):
    name = f"images.example:{secure.port}"
    credentials(f"[images.example]\ntype = bearer\ntoken = a\n[{name}]\ntype = bearer\ntoken = b\n")
    read(secure.url, Names(**HERE))
    assert secure.asked[0][2]["authorization"] == "Bearer b"


def test_a_netrc_is_used_for_hosts_without_a_section(secure, read, credentials):
    """ "netrc" """
    credentials(
        "default login you password canary\nmachine images.example login me password canary%1\n", option="netrc_file"
    )
    read(secure.url, Names(**HERE))
    assert secure.asked[0][2]["authorization"] == BASIC
    credentials("default login you password canary\n", option="netrc_file")
    read(secure.url, Names(**HERE))
    assert "authorization" not in secure.asked[1][2]


def test_credentials_are_never_sent_to_another_host(authority, read, credentials):
    """CVE-2026-90461: a Basic credential that is sent to a host which it is not for."""
    credentials("[images.example]\ntype = bearer\ntoken = canary\n")
    context = authority.server("images.example", "other.example")
    with serving_image(CONTENT, tls=context, name="images.example") as server:
        elsewhere = server.url.replace("images", "other")
        server.faults = [Fault(status=302, headers={"Location": elsewhere})]
        assert read(server.url, Names(**HERE)) == CONTENT
        assert read(elsewhere, Names(**HERE)) == CONTENT
        sent = [(headers["host"].partition(":")[0], headers.get("authorization")) for _, _, headers in server.asked]
        assert sent == [("images.example", "Bearer canary"), ("other.example", None), ("other.example", None)]


def test_credentials_are_never_sent_over_http(web, read, credentials):
    """ "never sent to another host or down to http" """
    credentials("[127.0.0.1]\ntype = bearer\ntoken = canary\n")
    read(web.url + PIN)
    assert "authorization" not in web.asked[0][2]


@pytest.mark.parametrize("option", ["credentials_file", "netrc_file"])
def test_a_file_with_credentials_that_others_can_read_is_refused(secure, read, credentials, option):
    credentials("machine images.example login me password canary\n", option=option, mode=0o604)
    with pytest.raises(ConfigurationError, match=r"its mode 604 lets others at it; run `chmod 600") as caught:
        read(secure.url, Names(**HERE))
    assert "canary" not in str(caught.value)
    assert not secure.asked


@pytest.mark.parametrize(
    "text",
    [
        "canary",
        "[images.example]\ncanary",
        "[images.example]\ntype = basic\nusername = me\n",
        "[images.example]\ntype = bearer\ntoken = canary\npassword = canary\n",
        "[images.example]\ntype = digest\npassword = canary\n",
        "[images.example]\npassword = canary\n",
        "[images.example]\ntype = bearer\ntoken = canary\n x\n",
        "[images.example]\ntype = header\nheader = X: canary\nvalue = canary\n",
        "[images.example]\ntype = bearer\ntoken = canary\n[images.example]\ntype = bearer\ntoken = canary\n",
    ],
)
def test_a_file_with_credentials_that_cannot_be_used_is_told_without_what_is_in_it(secure, read, credentials, text):
    credentials(text)
    with pytest.raises(ConfigurationError) as caught:
        read(secure.url, Names(**HERE))
    assert "canary" not in str(caught.value)
    assert not secure.asked


def test_the_line_that_is_no_ini_is_told(secure, read, credentials):
    credentials("[images.example]\ncanary")
    with pytest.raises(ConfigurationError, match="line 2, is no ini"):
        read(secure.url, Names(**HERE))


def test_a_missing_file_with_credentials_is_told(secure, read, conf):
    conf.set_override("credentials_file", "/nowhere", "image_http")
    with pytest.raises(ConfigurationError, match="/nowhere, which should hold credentials, cannot be read: No such"):
        read(secure.url, Names(**HERE))


def test_a_pipe_in_the_place_of_credentials_is_told_and_not_waited_for(secure, read, conf, tmp_path):
    os.mkfifo(tmp_path / "pipe", 0o600)
    conf.set_override("credentials_file", str(tmp_path / "pipe"), "image_http")
    with pytest.raises(ConfigurationError, match="pipe, which should hold credentials, is no file"):
        read(secure.url, Names(**HERE))


def test_proxies_in_the_environment_are_not_asked(web, read, monkeypatch):
    for name in ("http_proxy", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.2:9")
    assert read(web.url + PIN) == CONTENT


@pytest.mark.parametrize(
    ("code", "error"), [(socket.EAI_NONAME, SourceNotFoundError), (socket.EAI_AGAIN, SourceUnavailableError)]
)
def test_a_host_that_there_is_not_is_told_at_once_and_a_resolver_that_fails_is_asked_again(conf, code, error):
    asked = []

    def resolve(host, *_, **__):
        asked.append(host)
        raise socket.gaierror(code, "not known")

    with pytest.raises(error, match=r"nowhere\.example has no address \(not known\)"):
        HttpService(conf, Net(resolve=resolve)).stat(Reference.parse("https://nowhere.example/x"))
    assert (len(asked) > 1) == (error is SourceUnavailableError)


def test_a_signature_in_a_url_is_never_told(web, read):
    web.every = Fault(status=404)
    with pytest.raises(Exception, match="names no image") as caught:
        read(f"{web.url}?signature=canary{PIN}")
    assert "canary" not in str(caught.value)


def test_a_host_that_takes_the_connection_and_never_speaks_tls_is_left_after_the_connect_deadline(conf, read):
    """The issue: "connect, read and total deadlines"."""
    conf.set_override("connect_deadline_seconds", 0.3, "image_http")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        with pytest.raises(SourceUnavailableError, match="TLS did not begin"):
            read(f"https://127.0.0.1:{silent.getsockname()[1]}/image{PIN}")
        assert 0.3 <= time.monotonic() - began < 5
