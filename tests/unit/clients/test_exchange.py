# SPDX-License-Identifier: Apache-2.0
"""The exchange on an open connection beside requests' own, against a server that says what it is told to the byte."""

import gzip
import select

import pytest
import requests
from fakes.wire import HANG_UP, SILENCE, saying
from keystoneauth1.session import TCPKeepAliveAdapter

from amphora_image.clients.exchange import OpenConnections

FIRST = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
USUAL = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{"images": 1}'
ZIPPED = gzip.compress(b'{"images": 1}', mtime=0)


class Counted(OpenConnections):
    """Counts what is sent on a connection that was open."""

    quick = 0

    def _exchange(self, *arguments):
        self.quick += 1
        return super()._exchange(*arguments)


def session_over(adapter):
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", adapter)
    return session


@pytest.fixture
def ours():
    with session_over(Counted(4, {})) as session:
        yield session


def told(answer):
    """What a caller sees of an answer."""
    return (answer.status_code, answer.reason, dict(answer.headers), answer.content, answer.encoding, answer.url)


@pytest.mark.parametrize(
    "answer",
    [
        USUAL,
        b"HTTP/1.1 202 Accepted\r\nVary: a\r\nVary:b\r\nX-Empty:\r\nCONTENT-LENGTH: 2\r\nconnection: Keep-Alive\r\n\r\n{}",
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html; charset=UTF-8\r\nContent-Length: 3\r\n\r\n\xc3\xa4!",
        b"HTTP/1.1 503\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX-Name: \xe4\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx" + HANG_UP,
        # What http.client and urllib3 read.
        b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n1\r\na\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s" % (len(ZIPPED), ZIPPED),
        b"HTTP/1.1 100 Continue\r\n\r\n" + USUAL,
        b"HTTP/1.1 200 OK\r\nX-Long: a\r\n  X-Not: b\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}" + HANG_UP,
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end" + HANG_UP,
    ],
)
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.HTTPWarning")
def test_an_answer_is_what_requests_makes_of_it(ours, answer):
    theirs = session_over(TCPKeepAliveAdapter())
    with saying(FIRST, answer, USUAL) as wire:
        seen = [told(ours.get(f"{wire.url}/{path}", timeout=20)) for path in "abc"]
        quick = wire.asked
        wire.answers, wire.asked = [FIRST, answer, USUAL], []
        ours.close()
        with theirs:
            assert [told(theirs.get(f"{wire.url}/{path}", timeout=20)) for path in "abc"] == seen
        assert [sorted(one.split(b"\r\n")) for one in quick] == [sorted(one.split(b"\r\n")) for one in wire.asked]
    assert ours.adapters["http://"].quick == (1 if answer.endswith(HANG_UP) else 2)


def test_a_body_goes_with_its_headers_in_one_piece_of_the_connection(ours):
    with saying(FIRST, USUAL) as wire:
        ours.get(wire.url)
        assert ours.post(f"{wire.url}/servers?a=b", json={"name": "\u00e4"}).json() == {"images": 1}
    assert wire.asked[1].startswith(b"POST /servers?a=b HTTP/1.1\r\nHost: 127.0.0.1:")
    assert wire.asked[1].endswith(b'\r\n\r\n{"name": "\\u00e4"}')
    assert wire.connections == 1


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (HANG_UP, requests.ConnectionError),
        (b"HTTP/1.1 200 OK\r\nContent-" + HANG_UP, requests.ConnectionError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort" + HANG_UP, requests.ConnectionError),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort" + HANG_UP, requests.ConnectionError),
        (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", requests.ConnectionError),
        (b"x" * 70000 + HANG_UP, requests.ConnectionError),
        (SILENCE, requests.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort" + SILENCE, requests.ReadTimeout),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nshort" + SILENCE, requests.ReadTimeout),
    ],
)
def test_an_answer_that_does_not_come_is_an_error_and_never_sent_for_twice(ours, answer, error):
    with saying(FIRST, answer) as wire:
        ours.get(wire.url, timeout=20)
        with pytest.raises(error):
            ours.post(f"{wire.url}/servers", data=b"{}", timeout=0.05)
        assert len(wire.asked) == 2


def test_after_a_failure_another_connection_is_opened(ours):
    with saying(FIRST, HANG_UP, USUAL) as wire:
        ours.get(wire.url)
        with pytest.raises(requests.ConnectionError):
            ours.get(wire.url)
        assert ours.get(wire.url).json() == {"images": 1}
        assert wire.connections == 2


def test_what_follows_an_answer_is_not_taken_for_the_next(ours):
    with saying(FIRST, USUAL + FIRST, USUAL) as wire:
        assert [ours.get(wire.url).json() for _ in range(3)] == [{}, {"images": 1}, {"images": 1}]
        assert wire.connections == 2


def test_a_connection_that_the_server_will_close_is_not_used_again(ours):
    closing = USUAL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with saying(FIRST, closing, USUAL) as wire:
        assert [ours.get(wire.url).json() for _ in range(3)] == [{}, {"images": 1}, {"images": 1}]
        assert wire.connections == 2


def test_a_connection_that_the_server_has_closed_is_not_used(ours):
    with saying(FIRST + HANG_UP, USUAL) as wire:
        ours.get(wire.url)
        (pool,) = ours.adapters["http://"]._pools.values()
        select.select([pool.pool.queue[-1].sock], [], [], 20)  # until it is known here
        assert ours.post(wire.url, data=b"{}").json() == {"images": 1}
    assert ours.adapters["http://"].quick == 0


def test_a_header_that_would_begin_another_is_refused(ours):
    with saying(FIRST, USUAL) as wire:
        ours.get(wire.url)
        prepared = requests.Request("GET", wire.url).prepare()
        prepared.headers["X-Auth-Token"] = "t\r\nX-Roles: admin"
        with pytest.raises((requests.RequestException, ValueError)):
            ours.send(prepared)
    assert len(wire.asked) == 1


@pytest.mark.parametrize(
    "keywords",
    [
        {"stream": True},
        {"timeout": (20, 20)},
        {"headers": {"Host": "glance"}},
        {"headers": {"X-Name": "\u00e4".encode("latin-1")}},
        {"data": iter([b"{}"])},
    ],
    ids=["stream", "time-outs", "host", "bytes", "pieces"],
)
def test_what_is_not_usual_is_sent_by_requests(ours, keywords):
    with saying(FIRST, USUAL) as wire:
        ours.get(wire.url)
        method = "POST" if "data" in keywords else "GET"
        assert ours.request(method, wire.url, **keywords).json() == {"images": 1}
    assert ours.adapters["http://"].quick == 0


def test_a_proxys_connection_is_not_taken_for_the_hosts(ours):
    with saying(FIRST, USUAL) as proxy, saying(FIRST) as wire:
        ours.get(wire.url)
        assert ours.get(f"{wire.url}/a", proxies={"http": proxy.url}).json() == {}
        assert proxy.asked[0].startswith(f"GET {wire.url}/a".encode())
    assert ours.adapters["http://"].quick == 0
