# SPDX-License-Identifier: Apache-2.0
import hashlib
import os
import shutil
import subprocess
import sys
import time

import pytest
from oslo_config import cfg
from support.image_server import Fault, serving_image
from support.noise import noise

from amphora_image.config import register_opts
from amphora_image.errors import (
    DestinationError,
    DigestMismatchError,
    FormatMismatchError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRefusedError,
    SourceUnavailableError,
    UnsafeImageError,
)
from amphora_image.reference import Reference
from amphora_image.services.fetch import fetch
from amphora_image.services.http import HttpService

CONTENT = noise(3 * 1024 * 1024 + 12345)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = noise(len(CONTENT))

INI = "[image_http]\nallowed_addresses = 127.0.0.1\nallowed_ports =\nallow_unpinned_http = true\n"
#: Fetches in a process of its own.
FETCH = """
import os, sys
from pathlib import Path
from amphora_image.config import load
from amphora_image.errors import DestinationError
from amphora_image.reference import Reference
from amphora_image.services.fetch import fetch
from amphora_image.services.http import HttpService

folder, ini, url = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
try:
    fetch(HttpService(load([ini])), Reference.parse(url), folder / "amphora.img")
except DestinationError as error:
    print(error, os.listdir(folder))
"""


@pytest.fixture
def conf():
    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf([], project="nothing")
    settings = {"allowed_addresses": ["127.0.0.1/32"], "allowed_ports": [], "allow_unpinned_http": True}
    for name, value in {**settings, "retry_deadline_seconds": 1.5, "read_deadline_seconds": 5}.items():
        conf.set_override(name, value, "image_http")
    return conf


@pytest.fixture
def service(conf):
    return HttpService(conf)


@pytest.fixture
def web():
    with serving_image(CONTENT) as server:
        yield server


@pytest.fixture
def get(service, web, tmp_path):
    """Fetch the image, with what is added to its URL, and see to it that nothing partial is ever under the final name."""
    destination = tmp_path / "out" / "amphora.img"
    destination.parent.mkdir()

    def call(addition="", **options):
        before, seen = destination.exists(), []
        options = {"progress": lambda _: seen.append(destination.exists() != before), **options}
        try:
            return fetch(service, Reference.parse(web.url + addition), destination, **options)
        finally:
            assert not any(seen)

    call.destination = destination
    return call


def left(get):
    return sorted(path.name for path in get.destination.parent.iterdir())


def test_an_image_is_downloaded_hashed_and_written_in_one_request(web, get):
    fetched = get()
    assert get.destination.read_bytes() == CONTENT
    assert (fetched.size, fetched.disk_format, str(fetched.digest)) == (len(CONTENT), "raw", f"sha256={SHA256}")
    assert [method for method, *_ in web.asked] == ["GET"]
    assert left(get) == ["amphora.img"]


def test_what_is_there_is_replaced_only_by_what_is_verified(get):
    get.destination.write_bytes(b"old")
    with pytest.raises(DigestMismatchError):
        get("#sha256=" + "0" * 64)
    assert get.destination.read_bytes() == b"old"
    get(f"#sha256={SHA256.upper()}")
    assert get.destination.read_bytes() == CONTENT


@pytest.mark.parametrize("pin", [f"#sha256={'0' * 64}", f"#sha512={'0' * 128}"])
def test_a_wrong_pin_leaves_nothing(get, pin):
    """ "wrong pin"; CVE-2024-47211: a checksum that is checked only after the image has been used."""
    with pytest.raises(DigestMismatchError, match=r"should have sha\d+=0+ and has sha"):
        get(pin)
    assert left(get) == []


def test_a_pin_by_sha512_is_hashed_by_it(get):
    assert get(f"#sha512={hashlib.sha512(CONTENT).hexdigest()}").digest.algorithm == "sha512"


@pytest.mark.parametrize("reset", [False, True])
def test_a_truncated_body_is_continued_where_it_broke(web, get, reset):
    """ "Truncated body"; "retry with Range and If-Range from where it broke, the hash going on" """
    web.faults = [Fault(cut_after=1_500_000, reset=reset)]
    get(f"#sha256={SHA256}")
    assert get.destination.read_bytes() == CONTENT
    first, second = (headers for _, _, headers in web.asked)
    assert "range" not in first
    assert (second["range"], second["if-range"]) == ("bytes=1500000-", '"one"')


