# SPDX-License-Identifier: Apache-2.0
"""Debian from a mirror by date, whose signatures have expired."""

from __future__ import annotations

import http.server
import subprocess
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from support.program import AMPHORA_IMAGE, run

from amphora_image.build.builder.mirrors import mirrors

_SECONDS = 900
_TINY = ("build", "--os", "debian", "--release", "bookworm", "--tiny", "--type", "tar", "--no-cache")


@pytest.fixture
def mirror():
    """Give a server of loopback that leads from PLACE/VERSION/PATH, whatever the version, to this machine's own mirrors.

    It has a ``url``, and a list of all that it was ``asked`` for.
    """
    own = mirrors("debian", Path("/etc/apt"), {})
    archive = own["DIB_DISTRIBUTION_MIRROR"].rstrip("/")
    asked: list[str] = []
    places = {"debian": archive, "debian-security": own.get("DIB_DEBIAN_SECURITY_MIRROR", f"{archive}-security")}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            _, place, _, path = self.path.split("/", 3)
            self.send_response(302)
            self.send_header("Location", f"{places[place].rstrip('/')}/{path}")
            self.end_headers()

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield SimpleNamespace(url=f"http://127.0.0.1:{server.server_address[1]}", asked=asked)
        server.shutdown()


def build(mirror, version, other_clock, folder, *more, **variables):
    """Build from a version of the mirror a month from now, when none of its signatures is valid any more."""
    options, environ = other_clock(days=30)
    command = [AMPHORA_IMAGE, *_TINY, *options, *more, "-o", folder / "x.tar"]
    variables |= {**environ, "DIB_DEBIAN_DISTRIBUTION_MIRROR": f"{mirror.url}/debian/{version}"}
    return run(command, folder, timeout=_SECONDS, environ=variables)


def test_debian_is_built_from_a_mirror_by_date_whose_signatures_have_expired(mirror, other_clock, tmp_path):
    """The issue: "Reproducible for Debian with a fixed mirror date"."""
    ended = build(mirror, "20260101T000000Z", other_clock, tmp_path)
    assert ended.code == 0, ended.stderr
    listing = subprocess.run(
        ["tar", "--extract", "--to-stdout", "-f", tmp_path / "x.tar", "./etc/apt/sources.list"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = listing.stdout.splitlines()
    assert [line.split()[3] for line in lines] == ["bookworm", "bookworm-updates", "bookworm-security"]
    assert lines[2].startswith(f"deb [check-valid-until=no] {mirror.url}/debian-security/20260101T000000Z ")


def test_what_was_downloaded_once_is_not_downloaded_again(mirror, other_clock, tmp_path):
    """The issue: "Cache: downloads and root file system by content"."""
    counts = []
    for _ in range(2):
        mirror.asked.clear()
        ended = build(mirror, "20260101T000000Z", other_clock, tmp_path, "--overwrite")
        assert ended.code == 0, ended.stderr
        counts.append(sum(path.endswith(".deb") for path in mirror.asked))
    assert counts[0] > 100
    assert counts[1] == 0


def test_a_mirror_without_a_date_is_not_believed_when_its_signatures_have_expired(mirror, other_clock, tmp_path):
    """Who keeps an old state of a mirror from us keeps security updates from us."""
    ended = build(
        mirror, "latest", other_clock, tmp_path, DIB_DEBIAN_SECURITY_MIRROR=f"{mirror.url}/debian-security/latest"
    )
    assert ended.code == 1
    assert "is expired" in ended.stderr.splitlines()[-1]
