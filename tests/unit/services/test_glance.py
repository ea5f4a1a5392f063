# SPDX-License-Identifier: Apache-2.0
import hashlib
from contextlib import contextmanager

import pytest
from fakes.glance import FakeImages

from amphora_image.errors import (
    DigestMismatchError,
    PinAlgorithmError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceUnavailableError,
)
from amphora_image.reference import IdReference, Pin, TagReference
from amphora_image.services.glance import GlanceService

CONTENT = b"an image" * 1000
SHA512 = hashlib.sha512(CONTENT).hexdigest()
MISSING = "00000000-0000-4000-8000-000000000000"


class Data:
    def __init__(self):
        self.content = CONTENT
        self.opened_ids = []

    @contextmanager
    def opened(self, image_id):
        self.opened_ids.append(image_id)
        yield iter([self.content[:100], self.content[100:]])


@pytest.fixture
def images():
    return FakeImages()


@pytest.fixture
def data():
    return Data()


@pytest.fixture
def read(images, data):
    def call(pin=None, **fields):
        known = {"size": len(CONTENT), "hash_algo": "sha512", "hash_value": SHA512, "disk_format": "raw", **fields}
        image = images.add("v1", **known)
        with GlanceService(images, data).read(IdReference(image.id, pin=pin)) as stream:
            return b"".join(stream)

    return call


@pytest.mark.parametrize("pin", [None, Pin("sha512", SHA512)])
def test_an_image_is_read_and_compared_with_glances_digest(read, data, pin):
    assert read(pin) == CONTENT
    data.content = CONTENT[:-1] + b"x"
    with pytest.raises(DigestMismatchError):
        read(pin)
    data.content = CONTENT[:-1]
    with pytest.raises(SourceUnavailableError):
        read(pin)


def test_a_digest_of_glance_in_upper_case_is_the_same(read):
    """ "In-flight hash comparison is case-sensitive" """
    assert read(hash_value=SHA512.upper()) == CONTENT


@pytest.mark.parametrize(
    ("pin", "fields", "error", "told"),
    [
        (Pin("sha256", "0" * 64), {}, PinAlgorithmError, "pin it with #sha512=DIGEST"),
        (Pin("sha512", "0" * 128), {}, DigestMismatchError, "should have sha512=000"),
        (None, {"hash_value": None, "hash_algo": None}, SourceRefusedError, "no sha256 or sha512"),
        (None, {"hash_value": "0" * 32, "hash_algo": "md5"}, SourceRefusedError, "no sha256 or sha512"),
        (None, {"status": "queued"}, SourceRefusedError, "its status is queued, not active"),
        (None, {"status": "deactivated"}, SourceRefusedError, "deactivated"),
    ],
)
def test_what_cannot_be_verified_is_not_asked_for(read, data, pin, fields, error, told):
    with pytest.raises(error, match=told):
        read(pin, **fields)
    assert not data.opened_ids


def test_an_image_that_is_not_there_is_told(images, data):
    with pytest.raises(SourceNotFoundError, match=f"glance://{MISSING} names no image"):
        GlanceService(images, data).stat(IdReference(MISSING))


def test_what_glance_knows_is_told(images, data):
    image = images.add(
        "v1", size=7, hash_algo="sha512", hash_value=SHA512, disk_format="qcow2", min_disk=2, architecture="x86_64"
    )
    info = GlanceService(images, data).stat(IdReference(image.id))
    assert (info.size, info.disk_format, info.digests) == (7, "qcow2", {"sha512": SHA512})
    assert (info.properties["name"], info.properties["min_disk"]) == ("v1", "2")
    assert info.properties["hw_architecture"] == "x86_64"


def test_a_tag_is_resolved_before(images, data):
    with pytest.raises(TypeError):
        GlanceService(images, data).stat(TagReference("amphora"))