def test_a_server_that_resets_at_every_nth_byte_is_read_to_the_end(web, get):
    """ "a server that […] resets at every n-th byte" """
    web.every = Fault(cut_after=400_000, reset=True)
    get()
    assert get.destination.read_bytes() == CONTENT
    assert len(web.asked) == len(CONTENT) // 400_000 + 1


def test_a_body_that_stays_truncated_ends_at_the_deadline_and_the_next_fetch_goes_on(web, get):
    """ "Truncated body"; "Nothing partial is ever visible under the final name, nothing verified is lost" """
    web.faults = [Fault(cut_after=2_000_000)]
    web.every = Fault(status=503)
    with pytest.raises(SourceUnavailableError, match="HTTP 503"):
        get()
    assert left(get) == [".amphora.img.part", ".amphora.img.part.etag"]
    web.every = None
    web.asked.clear()
    fetched = get(f"#sha256={SHA256}")
    assert fetched.resumed_at == 2_000_000
    assert web.sent_ranges == ["bytes=2000000-"]
    assert get.destination.read_bytes() == CONTENT
    assert left(get) == ["amphora.img"]


def test_after_a_kill_in_the_middle_the_next_fetch_goes_on(web, get, tmp_path):
    """ "kill -9 in the middle" """
    web.faults = [Fault(cut_after=2_500_000, hold_seconds=60)]
    ini, part = tmp_path / "x.ini", get.destination.with_name(".amphora.img.part")
    ini.write_text(INI)
    program = [sys.executable, "-W", "ignore", "-c", FETCH, get.destination.parent, ini, web.url]
    with subprocess.Popen(program) as fetching:
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size >= 2 * 1024 * 1024) and time.monotonic() < deadline:
            time.sleep(0.02)
        fetching.kill()
    assert left(get) == [".amphora.img.part", ".amphora.img.part.etag"]
    assert get(f"#sha256={SHA256}").resumed_at == 2 * 1024 * 1024
    assert get.destination.read_bytes() == CONTENT


def test_a_part_of_another_version_is_not_used(web, get):
    web.every = Fault(cut_after=2_000_000)
    web.ranges = False
    web.faults = [Fault(cut_after=2_000_000), *[Fault(status=503)] * 20]
    with pytest.raises(SourceUnavailableError):
        get()
    web.every, web.faults, web.ranges = None, [], True
    web.content, web.etag = OTHER, '"two"'
    assert get().resumed_at == 0
    assert get.destination.read_bytes() == OTHER


def test_a_part_of_which_nobody_knows_the_version_is_not_used(web, get):
    get.destination.with_name(".amphora.img.part").write_bytes(CONTENT[:1000])
    assert get().resumed_at == 0
    assert web.sent_ranges == [None]


def test_a_part_that_is_whole_already_is_verified_and_used(web, get):
    get.destination.with_name(".amphora.img.part").write_bytes(CONTENT)
    get.destination.with_name(".amphora.img.part.etag").write_text('"one"')
    assert get(f"#sha256={SHA256}").resumed_at == len(CONTENT)
    assert web.sent_ranges == [f"bytes={len(CONTENT)}-"]


def test_a_damaged_part_is_found_by_the_pin_and_thrown_away(get):
    get.destination.with_name(".amphora.img.part").write_bytes(b"x" * 1000)
    get.destination.with_name(".amphora.img.part.etag").write_text('"one"')
    with pytest.raises(DigestMismatchError):
        get(f"#sha256={SHA256}")
    assert left(get) == []


@pytest.mark.parametrize("kind", ["link", "second name", "fifo", "of another user"])
def test_what_somebody_else_has_put_in_the_place_of_a_part_is_not_written_to(get, tmp_path, kind):
    other, part = tmp_path / "other", get.destination.with_name(".amphora.img.part")
    other.write_bytes(b"kept")
    match kind:
        case "link":
            part.symlink_to(other)
        case "second name":
            part.hardlink_to(other)
        case "fifo":
            os.mkfifo(part)
        case _:
            if os.geteuid():
                pytest.skip("only root makes files of others")
            part.write_bytes(b"")
            os.chown(part, 65534, 65534)
    get(f"#sha256={SHA256}")
    assert get.destination.read_bytes() == CONTENT
    assert (get.destination.stat().st_uid, get.destination.stat().st_nlink) == (os.geteuid(), 1)
    assert other.read_bytes() == b"kept"
    assert left(get) == ["amphora.img"]


