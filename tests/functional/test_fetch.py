# SPDX-License-Identifier: Apache-2.0
"""The commands on a reference as an operator runs them: show, fetch and cache."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.image_server import Fault, serving_image
from support.noise import noise
from support.program import AMPHORA_IMAGE, run

from amphora_image.cli.main import main
from amphora_image.services.partial import Partial

MIB = 1024 * 1024
DATA = noise(12 * MIB + 5)
SHA256 = hashlib.sha256(DATA).hexdigest()

FETCHERS = Path(__file__).parents[1] / "support" / "fetchers.py"
#: Fetches a file, and is killed when the first bytes are there.
KILLED = """
import os, signal, sys
from pathlib import Path
from amphora_image.config import load
from amphora_image.reference import Reference
from amphora_image.services.fetch import fetch
from amphora_image.services.file import FileService

def kill(_):
    os.kill(os.getpid(), signal.SIGKILL)

fetch(FileService(load([sys.argv[1]])), Reference.parse(sys.argv[2]), Path(sys.argv[3]), progress=kill)
"""


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    (folder / "a.raw").write_bytes(DATA)
    return folder


@pytest.fixture
def out(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


@pytest.fixture
def web():
    with serving_image(DATA) as server:
        yield server


@pytest.fixture
def ini(images, tmp_path):
    """Write an ini; what is given comes after what lets the test's own folder and server be read."""

    def write(*lines):
        own = (
            f"[image_file]\nallowed_roots = {images}",
            "[image_http]\nallowed_addresses = 127.0.0.1/32\nallowed_ports =",
        )
        path = tmp_path / "x.ini"
        path.write_text("\n".join([*own, *lines, ""]))
        return path

    return write


@pytest.fixture
def cached(ini, tmp_path):
    return ini(f"[image_cache]\npath = {tmp_path / 'cache'}")


@pytest.fixture
def call(capsys):
    """Run a command in this process; give its exit code, what it printed, and its last line on stderr."""

    def run_it(ini, *arguments):
        root = logging.getLogger()
        before = root.handlers[:]
        code = main(["--config-file", str(ini), *map(str, arguments)])
        for handler in set(root.handlers).difference(before):  # bound to this test's stderr
            root.removeHandler(handler)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, (told.err.splitlines() or [""])[-1]

    return run_it


def shown(outcome):
    code, stdout, told = outcome
    assert code == 0, told
    return json.loads(stdout)


def refused(outcome, code, *parts):
    assert outcome[:2] == (code, ""), outcome
    problem, _, remedy = outcome[2].rpartition("; ")
    for part in parts[:-1]:
        assert part in problem
    assert parts[-1] in remedy


def names_in(folder):
    return [path.name for path in folder.iterdir()]


# show


def test_show_tells_what_is_known_of_a_file(call, ini, images):
    (images / "a.raw.yaml").write_text("disk_format: raw\nmin_disk: 2\n")
    ini = ini("[amphora_image]\nimage_properties = min_disk:9,architecture:x86_64")

    told = shown(call(ini, "show", f"file://{images}/a.raw", "--digest", "-f", "json"))

    assert (told["size"], told["disk_format"], told["pin"]) == (len(DATA), "raw", None)
    assert told["properties"] == {"min_disk": "2", "hw_architecture": "x86_64"}
    assert told["digest"] == f"sha256={SHA256}"
    assert told["modified_at"].startswith("20")
    code, table, _ = call(ini, "show", f"file://{images}/a.raw")
    assert code == 0
    assert "min_disk=2" in table


def test_show_looks_at_the_first_bytes_where_nobody_says_the_format(call, ini, images):
    assert shown(call(ini(), "show", f"file://{images}/a.raw", "-f", "json"))["disk_format"] == "raw"


def test_show_looks_at_all_of_an_image_that_is_small(call, ini, images):
    header = bytearray(1024)
    header[:8] = b"QFI\xfb\0\0\0\3"
    for place, length, value in ((24, 8, MIB), (20, 4, 16), (100, 4, 104)):
        header[place : place + length] = value.to_bytes(length, "big")
    (images / "small.qcow2").write_bytes(header)
    assert shown(call(ini(), "show", f"file://{images}/small.qcow2", "-f", "json"))["disk_format"] == "qcow2"
    header[8:20] = (512).to_bytes(8, "big") + (11).to_bytes(4, "big")
    header[512:523] = b"/etc/shadow"
    (images / "backed.qcow2").write_bytes(header)
    refused(call(ini(), "show", f"file://{images}/backed.qcow2"), 1, "backing", "qemu-img convert")


