# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ssl

import pytest

from amphora_image.build.trial.authority import issue


@pytest.fixture
def files(tmp_path):
    credentials = issue("11111111-2222-3333-4444-555555555555")
    for name in ("authority", "agent", "client"):
        (tmp_path / f"{name}.pem").write_bytes(getattr(credentials, name))
    return tmp_path


def shake_hands(files, client_certificate):
    """Let both sides verify each other as strictly as can be, without a network; give who the server says it is."""
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=files / "authority.pem")
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_cert_chain(files / "agent.pem")
    client = ssl.create_default_context(cafile=files / "authority.pem")
    for context in (server, client):
        context.verify_flags |= ssl.VERIFY_X509_STRICT
    if client_certificate:
        client.load_cert_chain(files / client_certificate)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname="127.0.0.1")
    theirs = server.wrap_bio(there, back, server_side=True)
    for side in (ours, theirs, ours, theirs):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return ours.getpeercert()["subject"]


def test_both_sides_trust_each_other_by_the_strictest_rules(files):
    assert shake_hands(files, "client.pem") == ((("commonName", "11111111-2222-3333-4444-555555555555"),),)


def test_who_has_no_certificate_is_not_trusted(files):
    with pytest.raises(ssl.SSLError, match="did not return a certificate"):
        shake_hands(files, None)
