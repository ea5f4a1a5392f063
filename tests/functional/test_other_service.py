# SPDX-License-Identifier: Apache-2.0
"""The image service of another package, installed as pip would: a module and its metadata on the path."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.image_server import serving_image

EXAMPLE = Path(__file__).parents[2] / "examples" / "image_service_mirror.py"
CONTENT = b"an image" * 1000

FETCH = """
import sys
from pathlib import Path
from amphora_image.config import load
from amphora_image.errors import AmphoraImageError
from amphora_image.reference import Reference
from amphora_image.services.fetch import fetch
from amphora_image.services.registry import Services, Surroundings

ini, text, destination = sys.argv[1:]
try:
    services = Services(Surroundings(load([ini]), lambda: None))
    reference = services.settled(Reference.parse(text))
    print(fetch(services.of(reference), reference, Path(destination)).size)
except AmphoraImageError as error:
    print(error)
"""


@pytest.fixture
def install(tmp_path):
    def call(name, place):
        site = tmp_path / "site"
        metadata = site / f"{name}-1.0.dist-info"
        metadata.mkdir(parents=True)
        shutil.copy(EXAMPLE, site)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(f"[amphora_image.image_services]\n{place}\n")

    return call


@pytest.fixture
def fetch(tmp_path):
    ini = tmp_path / "x.ini"

    def call(text, base=""):
        ini.write_text(
            "[image_http]\nallowed_addresses = 127.0.0.1\nallowed_ports =\nallow_unpinned_http = true\n"
            f"[image_mirror]\nbase = {base}\n"
        )
        program = [sys.executable, "-W", "ignore", "-c", FETCH, ini, text, tmp_path / "out.img"]
        environment = {"PYTHONPATH": str(tmp_path / "site")}
        done = subprocess.run(program, capture_output=True, text=True, check=True, env=environment, timeout=120)
        return done.stdout.strip()

    return call


def test_the_scheme_of_another_package_is_read_verified_and_pinned_by_its_checksum_file(install, fetch, tmp_path):
    """ "a third party's scheme in 30 lines" """
    install("amphora-image-mirror", "mirror = image_service_mirror:MirrorService")
    with serving_image(CONTENT) as images, serving_image(b"") as sums:
        sums.content = f"{hashlib.sha256(CONTENT).hexdigest()}  amphora.img\n".encode()
        base = images.url.removesuffix("amphora.img")
        assert fetch(f"mirror://amphora.img#checksum={sums.url}", base) == str(len(CONTENT))
        assert (tmp_path / "out.img").read_bytes() == CONTENT
        sums.content = f"{'0' * 64}  amphora.img\n".encode()
        assert "should have sha256=000" in fetch(f"mirror://amphora.img#checksum={sums.url}", base)


def test_a_scheme_that_another_package_claims_too_is_an_error(install, fetch):
    install("amphora-image-rival", "https = image_service_mirror:MirrorService")
    told = fetch("file:///x")
    assert "both claim the scheme https://; uninstall one of their packages" in told


def test_a_scheme_that_nobody_claims_is_an_error(fetch):
    assert fetch("mirror://x").startswith("no image service reads mirror:// (there are ")