def test_show_of_an_image_on_a_web_server_downloads_nothing(call, ini, web):
    ini = ini("[amphora_image]\nimage_properties = disk_format:raw")
    told = shown(call(ini, "show", f"{web.url}#sha256={SHA256}", "-f", "json"))
    assert (told["size"], told["pin"], told["disk_format"]) == (len(DATA), f"sha256={SHA256}", "raw")
    assert [method for method, *_ in web.asked] == ["HEAD"]


def test_show_tells_what_glance_says(cloud, tag, command):
    image_id = cloud.upload("v1", tag)
    for reference in (tag, f"glance://tag/{tag}", image_id, f"glance://{image_id}"):
        told = json.loads(command("--config-file", cloud.ini(), "show", reference, "-f", "json").stdout)
        assert (told["reference"], told["size"], told["disk_format"]) == (f"glance://{image_id}", 1024, "raw")
        assert told["digests"].keys() == {"sha512"}


# fetch


def test_fetch_from_glance_by_tag_goes_through_the_cache(cloud, tag, command, tmp_path):
    image_id = cloud.upload("v1", tag)
    ini = cloud.ini(image_cache__path=tmp_path / "cache")
    for name in ("one", "two"):
        ended = command("--config-file", ini, "fetch", f"glance://tag/{tag}", name, "-f", "json")
        assert ended.code == 0, ended.stderr
        told = json.loads(ended.stdout)
        assert (told["reference"], told["path"], told["size"]) == (f"glance://{image_id}", name, 1024)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    (kept,) = (tmp_path / "cache" / "images").iterdir()
    assert kept.name == f"sha512-{hashlib.sha512((tmp_path / 'one').read_bytes()).hexdigest()}"


def test_fetch_puts_a_verified_file_in_place(call, ini, images, out):
    reference = f"file://{images}/a.raw#sha256={SHA256}"
    told = shown(call(ini(), "fetch", reference, out / "x", "-f", "json"))
    assert (told["path"], told["size"], told["disk_format"]) == (str(out / "x"), len(DATA), "raw")
    assert told["digest"] == f"sha256={SHA256}"
    assert (out / "x").read_bytes() == DATA
    assert names_in(out) == ["x"]


def test_what_a_killed_fetch_from_a_file_has_left_goes_with_the_next(call, ini, images, out):
    """Issue: "kill -9 in the middle. Nothing partial is ever visible under the final name"."""
    program = [sys.executable, "-W", "ignore", "-c", KILLED, ini(), f"file://{images}/a.raw", out / "x"]
    assert subprocess.run(list(map(str, program)), check=False).returncode == -signal.SIGKILL
    assert sorted(names_in(out)) == [".x.part", ".x.placed"]
    shown(call(ini(), "fetch", f"file://{images}/a.raw", out / "x", "-f", "json"))
    assert names_in(out) == ["x"]


def test_of_two_fetches_to_one_place_the_second_says_so(call, ini, images, out):
    with Partial(out / "x"):
        outcome = call(ini(), "fetch", f"file://{images}/a.raw", out / "x")
    refused(outcome, 1, "another process is fetching to it", "")
    assert names_in(out) == []


def test_fetch_with_a_checksum_file_beside_it(call, ini, images, out):
    (images / "SHA256SUMS").write_text(f"{'0' * 64}  b.raw\n{SHA256} *a.raw\n")
    reference = f"file://{images}/a.raw#checksum=file://{images}/SHA256SUMS"
    assert shown(call(ini(), "fetch", reference, out / "x", "-f", "json"))["digest"] == f"sha256={SHA256}"
    (images / "SHA256SUMS").write_text(f"{'0' * 64}  a.raw\n")
    refused(call(ini(), "fetch", reference, out / "y"), 1, f"should have sha256={'0' * 64}", "do not use it")
    assert names_in(out) == ["x"]