def test_a_longer_body_than_stated_is_refused(web, get):
    """ "longer body" """
    web.faults = [Fault(surplus=b"more")]
    with pytest.raises(SourceRefusedError, match=f"it sends more than the {len(CONTENT)} bytes that it stated"):
        get(f"#sha256={SHA256}")
    assert left(get) == []


def test_a_body_that_is_shorter_than_stated_is_no_image(web, get):
    """ "wrong length"; "received length against Content-Length" """
    web.etag = None
    web.every = Fault(headers={"Content-Length": str(len(CONTENT) + 10)})
    with pytest.raises(SourceUnavailableError, match=f"ended after {len(CONTENT)} of {len(CONTENT) + 10} bytes"):
        get()
    assert left(get) == []


def test_without_a_length_a_cut_cannot_be_told_and_only_a_pinned_image_is_read(web, get):
    web.every = Fault(headers={"Content-Length": None})
    with pytest.raises(SourceRefusedError, match="tells no length"):
        get()
    get(f"#sha256={SHA256}")
    assert get.destination.read_bytes() == CONTENT


def test_a_chunked_body_is_read_and_its_cut_is_noticed(web, get):
    body = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (CONTENT[:1_000_000], CONTENT[1_000_000:]))
    chunked = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    web.faults = [Fault(headers=chunked, body=body + b"0\r\n\r\n")]
    get()
    assert get.destination.read_bytes() == CONTENT
    web.etag = None
    web.faults = [Fault(headers=chunked, body=body[:2_000_000])]
    with pytest.raises(SourceUnavailableError):
        get()


@pytest.mark.parametrize(
    ("status", "error", "remedy"),
    [
        (404, SourceNotFoundError, "correct the reference"),
        (410, SourceNotFoundError, "correct the reference"),
        (401, SourceRefusedError, "credentials_file"),
        (403, SourceRefusedError, "credentials_file"),
        (416, SourceRefusedError, "correct the reference"),
        (206, SourceRefusedError, "correct the reference"),
        (204, SourceRefusedError, "correct the reference"),
    ],
)
def test_a_refusal_is_told_at_once(web, get, status, error, remedy):
    """ "404/403/416/[…]" """
    web.every = Fault(status=status, body=b"no")
    with pytest.raises(error, match=rf"HTTP {status}; .*{remedy}"):
        get()
    assert len(web.asked) == 1
    assert left(get) == []


@pytest.mark.parametrize("status", [429, 500, 503, 408])
def test_what_passes_is_tried_again(web, get, status):
    """ "429/500" """
    web.faults = [Fault(status=status, headers={"Retry-After": "0"})] * 2
    get()
    assert len(web.asked) == 3


def test_retry_after_beyond_the_deadline_is_told_at_once(web, get):
    web.every = Fault(status=429, headers={"Retry-After": "600"})
    with pytest.raises(SourceUnavailableError, match="HTTP 429"):
        get()
    assert len(web.asked) == 1


def test_a_server_that_stalls_is_asked_again_after_the_read_deadline(web, get, conf):
    """ "a server that stalls" """
    conf.set_override("read_deadline_seconds", 0.3, "image_http")
    web.faults = [Fault(cut_after=1_000_000, hold_seconds=30)]
    get()
    assert get.destination.read_bytes() == CONTENT
    assert web.sent_ranges == [None, "bytes=1000000-"]


def test_the_total_deadline_ends_a_server_that_drips(web, get, conf):
    """ "connect, read and total deadlines" """
    conf.set_override("total_deadline_seconds", 1.0, "image_http")
    web.every = Fault(drip_seconds=0.1)
    with pytest.raises(SourceUnavailableError, match="the total deadline is over"):
        get()
    assert len(web.asked) == 1


