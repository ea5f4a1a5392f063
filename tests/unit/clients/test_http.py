# SPDX-License-Identifier: Apache-2.0
"""Our HTTP session beside requests' own: what reaches the adapter, which opens connections and verifies, is the same."""

from email.message import Message

import pytest
import requests
from keystoneauth1.session import TCPKeepAliveAdapter
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar

from amphora_image.clients.http import Http

ANSWER = b'{"images": []}'


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
