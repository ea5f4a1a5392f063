# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import hmac
import json
import socket
import zlib

from amphora_image.build.trial.agent import Heartbeats, read_heartbeat


def signed(message, key=b"key"):
    payload = zlib.compress(json.dumps(message).encode())
    return payload + hmac.new(key, payload, hashlib.sha256).hexdigest().encode()


def test_a_heartbeat_is_read_where_it_is_signed_with_the_key():
    assert read_heartbeat(signed({"seq": 1}), b"key") == {"seq": 1}
    assert read_heartbeat(signed({"seq": 1}, b"other"), b"key") is None
    assert read_heartbeat(b"", b"key") is None


def test_a_heartbeat_that_is_no_object_is_none():
    assert read_heartbeat(signed([1]), b"key") is None


def test_heartbeats_are_heard_for_as_long_as_they_come():
    with Heartbeats("key") as heartbeats, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in (signed({"seq": 1}), b"noise", signed({"seq": 2})):
            sender.sendto(datagram, ("127.0.0.1", heartbeats.port))
        assert [message["seq"] for message in heartbeats.heard(0.05)] == [1, 2]
