# SPDX-License-Identifier: Apache-2.0
"""The cache in real folders, shared by real processes, some of which are killed."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from oslo_config import cfg
from support.cache_user import CHUNK, DATA, PIN, Resumable, Web, take

from amphora_image.errors import (
    ConfigurationError,
    DestinationError,
    DigestMismatchError,
    SourceUnavailableError,
    UnsafeImageError,
)
from amphora_image.reference import Pin, Reference
from amphora_image.services.base import ImageInfo
from amphora_image.services.cache import Cache, CachedService, Limits
from amphora_image.services.cache_store import Store
from amphora_image.services.fetch import fetch
from amphora_image.services.file import FileService

USER = Path(__file__).parents[1] / "support" / "cache_user.py"
REFERENCE = Reference.parse("https://images.example/x")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "readings"
    path.touch()
    return path


def readings(log):
    return [int(line) for line in log.read_text().split()]


def cache_in(folder, **limits):
    return Cache(Store(folder), Limits(**limits))


def files(folder, kind="images"):
    return sorted((folder / kind).iterdir())


def pin_of(data):
    return Pin("sha512", hashlib.sha512(data).hexdigest())


# one image


def test_an_image_is_downloaded_once_and_kept_read_only(folder, log):
    cache, told = cache_in(folder), []
    with cache.opened(Resumable(log), REFERENCE, PIN, told.append) as file:
        assert file.read() == DATA
    assert sum(told) == len(DATA)
    assert take(cache, None) == DATA, "the second time no service is asked"
    assert readings(log) == [0]
    (path,) = files(folder)
    assert (path.name, path.stat().st_mode & 0o777) == (f"sha256-{PIN.digest}", 0o444)
    assert not files(folder, "locks")
    (kept,) = cache.kept()
    assert (kept.pin, kept.size, kept.source) == (PIN, len(DATA), "https://images.example/x")


def test_what_is_not_right_is_not_kept(folder, log):
    """CVE-2024-47211: the checksum is not checked before the image is used."""
    with pytest.raises(DigestMismatchError):
        take(cache_in(folder), Web(log, b"other"))
    assert not files(folder)
    assert readings(log) == [0]


def test_a_folder_that_others_may_write_to_is_refused(folder):
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    with pytest.raises(ConfigurationError, match="others may write to"):
        Store(folder)


def test_a_folder_that_cannot_be_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"path: .*file/cache cannot be used: Not a directory"):
        Store(tmp_path / "file" / "cache")


def test_a_folder_that_cannot_be_written_any_more_is_told_by_its_name(folder, log):
    cache, told = cache_in(folder), f"^{folder} cannot be written: Not a directory; make room, or name another place"
    (folder / "locks").rmdir()
    (folder / "locks").touch()
    with pytest.raises(DestinationError, match=told):
        take(cache, Web(log))
    (folder / "locks").unlink()
    take(cache_in(folder), Web(log))
    shutil.rmtree(folder / "records")
    (folder / "records").touch()
    with pytest.raises(DestinationError, match=told):
        list(cache.verify())
    with pytest.raises(DestinationError, match=told):
        cache.clear()


# what happens to the files meanwhile


@pytest.mark.parametrize(
    "harm", ["written", "its time set back", "another file", "cut", "record lost", "record damaged"]
)
def test_a_change_of_what_is_kept_is_noticed_when_it_is_opened(folder, log, harm):
    cache = cache_in(folder)
    take(cache, Web(log))
    (path,), (record,) = files(folder), files(folder, "records")
    status = path.stat()
    path.chmod(0o644)
    if harm == "record lost":
        record.unlink()
    elif harm == "record damaged":
        record.write_text("[")
    elif harm == "cut":
        os.truncate(path, 7)
    elif harm == "another file":
        path.rename(path.with_name("x"))
        path.write_bytes(b"evil".ljust(len(DATA)))
    else:
        with path.open("r+b") as file:
            file.write(b"evil")
        if harm == "its time set back":
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert take(cache, Web(log)) == DATA
    assert readings(log) == ([0] if harm.startswith("record") else [0, 0]), (
        "what is still right is not downloaded again"
    )


def test_a_folder_with_the_name_of_an_image_is_none(folder, log):
    cache = cache_in(folder)
    take(cache, Web(log))
    (folder / "images" / f"sha256-{'1' * 64}").mkdir()
    assert [one.pin for one in cache.kept()] == [PIN]
    assert [right for _, right in cache.verify()] == [True]
    assert [one.pin for one in cache.clear()] == [PIN]


def test_a_link_in_the_place_of_an_image_is_not_followed(folder, log, tmp_path):
    cache = cache_in(folder)
    take(cache, Web(log))
    (path,) = files(folder)
    path.rename(tmp_path / "moved")
    path.symlink_to(tmp_path / "moved")
    with pytest.raises(DestinationError, match="symbolic links"):
        take(cache, Web(log))


def test_verify_finds_what_only_hashing_finds_and_removes_it(folder, log):
    """What changed without the kernel's noticing, as on a failing disk: here the record is made to fit."""
    cache = cache_in(folder)
    take(cache, Web(log))
    rot(folder)

    assert [(one.pin, right) for one, right in cache.verify()] == [(PIN, False)]
    assert cache.kept() == []
    assert take(cache, Web(log)) == DATA
    assert [right for _, right in cache.verify()] == [True]


