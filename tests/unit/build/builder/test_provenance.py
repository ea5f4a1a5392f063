# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import json
import os
import types

import pytest

from amphora_image.build.assembly import Disk
from amphora_image.build.builder.provenance import Digests, bill, provenance
from amphora_image.build.builder.request import Request

CANARY = "canary-password"


@pytest.fixture
def digests(tmp_path):
    (tmp_path / "image").write_bytes(b"image")
    return Digests.of(tmp_path / "image")


def test_the_digests_are_those_of_the_file(digests):
    assert digests.size == 5
    assert digests.sha256 == hashlib.sha256(b"image").hexdigest()
    assert digests.sha512 == hashlib.sha512(b"image").hexdigest()


def test_what_it_was_made_of_is_told_without_the_account_of_a_mirror(digests, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("DIB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("DIB_REPOREF_amphora_agent", "mine")
    monkeypatch.setenv("DIB_MIRROR_token", CANARY)
    request = Request(
        elements=["amphora"],
        output=tmp_path / "image",
        log=tmp_path,
        work=tmp_path,
        cache=tmp_path,
        disk=Disk(epoch=5),
        environment={"DIB_DISTRIBUTION_MIRROR": f"https://user:{CANARY}@mirror.example.org/debian"},
    )
    text = provenance(request, "image", digests)
    told = json.loads(text)
    assert CANARY not in text
    assert told["inputs"]["variables"] == {
        "DIB_DISTRIBUTION_MIRROR": "https://mirror.example.org/debian",
        "DIB_REPOREF_amphora_agent": "mine",
    }
    assert told["inputs"]["elements"] == ["amphora"]
    assert told["image"]["sha256"] == digests.sha256
    assert told["builder"]["diskimage-builder"]


def test_the_bill_names_every_package_and_is_the_same_for_the_same_image(digests):
    """The issue: "SBOM (SPDX or CycloneDX, by a library)"."""
    packages = tuple(
        types.SimpleNamespace(name=name, version=version, architecture="amd64")
        for name, version in (("haproxy", "2.6.12-1+deb12u3"), ("zlib1g", "1:1.2.13"))
    )
    system = types.SimpleNamespace(id="debian", release="12")
    agent = types.SimpleNamespace(name="octavia", version="19.0.0", architecture="")
    found = types.SimpleNamespace(system=system, packages=packages, package_system="dpkg", pip_packages=(agent,))
    one, other = (json.loads(bill(found, "a.qcow2", digests, epoch=1_700_000_000)) for _ in range(2))
    assert one == other
    assert [each["purl"] for each in one["components"]] == [
        "pkg:deb/debian/haproxy@2.6.12-1%2Bdeb12u3?arch=amd64",
        "pkg:pypi/octavia@19.0.0",
        "pkg:deb/debian/zlib1g@1:1.2.13?arch=amd64",
    ]
    assert one["bomFormat"] == "CycloneDX"
    assert one["metadata"]["component"]["name"] == "a.qcow2"
