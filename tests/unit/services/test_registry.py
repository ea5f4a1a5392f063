# SPDX-License-Identifier: Apache-2.0
import threading
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points

import pytest

from amphora_image.errors import ChecksumFileError, ConfigurationError, UnknownSchemeError
from amphora_image.reference import Pin, Reference
from amphora_image.services.base import ImageInfo
from amphora_image.services.registry import GROUP, Services, Surroundings

HERE = __name__.rpartition(".")[2]
DIGEST = "0a" * 32


class Memory:
    """A service of what a test puts into it."""

    files = None
    made = 0

    def __init__(self, surroundings):
        assert isinstance(surroundings, Surroundings)
        Memory.made += 1

    def stat(self, reference):
        return ImageInfo(size=len(self.files[reference.location]))

    @contextmanager
    def read(self, reference):
        yield iter([self.files[reference.location]])


class Deaf:
    def __init__(self, _):
        pass

    def stat(self, _):
        return ImageInfo()


class Point:
    """An entry point whose target is at hand: what importlib loads, without a package to install."""

    def __init__(self, name, target, value="here:it"):
        self.name, self.value, self._target = name, value, target

    def load(self):
        return self._target


def services(*points):
    return Services(Surroundings(None, lambda: None), points)


def test_the_scheme_picks_the_service_and_it_is_made_once():
    Memory.made = 0
    found = services(Point("memory", Memory), Point("deaf", Deaf))
    first = found.of(Reference.parse("memory://a"))
    threads = [threading.Thread(target=found.of, args=(Reference.parse("memory://b"),)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert isinstance(first, Memory)
    assert Memory.made == 1


def test_a_scheme_without_a_service_is_told_with_those_that_have_one():
    with pytest.raises(UnknownSchemeError, match=r"no image service reads oci:// \(there are deaf, memory\)"):
        services(Point("memory", Memory), Point("deaf", Deaf)).of(Reference.parse("oci://h/x"))


def test_a_scheme_that_two_packages_claim_is_an_error_at_load():
    """ "absent or claimed twice is an error at load" """
    with pytest.raises(ConfigurationError, match=r"a:x and b:y both claim the scheme memory://"):
        services(Point("memory", Memory, "b:y"), Point("memory", Memory, "a:x"))


@pytest.mark.parametrize(
    ("point", "told"),
    [
        (EntryPoint("x", "no_such_module:make", GROUP), "cannot be loaded: No module named"),
        (EntryPoint("x", "os:no_such_name", GROUP), "cannot be loaded: .*no_such_name"),
        (Point("x", None), "cannot be loaded"),
        (Point("x", Deaf), "has no read"),
        (Point("x", lambda _: None), "has no stat and no read"),
    ],
)
def test_a_service_that_is_none_is_told_when_it_is_loaded(point, told):
    with pytest.raises(ConfigurationError, match=told):
        services(point).of(Reference.parse("x://y"))


def test_a_checksum_file_gives_the_pin():
    Memory.files = {"sums/LIST": f"{DIGEST}  x.img\n".encode()}
    found = services(Point("memory", Memory))
    settled = found.settled(Reference.parse("https://h/x.img#checksum=memory://sums/LIST"))
    assert settled.pin == Pin("sha256", DIGEST)
    assert found.settled(settled) is settled
    with pytest.raises(ChecksumFileError, match=r"memory://sums/LIST gives no digest: it does not list y\.img"):
        found.settled(Reference.parse("https://h/y.img#checksum=memory://sums/LIST"))


def test_a_checksum_file_without_end_is_not_read_to_it():
    Memory.files = {"a": bytes(2 * 1024 * 1024)}
    with pytest.raises(ChecksumFileError, match="more than 1048576 bytes"):
        services(Point("memory", Memory)).settled(Reference.parse("https://h/x.img#checksum=memory://a"))


def test_our_own_schemes_are_installed():
    assert {"glance", "http", "https"} <= {point.name for point in entry_points(group=GROUP)}