def test_the_total_deadline_ends_a_server_that_sends_without_end(web, service, conf):
    conf.set_override("total_deadline_seconds", 0.5, "image_http")
    web.content = bytes(300 * 1024 * 1024)
    with (
        service.read(Reference.parse(web.url)) as blocks,
        pytest.raises(SourceUnavailableError, match="the total deadline is over"),
    ):
        assert not [time.sleep(0.01) for _ in blocks]


def test_a_server_that_ignores_range_sends_all_again_and_nothing_is_doubled(web, get):
    """ "ignores Range" """
    web.ranges = False
    web.faults = [Fault(cut_after=1_500_000)]
    get()
    assert get.destination.read_bytes() == CONTENT
    assert len(web.asked) == 2


@pytest.mark.parametrize("ranges", [True, False])
def test_a_file_that_changes_between_two_ranges_is_not_mixed(web, get, ranges):
    """ "changes the file between two Ranges (ETag)" """
    web.ranges = ranges

    def change():
        web.content, web.etag = OTHER, '"two"'

    web.faults = [Fault(cut_after=1_500_000, then=change)]
    with pytest.raises(SourceChangedError, match="another version"):
        get()
    assert left(get) == []


def test_a_range_of_another_version_is_not_mixed_in_though_the_server_sends_it(web, get):
    def change():
        web.etag = '"two"'

    web.faults = [
        Fault(cut_after=1_500_000, then=change),
        Fault(status=206, headers={"Content-Range": f"bytes 1500000-{len(CONTENT) - 1}/{len(CONTENT)}"}),
    ]
    with pytest.raises(SourceChangedError):
        get()


def test_a_range_that_begins_elsewhere_is_not_mixed_in(web, get):
    web.faults = [
        Fault(cut_after=1_500_000),
        Fault(status=206, headers={"Content-Range": f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"}, body=CONTENT),
    ]
    with pytest.raises(SourceChangedError, match="asked for what follows byte 1500000"):
        get()


def test_after_a_cut_nothing_tells_the_version_and_only_a_pinned_image_is_continued(web, get):
    web.etag = None
    web.faults = [Fault(cut_after=1_500_000)]
    with pytest.raises(SourceUnavailableError):
        get()
    web.faults = [Fault(cut_after=1_500_000)]
    get(f"#sha256={SHA256}")
    assert get.destination.read_bytes() == CONTENT


@pytest.mark.parametrize("kind", ["text/html", "Text/HTML; charset=utf-8", "application/xhtml+xml"])
def test_a_web_page_is_no_image(web, get, kind):
    """ "answers HTML" """
    web.every = Fault(headers={"Content-Type": kind}, body=b"<html>log in</html>")
    with pytest.raises(SourceRefusedError, match="it is answered by a web page"):
        get()
    assert left(get) == []


def test_a_compressed_answer_is_refused(web, get):
    web.every = Fault(headers={"Content-Encoding": "gzip"})
    with pytest.raises(SourceRefusedError, match="another encoding"):
        get()
    assert web.asked[0][2]["accept-encoding"] == "identity"


def test_an_image_above_the_size_cap_is_refused_before_and_while_it_is_read(web, get, conf):
    """ "size cap"; CVE-2026-44919: a source that is read without end"""
    conf.set_override("max_size_bytes", len(CONTENT) - 1, "image_http")
    with pytest.raises(SourceRefusedError, match="raise max_size_bytes"):
        get()
    endless = {"Content-Length": None, "Transfer-Encoding": "chunked"}
    chunk = b"%x\r\n%s\r\n" % (len(CONTENT), CONTENT)
    web.every = Fault(headers=endless, body=chunk * 2)
    with pytest.raises(SourceRefusedError, match="raise max_size_bytes"):
        get(f"#sha256={SHA256}")
    assert left(get) == []


def test_over_http_only_a_pinned_image_is_read_unless_said_otherwise(web, get, conf):
    """ "Unpinned `http://` is refused unless said otherwise" """
    conf.clear_override("allow_unpinned_http", "image_http")
    with pytest.raises(SourceForbiddenError, match="pin it with #sha256=DIGEST, or set allow_unpinned_http"):
        get()
    assert not web.asked
    get(f"#sha256={SHA256}")


def test_qcow2_with_a_backing_file_is_refused_while_it_is_read(web, get):
    """CVE-2024-32498, CVE-2024-44082: an image that makes the host read another file of its own."""
    header = b"QFI\xfb" + (3).to_bytes(4, "big") + (512).to_bytes(8, "big") + (11).to_bytes(4, "big")
    web.content = (header + bytes(512 - len(header)) + b"/etc/passwd").ljust(1024 * 1024, b"\0")
    with pytest.raises(UnsafeImageError):
        get()
    assert left(get) == []


def test_an_image_of_another_format_than_declared_is_refused(get):
    """CVE-2024-44082: the format is what the bytes are, and not what somebody says."""
    with pytest.raises(FormatMismatchError):
        get(declared="qcow2")
    assert left(get) == []


def test_what_a_server_knows_is_told_without_the_body(web, service):
    web.every = Fault(headers={"Last-Modified": "Sat, 03 Jan 2026 10:00:00 GMT"})
    info = service.stat(Reference.parse(web.url))
    assert (info.size, info.etag, info.modified_at) == (len(CONTENT), '"one"', None)
    web.head = False
    info = service.stat(Reference.parse(web.url))
    assert (info.size, info.etag) == (len(CONTENT), '"one"')
    assert info.modified_at.isoformat() == "2026-01-03T10:00:00+00:00"
    assert [method for method, *_ in web.asked] == ["HEAD", "HEAD", "GET"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "9" * 5000},
        {"Content-Length": "-5"},
        {"Last-Modified": "Fri, 31 Dec 9999 23:59:59 -0100"},
        {"Last-Modified": "yesterday"},
    ],
)
def test_headers_that_say_nothing_are_passed_over(web, service, headers):
    web.faults = [Fault(method="HEAD", headers=headers)]
    told = service.stat(Reference.parse(web.url))
    assert (told.size, told.modified_at) == (None if "Content-Length" in headers else len(CONTENT), None)


