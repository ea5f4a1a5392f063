# SPDX-License-Identifier: Apache-2.0
"""Our HTTP session and its adapter beside requests' and keystoneauth's own: what they send and answer is the same."""

import gzip
from email.message import Message

import pytest
import requests
from fakes.wire import HANG_UP, saying
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar

from amphora_image.clients.http import Http

ANSWER = b'{"images": []}'
USUAL = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"images": 1}'
ZIPPED = gzip.compress(b'{"images": 1}', mtime=0)


class Recorder(BaseAdapter):
    """In the adapter's place: keeps what it is given, and answers with a cookie."""

    def __init__(self):
        super().__init__()
        self.sent, self.settings, self.status = [], [], 200

    def send(self, request, **settings):
        self.sent.append(request)
        self.settings.append(settings)
        answer = requests.Response()
        answer.status_code, answer.request, answer.url = self.status, request, request.url
        answer._content = ANSWER
        answer.headers.update({"Location": "http://elsewhere/"})
        told = Message()
        told["Set-Cookie"] = "session=1"
        original = type("Original", (), {"msg": told})()
        answer.raw = type("Raw", (), {"_original_response": original, "headers": {}})()
        extract_cookies_to_jar(answer.cookies, request, answer.raw)
        return answer

    def close(self):
        pass


def sent_by(session, method, url, **keywords):
    """Send by ``session``, and give what its adapter was given: the request and the settings."""
    recorder = Recorder()
    for scheme in ("http://", "https://"):
        session.mount(scheme, recorder)
    answer = session.request(method, url, **{"allow_redirects": False, **keywords})
    assert answer.content == ANSWER
    return recorder.sent[-1], recorder.settings[-1]


def alike(method, url, **keywords):
    """Send by ours and by requests' own session, and give both requests after comparing all else."""
    ours, ours_settings = sent_by(Http(), method, url, **keywords)
    theirs, their_settings = sent_by(requests.Session(), method, url, **keywords)
    assert (ours.method, ours.url) == (theirs.method, theirs.url)
    assert {name: str(value) for name, value in ours.headers.items()} == dict(theirs.headers)
    assert _bytes(ours.body) == _bytes(theirs.body)
    assert {**ours_settings, "proxies": dict(ours_settings["proxies"])} == {
        **their_settings,
        "proxies": dict(their_settings["proxies"]),
    }
    return ours


def _bytes(body):
    return body.encode() if isinstance(body, str) else body


@pytest.mark.parametrize(
    ("method", "url", "keywords"),
    [
        ("GET", "http://glance:9292/v2/images?tag=amphora&sort=created_at%3Adesc", {"headers": {"X-Auth-Token": "t"}}),
        ("get", "https://glance/v2/images", {"headers": {"Accept": None, "user-agent": "x"}, "timeout": 20.0}),
        ("POST", "http://nova/v2.1/servers", {"data": '{"name": "\u00e4"}', "headers": {"Content-Type": "x"}}),
        ("POST", "http://nova/v2.1/servers", {"data": b"{}", "timeout": (3, 4)}),
        ("POST", "http://nova/v2.1/servers", {"data": ""}),
        ("DELETE", "http://nova/v2.1/servers/1", {}),
        ("PUT", "http://glance/v2/images/1/tags/a%2Fb", {}),
        ("GET", "https://nova/", {"verify": "/etc/ca.pem", "cert": ("/c.pem", "/k.pem")}),
        ("GET", "https://nova/", {"verify": False}),
        # What ours hands on to requests.
        ("GET", "http://glance/v2/images/\u00e4 b", {}),
        ("GET", "http://gl\u00e4nce/v2", {}),
        ("GET", "http://GLANCE/v2", {}),
        ("GET", "http://u:p@glance/v2", {}),
        ("GET", "http://glance", {}),
        ("GET", "http://glance/v2#part", {}),
        ("GET", "http://glance/v2/%7euser", {}),
        ("GET", "http://[::1]:9292/v2", {}),
        ("GET", "http://glance/v2", {"params": {"a": "b"}}),
        ("POST", "http://glance/v2", {"json": {"a": 1}}),
        ("POST", "http://glance/v2", {"data": {"a": 1}}),
        ("GET", "http://glance/v2", {"auth": ("u", "p")}),
    ],
)
def test_what_is_sent_is_what_requests_would_send(method, url, keywords):
    alike(method, url, **keywords)