# limits


def test_over_the_limit_what_was_not_used_for_longest_goes_first_and_what_is_in_use_never(folder, log):
    cache = cache_in(folder, max_bytes=3 * len(DATA))
    others = [bytes([number]) * len(DATA) for number in range(4)]
    store = Store(folder)
    for number, data in enumerate(others[:3]):
        take(cache_in(folder), Web(log, data), pin_of(data))
        os.utime(store.path(pin_of(data), "records"), (1000 + number, 1000 + number))
    os.utime(store.path(pin_of(others[0]), "records"))  # used just now

    with store.open(pin_of(others[1])):
        os.utime(store.path(pin_of(others[1]), "records"), (1, 1))
        take(cache, Web(log))
        left = {one.pin for one in cache.kept()}
    assert left == {pin_of(others[0]), pin_of(others[1]), PIN}


def test_what_nobody_uses_goes_after_its_time_and_so_does_what_was_interrupted(folder, log):
    cache = Cache(Store(folder), Limits(max_age_seconds=100), clock=lambda: time.time() + 101)
    service = Resumable(log)
    service.breaks_after = CHUNK
    take(cache_in(folder), Web(log))
    other = pin_of(b"other")
    with pytest.raises(SourceUnavailableError):
        take(cache_in(folder), service, other)
    with Store(folder).locked(other), cache.opened(None, REFERENCE, PIN):
        assert cache.prune() == []
        assert len(files(folder)) == 3
    assert [one.pin for one in cache.prune()] == [PIN]
    assert not [*files(folder), *files(folder, "records")]


def test_clear_removes_all_that_nobody_uses_or_downloads(folder, log):
    cache, service = cache_in(folder), Resumable(log)
    service.breaks_after = CHUNK
    take(cache, Web(log))
    other = pin_of(b"other")
    with pytest.raises(SourceUnavailableError):
        take(cache, service, other)
    with Store(folder).locked(other), cache.opened(None, REFERENCE, PIN):
        assert cache.clear() == []
        assert len(files(folder)) == 3
    assert [one.pin for one in cache.clear()] == [PIN]
    assert not files(folder)


def test_without_limits_all_is_kept(folder, log):
    cache = Cache(Store(folder), Limits(), clock=lambda: time.time() + 10**9)
    take(cache, Web(log))
    assert cache.prune() == []


def test_a_weak_digest_that_the_source_states_does_not_verify(folder, log):
    service = Web(log)
    weak = ImageInfo(size=len(DATA), digests={"md5": "0" * 32})
    assert cache_in(folder).before(service, replace(REFERENCE, pin=None), weak) is service


def test_the_cache_is_asked_for_what_has_a_digest_and_is_not_near_nor_too_large(folder, log):
    cache, web, info = cache_in(folder, max_bytes=10), Web(log), ImageInfo(size=10)
    pinned = replace(REFERENCE, pin=PIN)
    assert isinstance(cache.before(web, pinned, info), CachedService)
    assert isinstance(cache.before(web, REFERENCE, ImageInfo(digests={"sha512": "0" * 128})), CachedService)
    assert cache.before(web, REFERENCE, info) is web
    assert cache.before(web, pinned, ImageInfo(size=11)) is web
    near = FileService(cfg.ConfigOpts())
    assert cache.before(near, pinned, info) is near


# interruptions


def test_a_download_that_broke_off_goes_on_where_it_ended(folder, log):
    """Issue: "a killed download resumes"."""
    cache, service = cache_in(folder), Resumable(log)
    service.breaks_after = 4 * CHUNK
    with pytest.raises(SourceUnavailableError):
        take(cache, service)
    assert cache.kept() == []
    service.breaks_after = None
    assert take(cache, service) == DATA
    assert readings(log) == [0, 4 * CHUNK]


def test_a_service_that_cannot_go_on_begins_anew(folder, log):
    cache, service = cache_in(folder), Web(log)
    service.breaks_after = 4 * CHUNK
    with pytest.raises(SourceUnavailableError):
        take(cache, service)
    service.breaks_after = None
    assert take(cache, service) == DATA
    assert readings(log) == [0, 0]


def test_the_beginning_of_another_version_is_not_gone_on_with(folder, log):
    cache, other = cache_in(folder), Resumable(log, b"x" * len(DATA), "v0")
    other.breaks_after = 4 * CHUNK
    with pytest.raises(SourceUnavailableError):
        take(cache, other)
    assert take(cache, Resumable(log)) == DATA
    assert readings(log) == [0, 0]