def test_a_date_beyond_all_dates_in_retry_after_is_none(web, get):
    web.faults = [Fault(status=503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 -0100"})]
    get()
    assert web.sent_ranges == [None, None]


def test_what_passes_is_tried_again_when_only_asked_about(web, service):
    web.faults = [Fault(method="HEAD", status=503), Fault(method="HEAD", status=429, headers={"Retry-After": "0"})]
    assert service.stat(Reference.parse(web.url)).size == len(CONTENT)
    assert len(web.asked) == 3


def test_a_full_disk_is_told_and_leaves_nothing(web, tmp_path):
    """ "disk full" """
    ini, folder = tmp_path / "x.ini", tmp_path / "full"
    ini.write_text(INI)
    folder.mkdir()
    mount = f'mount -t tmpfs -o size=1m none {folder} && exec "$@"'
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("this machine lets nobody but root mount a small file system to fill up")
    command += [sys.executable, "-c", FETCH, folder, ini, web.url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert "amphora.img cannot be written: No space left on device; make room, or name another place []" in done.stdout


def test_a_destination_that_cannot_be_is_told(web, service, tmp_path):
    (tmp_path / "link").symlink_to("/dev/null")
    refused = {tmp_path: "a folder", tmp_path / "no" / "x": "there is no folder", tmp_path / "link": "no regular file"}
    for destination, told in refused.items():
        with pytest.raises(DestinationError, match=told):
            fetch(service, Reference.parse(web.url), destination)


def test_no_server_is_told(get, web, conf):
    conf.set_override("retry_deadline_seconds", 0.2, "image_http")
    with serving_image(b"") as gone:
        pass
    web.url = gone.url
    with pytest.raises(SourceUnavailableError, match=r"no connection to 127\.0\.0\.1"):
        get()


def test_what_is_no_http_is_told(get, web, conf):
    conf.set_override("retry_deadline_seconds", 0.2, "image_http")
    web.every = Fault(headers={"Content-Length": None, "X\r\nY Z": "\r\n\r\n"})
    web.every = Fault(status=99)
    with pytest.raises((SourceUnavailableError, SourceRefusedError)):
        get()
