# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest

from amphora_image.build.builder.mirrors import mirrors

STANZAS = """Enabled: no
Types: deb
URIs: http://disabled.example.org/debian
Suites: sid
Components: main

Types: deb
# a comment, then two suites
URIs: http://mirror.example.org/debian
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example.org/debian-security
Suites: bookworm-security
Components: main
"""
LINES = """# deb http://old.example.org/debian buster main
deb-src http://source.example.org/debian bookworm main
deb [arch=amd64 signed-by=/x.gpg] https://packages.example.org/cloud cloud main
deb [arch=amd64] http://lines.example.org/debian/ bookworm main contrib
deb http://lines.example.org/debian-security bookworm-security main
"""
BOTH = {
    "DIB_DISTRIBUTION_MIRROR": "http://mirror.example.org/debian",
    "DIB_DEBIAN_SECURITY_MIRROR": "http://mirror.example.org/debian-security",
}


@pytest.fixture
def apt(tmp_path):
    (tmp_path / "sources.list.d").mkdir()
    return tmp_path


def test_the_mirrors_are_those_of_the_stanzas_that_are_enabled(apt):
    (apt / "sources.list.d" / "debian.sources").write_text(STANZAS)
    assert mirrors("debian", apt, {}) == BOTH


def test_the_mirrors_are_those_of_the_lines_that_give_packages_of_the_distribution(apt):
    (apt / "sources.list").write_text(LINES)
    assert mirrors("debian", apt, {}) == {
        "DIB_DISTRIBUTION_MIRROR": "http://lines.example.org/debian/",
        "DIB_DEBIAN_SECURITY_MIRROR": "http://lines.example.org/debian-security",
    }


def test_security_updates_may_lie_with_the_rest(apt):
    (apt / "sources.list").write_text("deb http://a/ubuntu noble main\ndeb http://b/ubuntu noble-security main\n")
    assert mirrors("ubuntu", apt, {}) == {"DIB_DISTRIBUTION_MIRROR": "http://a/ubuntu"}


@pytest.mark.parametrize("name", ["DIB_DISTRIBUTION_MIRROR", "DIB_DEBIAN_DISTRIBUTION_MIRROR"])
def test_what_the_user_says_stands(apt, name):
    (apt / "sources.list.d" / "debian.sources").write_text(STANZAS)
    assert mirrors("debian", apt, {name: "http://own/debian"}) == {}


def test_a_security_mirror_of_the_users_stands_beside_ours(apt):
    (apt / "sources.list.d" / "debian.sources").write_text(STANZAS)
    found = mirrors("debian", apt, {"DIB_DEBIAN_SECURITY_MIRROR": "http://own/security"})
    assert found == {"DIB_DISTRIBUTION_MIRROR": "http://mirror.example.org/debian"}


def test_another_distribution_gets_nothing_of_this_machines(apt):
    (apt / "sources.list.d" / "debian.sources").write_text(STANZAS)
    assert mirrors("ubuntu", apt, {}) == {}
    assert mirrors("rocky", apt, {}) == {}


def test_a_machine_without_apt_has_nothing_to_say(tmp_path):
    assert mirrors("debian", tmp_path / "nowhere", {}) == {}