def test_a_beginning_that_was_damaged_is_thrown_away_and_all_is_read_once_more(folder, log):
    cache, service = cache_in(folder), Resumable(log)
    service.breaks_after = 4 * CHUNK
    with pytest.raises(SourceUnavailableError):
        take(cache, service)
    with files(folder)[0].open("r+b") as file:
        file.write(b"evil")
    service.breaks_after = None
    assert take(cache, service) == DATA
    assert readings(log) == [0, 4 * CHUNK, 0]


def test_a_hundred_processes_that_want_one_image_download_it_once(folder, log):
    """Issue: "100 processes fetching one reference"."""
    subprocess.run([sys.executable, USER, folder, log, "100", "0.02"], check=True, timeout=120)
    assert readings(log) == [0]
    assert [path.name for path in files(folder)] == [f"sha256-{PIN.digest}"]


def test_a_download_that_is_killed_leaves_nothing_that_looks_whole_and_is_gone_on_with(folder, log):
    """Issue: "kill -9 in the middle. Nothing partial is ever visible under the final name"."""
    command = [sys.executable, USER, folder, log, "1", "{slow}"]
    with subprocess.Popen([*command[:-1], "0.2"], start_new_session=True) as killed:
        deadline = time.monotonic() + 60
        part = folder / "images" / f".sha256-{PIN.digest}.part"
        while not part.exists() or part.stat().st_size < 3 * CHUNK:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(killed.pid, 9)
    assert Cache(Store(folder), Limits()).kept() == []

    subprocess.run([*command[:-1], "0"], check=True, timeout=60)

    began, resumed = readings(log)
    assert began == 0
    assert resumed >= 3 * CHUNK
    assert not [path for path in files(folder) if path.name.startswith(".")]


def test_when_the_downloading_process_dies_the_next_that_waits_goes_on(folder, log):
    command = [sys.executable, USER, folder, log, "1"]
    with subprocess.Popen([*command, "0.5"], start_new_session=True) as first:
        deadline = time.monotonic() + 60
        while not readings(log):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with subprocess.Popen([*command, "0"]) as waiting:
            time.sleep(0.5)
            assert len(readings(log)) == 1
            os.killpg(first.pid, 9)
            assert waiting.wait(timeout=60) == 0
    assert len(readings(log)) == 2


# what comes out


def test_what_comes_out_is_a_copy_and_never_the_master(folder, log, tmp_path):
    """Facts: "a write through a hard link changes the master"."""
    cache = cache_in(folder)
    service = CachedService(Web(log), cache, PIN)
    for name in ("one", "two"):
        done = fetch(service, REFERENCE, tmp_path / name)
        assert (done.size, done.disk_format) == (len(DATA), "raw")
    with (tmp_path / "one").open("r+b") as file:
        file.write(b"evil")
    assert (tmp_path / "two").read_bytes() == DATA
    assert take(cache, None) == DATA
    assert readings(log) == [0]


def test_a_master_that_rotted_is_noticed_as_it_is_copied_and_downloaded_again(folder, log, tmp_path):
    take(cache_in(folder), Web(log))
    rot(folder)
    fetch(CachedService(Web(log), cache_in(folder), PIN), REFERENCE, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == DATA
    assert readings(log) == [0, 0]


def test_an_unsafe_image_is_not_kept(folder, log):
    """CVE-2024-32498: a qcow2 image with an external data file or a backing file."""
    data = bytearray(CHUNK)
    data[:8] = b"QFI\xfb\0\0\0\2"
    data[8:16] = (512).to_bytes(8, "big")
    data[16:20] = (11).to_bytes(4, "big")
    data[512:523] = b"/etc/shadow"
    with pytest.raises(UnsafeImageError, match="backing"):
        take(cache_in(folder), Web(log, bytes(data)), pin_of(data))
    assert not files(folder)


def test_a_full_disk_is_told_and_what_others_keep_stays(folder, log):
    """Issue: "disk full"."""
    take(cache_in(folder), Web(log))
    big = bytes(CHUNK * 200)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (CHUNK * 50, before[1]))  # Python has the signal of it ignored
    try:
        with pytest.raises(DestinationError, match="File too large"):
            take(cache_in(folder), Web(log, big), pin_of(big))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [one.pin for one in cache_in(folder).kept()] == [PIN]
    assert len(files(folder)) == 1


def rot(folder):
    """Change bytes that the cache cannot know of: the record is made to fit them."""
    (path,), (record,) = files(folder), files(folder, "records")
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.write(b"evil")
    status = path.stat()
    record.write_text(f'{{"version": [{status.st_ino}, {status.st_size}, {status.st_ctime_ns}]}}')