def test_fetch_replaces_nothing_unless_told_so(call, ini, images, out):
    (out / "x").write_text("mine")
    reference = f"file://{images}/a.raw"
    refused(call(ini(), "fetch", reference, out / "x"), 1, "only --overwrite", "another place")
    assert (out / "x").read_text() == "mine"
    assert call(ini(), "fetch", reference, out / "x", "--overwrite")[0] == 0
    assert (out / "x").read_bytes() == DATA


def test_fetch_to_what_is_no_place_for_a_file_is_refused_before_anything_is_read(call, ini, out):
    (out / "folder").mkdir()
    (out / "link").symlink_to("nothing")
    os.mkfifo(out / "fifo")
    reference = "file:///nothing"
    for name, kind in (("folder", "a folder"), ("link", "no regular file"), ("fifo", "no regular file")):
        refused(call(ini(), "fetch", reference, out / name, "--overwrite"), 1, kind, "another place")
    refused(call(ini(), "fetch", reference, "/dev/null", "--overwrite"), 1, "no regular file", "another place")
    refused(call(ini(), "fetch", reference, out / "no" / "x"), 1, "there is no folder", "another place")


@pytest.mark.parametrize(
    ("reference", "code", "parts"),
    [
        ("file:///etc/passwd", 2, ("file:///etc/passwd", "under none of", "add its folder")),
        ("file://{images}/nothing", 1, ("there is no such file", "correct the reference")),
        ("file://relative/x", 2, ("absolute path", "file:///PATH")),
        ("oci://x/y", 2, ("no image service reads oci://", "install the package")),
        ("file://{images}/a.raw#md5=0", 2, ("too weak", "#sha256=DIGEST")),
        ("file://{images}/a.raw#sha256=00", 2, ("64 hex digits", "copy the whole digest")),
        ("file://{images}/a.raw#sha512=" + "0" * 128, 1, ("should have sha512=", "do not use it")),
        ("https://127.0.0.2/x", 2, ("127.0.0.2", "allowed_addresses")),
        ("http://images.example/x", 2, ("http://images.example/x", "")),
    ],
)
def test_what_cannot_be_fetched_is_told_in_one_line_and_leaves_nothing(call, ini, images, out, reference, code, parts):
    refused(call(ini(), "fetch", reference.format(images=images), out / "x"), code, *parts)
    assert names_in(out) == []


def test_qcow2_with_a_backing_file_is_refused(call, ini, images, out):
    """CVE-2024-32498, CVE-2024-44082: qcow2 with a backing or an external data file; formats that nobody compared."""
    header = bytearray(MIB)
    header[:8] = b"QFI\xfb\0\0\0\3"
    for place, length, value in ((8, 8, 1024), (16, 4, 11), (24, 8, MIB), (20, 4, 16), (100, 4, 104)):
        header[place : place + length] = value.to_bytes(length, "big")
    header[1024:1035] = b"/etc/shadow"
    (images / "backed.qcow2").write_bytes(header)
    header[8:20] = bytes(12)  # no backing file
    header[16:24] = (16).to_bytes(8, "big")
    header[72:80] = (4).to_bytes(8, "big")  # an external data file
    (images / "data.qcow2").write_bytes(header)
    for name, part in (("backed", "backing"), ("data", "data file")):
        outcome = call(ini(), "fetch", f"file://{images}/{name}.qcow2", out / "x")
        assert outcome[0] == 1
        assert part in outcome[2].replace("_", " ")
    (images / "a.raw.yaml").write_text("disk_format: qcow2")
    outcome = call(ini(), "fetch", f"file://{images}/a.raw", out / "x")
    assert outcome[0] == 1
    assert "qcow2" in outcome[2]
    assert names_in(out) == []