@pytest.mark.parametrize(
    "environment",
    [
        {"HTTP_PROXY": "http://proxy:3128", "HTTPS_PROXY": "http://proxy:3129"},
        {"http_proxy": "http://proxy:3128", "no_proxy": "glance,127.0.0.1"},
        {"all_proxy": "http://proxy:3130"},
        {"REQUESTS_CA_BUNDLE": "/etc/bundle.pem"},
        {"CURL_CA_BUNDLE": "/etc/bundle.pem"},
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("keywords", [{}, {"verify": True}, {"verify": "/etc/ca.pem"}, {"verify": False}])
def test_proxies_and_ca_bundles_of_the_environment_count_as_for_requests(monkeypatch, environment, keywords):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for url in ("http://glance:9292/v2/images", "https://nova/v2.1/servers"):
        alike("GET", url, **keywords)


def test_one_hosts_settings_are_not_anothers():
    session = Http()
    _, strict = sent_by(session, "GET", "https://glance/", verify="/etc/ca.pem")
    _, loose = sent_by(session, "GET", "https://glance/", verify=False)
    assert (strict["verify"], loose["verify"]) == ("/etc/ca.pem", False)


def test_no_password_of_netrc_and_no_cookie_is_sent(monkeypatch, tmp_path):
    (tmp_path / "netrc").write_text("machine glance login u password p\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    session = Http()
    for _ in range(2):
        sent, _ = sent_by(session, "GET", "http://glance/v2/images")
        assert not {"Authorization", "Cookie"} & set(sent.headers)
    theirs, _ = sent_by(requests.Session(), "GET", "http://glance/v2/images")
    assert "Authorization" in theirs.headers


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_is_left_to_keystoneauth(status):
    session, recorder = Http(), Recorder()
    recorder.status = status
    session.mount("http://", recorder)
    assert session.request("GET", "http://glance/v2", allow_redirects=False).status_code == status
    assert len(recorder.sent) == 1


def test_connections_are_kept_alive_as_keystoneauth_does():
    assert all(isinstance(one, TCPKeepAliveAdapter) for one in Http().adapters.values())


def told(answer):
    """What a caller sees of an answer."""
    return (answer.status_code, answer.reason, dict(answer.headers), answer.content, answer.encoding, answer.url)


@pytest.mark.parametrize(
    "answer",
    [
        USUAL,
        b"HTTP/1.1 202 Accepted\r\nVary: a\r\nVary: b\r\nX-Empty:\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 3\r\n\r\n\xc3\xa4!",
        b"HTTP/1.1 503\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZIPPED), ZIPPED),
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end" + HANG_UP,
    ],
)
def test_an_answer_is_what_requests_makes_of_it(answer):
    theirs = requests.Session()
    theirs.mount("http://", TCPKeepAliveAdapter())
    seen = []
    with saying(USUAL, answer, USUAL, USUAL, answer, USUAL) as wire:
        for each in (Http(), theirs):
            with each as session:
                urls = [f"{wire.url}/{path}" for path in "abc"]
                seen.append([told(session.request("GET", url, allow_redirects=False, timeout=20)) for url in urls])
        assert wire.connections == (4 if answer.endswith(HANG_UP) else 2)
    assert seen[0] == seen[1]


def test_each_way_to_verify_has_connections_of_its_own():
    adapter = Http().get_adapter("https://nova/")
    request = requests.Request("GET", "https://nova/").prepare()

    def pool_for(verify, cert=None):
        pool = adapter.get_connection_with_tls_context(request, verify, {}, cert)
        assert adapter.get_connection_with_tls_context(request, verify, {}, cert) is pool
        adapter.cert_verify(pool, request.url, verify, cert)
        return pool

    pools = [pool_for(True), pool_for(False), pool_for(__file__), pool_for(True, __file__)]
    assert len({*map(id, pools)}) == len(pools)
    assert [one.cert_reqs for one in pools] == ["CERT_REQUIRED", "CERT_NONE", "CERT_REQUIRED", "CERT_REQUIRED"]
    assert (pools[2].ca_certs, pools[3].cert_file) == (__file__, __file__)


def test_a_ca_bundle_that_is_not_there_is_missed_each_time(tmp_path):
    session = Http()
    for _ in range(2):
        with pytest.raises(OSError, match="CA certificate bundle"):
            session.request("GET", "https://nova/", allow_redirects=False, verify=str(tmp_path / "no.pem"))


def test_a_proxys_connection_is_not_taken_for_the_hosts(monkeypatch):
    with saying(USUAL, USUAL) as wire, saying(USUAL) as proxy:
        Http().request("GET", f"{wire.url}/a", allow_redirects=False)
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        session = Http()
        session.request("GET", f"{wire.url}/a", allow_redirects=False)
        session.close()
        assert proxy.asked[0].startswith(f"GET {wire.url}/a".encode())
        assert len(wire.asked) == 1


@pytest.mark.parametrize(
    ("method", "url", "asked", "waits"),
    [
        ("GET", "http://glance/v2/images", 60.0, 20.0),
        ("GET", "http://glance/v2/images", 5.0, 5.0),
        ("GET", "http://glance/v2/images", None, 20.0),
        ("POST", "http://keystone/v3/auth/tokens", 60.0, 20.0),
        ("POST", "http://nova/v2.1/servers", 60.0, 60.0),
        ("POST", "http://nova/v2.1/servers", None, None),
    ],
)
def test_what_can_be_asked_again_is_waited_for_a_part_of_the_time(method, url, asked, waits):
    _, settings = sent_by(Http(reading_seconds=20.0), method, url, timeout=asked)
    assert settings["timeout"] == waits