def test_a_full_disk_is_told_and_leaves_nothing(ini, images, out):
    """Issue: "disk full"."""
    mount = f"mount -t tmpfs -o size=6m tmpfs {out}"
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    fetch = f"{AMPHORA_IMAGE} --config-file {ini()} fetch file://{images}/a.raw {out}/x; echo ended $?; ls -A {out}"
    if shutil.which("unshare") is None:
        pytest.skip("without util-linux's unshare there is no small file system to fill up")
    shell = ["unshare", *user, "--mount", "sh", "-c", f"{mount} && {{ {fetch}; }}"]
    done = subprocess.run(shell, capture_output=True, text=True, check=False, timeout=60)
    if "ended" not in done.stdout:
        pytest.skip(f"this machine lets nobody but root mount a small file system: {done.stderr}")
    assert done.stdout == "ended 1\n"
    assert "No space left on device; make room" in done.stderr


# with a cache


def test_what_is_pinned_is_downloaded_once_and_what_is_not_each_time(call, cached, web, out):
    with cached.open("a") as file:
        file.write("[image_http]\nallow_unpinned_http = true\n")
    for name in ("one", "two"):
        shown(call(cached, "fetch", f"{web.url}#sha256={SHA256}", out / name, "-f", "json"))
        assert (out / name).read_bytes() == DATA
    assert [method for method, *_ in web.asked].count("GET") == 1
    for name in ("three", "four"):
        shown(call(cached, "fetch", web.url, out / name, "-f", "json"))
    shown(call(cached, "fetch", f"{web.url}#sha256={SHA256}", out / "five", "--no-cache", "-f", "json"))
    assert [method for method, *_ in web.asked].count("GET") == 4


def test_a_fetch_that_is_killed_is_gone_on_with(cached, web, out):
    """Issue: "kill -9 in the middle. Nothing partial is ever visible under the final name, nothing verified is lost"."""
    web.faults.append(Fault(cut_after=10 * MIB + 7, hold_seconds=60))
    command = [AMPHORA_IMAGE, "--config-file", cached, "fetch", f"{web.url}#sha256={SHA256}", out / "x"]
    part = cached.parent / "cache" / "images" / f".sha256-{SHA256}.part"
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as killed:
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < MIB:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        killed.kill()
    assert not list(out.glob("x"))

    ended = run(command, cached.parent)

    assert ended.code == 0, ended.stderr
    assert (out / "x").read_bytes() == DATA
    first, second = web.sent_ranges
    assert first is None
    assert int(second.removeprefix("bytes=").removesuffix("-")) >= MIB


def test_a_hundred_processes_that_fetch_one_image_download_it_once(cached, web, out):
    """The issue: "100 processes fetching one reference", each into a file of its own."""
    reference = f"{web.url}#sha256={SHA256}"
    subprocess.run([sys.executable, FETCHERS, cached, reference, out, "100"], check=True, timeout=300)
    assert [method for method, *_ in web.asked].count("GET") == 1
    digests = {hashlib.sha256(path.read_bytes()).hexdigest() for path in out.iterdir()}
    assert (len(list(out.iterdir())), digests) == (100, {SHA256})


def test_the_cache_is_listed_verified_and_pruned(call, cached, web, out, tmp_path):
    call(cached, "fetch", f"{web.url}#sha256={SHA256}", out / "x")
    (kept,) = shown(call(cached, "cache", "list", "-f", "json"))
    assert (kept["digest"], kept["size"], kept["source"]) == (f"sha256={SHA256}", len(DATA), web.url)
    assert shown(call(cached, "cache", "verify", "-f", "json"))[0]["state"] == "right"
    assert shown(call(cached, "cache", "prune", "-f", "json")) == []

    path = tmp_path / "cache" / "images" / f"sha256-{SHA256}"
    path.chmod(0o644)
    path.write_bytes(b"evil")
    code, stdout, _ = call(cached, "cache", "verify", "-f", "json")
    assert (code, json.loads(stdout)[0]["state"]) == (1, "damaged, removed")

    call(cached, "fetch", f"{web.url}#sha256={SHA256}", out / "y")
    assert [one["digest"] for one in shown(call(cached, "cache", "prune", "--all", "-f", "json"))] == [
        f"sha256={SHA256}"
    ]
    assert shown(call(cached, "cache", "list", "-f", "json")) == []


def test_without_a_cache_its_commands_say_so(call, ini):
    for name in ("list", "verify", "prune"):
        refused(call(ini(), "cache", name), 2, "[image_cache] path is empty", "set it to a folder")
