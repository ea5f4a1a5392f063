# SPDX-License-Identifier: Apache-2.0
"""The small image: built, looked into and booted, and all that can go wrong on the way."""

from __future__ import annotations

import functools
import hashlib
import http.server
import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from support.program import AMPHORA_IMAGE, BIN, run

from amphora_image.build.builder.mirrors import mirrors

_BUILD_SECONDS = 900
_TINY = ("build", "--os", "debian", "--release", "bookworm", "--tiny", "--compression", "zstd")


#: In their order, as a build tells them that finds no stage kept; from the first on that was kept, later ones do.
_PHASES = (
    "unpacking the base system",
    "keeping for the next build: the base system",
    "collecting what goes into the image",
    "preparing the base system",
    "installing",
    "keeping for the next build: the system with all installed",
    "configuring",
    "finishing",
    "cleaning up",
    "partitioning the disk",
    "making the root file system",
    "making it bootable",
    "writing qcow2",
    "telling what is in it",
)
_ACCOUNT, _TOKEN = "canary-4b1d", "canary-9e7c"
#: What a build is told under a name that says that it is secret.
_SECRETS = {"DIB_TRIAL_TOKEN": _TOKEN}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The image, built once for all."""
    folder = tmp_path_factory.mktemp("tiny")
    command = [AMPHORA_IMAGE, *_TINY, "-o", "tiny.qcow2", "-f", "json"]
    ended = run(command, folder, timeout=_BUILD_SECONDS, environ=_SECRETS)
    assert ended.code == 0, ended.stderr
    assert json.loads(ended.stdout)["path"] == str(folder / "tiny.qcow2")
    return folder / "tiny.qcow2"


@pytest.fixture
def work(tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def left_in(folder):
    """Give what a build has left: processes whose root or folder is in there, and mounts."""
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if str(folder) in line]
    processes = []
    for each in Path("/proc").glob("[0-9]*"):
        for link in ("root", "cwd"):
            try:
                if str(folder) in str((each / link).readlink()):
                    processes.append(each.name)
            except OSError:
                continue
    return mounts, processes


def wait_until_nothing_is_left(folder):
    ends = time.monotonic() + 30
    while left_in(folder) != ([], []):
        assert time.monotonic() < ends, left_in(folder)
        time.sleep(0.1)


@pytest.mark.parametrize("firmware", ["bios", "uefi"])
def test_it_boots_answers_and_shuts_down(tiny, tmp_path, firmware):
    """The issue: "a tiny image (no agent) is built, inspected and booted"."""
    ended = run([AMPHORA_IMAGE, "test", "--firmware", firmware, tiny, "-f", "json"], tmp_path, timeout=900)
    assert ended.code == 0, ended.stderr
    assert [(step["step"], step["result"]) for step in json.loads(ended.stdout)] == [
        ("boots and answers", "ok"),
        ("shuts down", "ok"),
    ]
    assert "amphora-image tiny" in ended.stdout


def test_what_is_in_it_can_be_told_without_booting_it(tiny, tmp_path):
    ended = run([AMPHORA_IMAGE, "inspect", tiny, "-f", "json"], tmp_path)
    assert ended.code == 0, ended.stderr
    for part in ("haproxy", "bookworm", "linux-image"):
        assert part in ended.stdout


def holds(image, secret, folder):
    """Tell whether an image, not compressed, or what is beside it, has these words anywhere."""
    raw = folder / "searched.raw"
    subprocess.run(["qemu-img", "convert", "-O", "raw", image, raw], check=True)
    texts = [raw.read_bytes(), *(path.read_bytes() for path in image.parent.glob(f"{image.name}.*.json"))]
    assert b"DIB_RELEASE" in texts[0], "nothing that is searched is compressed"
    assert len(texts) == 3
    return any(secret.encode() in text for text in texts)


def test_no_secret_of_the_build_is_in_it_or_beside_it_without_booting_it(tiny, tmp_path):
    """The issue: "no secret in the image (a test greps it for canaries)"."""
    assert not holds(tiny, _TOKEN, tmp_path)


def test_the_account_of_a_mirror_is_not_in_the_image(tmp_path):
    """The issue: "no secret in the image (a test greps it for canaries)"."""
    accounts = {
        name: uri.replace("://", f"://builder:{_ACCOUNT}@", 1)
        for name, uri in mirrors("debian", Path("/etc/apt"), {}).items()
    }
    command = [AMPHORA_IMAGE, *_TINY, "-o", "x.qcow2"]
    ended = run(command, tmp_path, timeout=_BUILD_SECONDS, environ=accounts)
    assert ended.code == 0, ended.stderr
    assert accounts
    assert not holds(tmp_path / "x.qcow2", _ACCOUNT, tmp_path)


def test_a_build_leaves_the_image_and_what_is_known_of_it_and_nothing_else(tiny):
    """The issue: "SBOM (SPDX or CycloneDX, by a library), SHA-256/512 and the inputs as JSON beside the image"."""
    assert sorted(path.name for path in tiny.parent.iterdir() if not path.name.startswith(".")) == [
        "tiny.qcow2",
        "tiny.qcow2.cdx.json",
        "tiny.qcow2.log",
        "tiny.qcow2.provenance.json",
    ]
    told = json.loads(tiny.with_name("tiny.qcow2.provenance.json").read_text())
    assert told["image"]["sha256"] == hashlib.sha256(tiny.read_bytes()).hexdigest()
    bill = json.loads(tiny.with_name("tiny.qcow2.cdx.json").read_text())
    [purl] = [each["purl"] for each in bill["components"] if each["name"] == "haproxy"]
    assert purl.startswith("pkg:deb/debian/haproxy@")


def test_a_second_build_begins_with_what_the_first_has_kept(tiny, tmp_path):
    """The issue: "Cache: downloads and root file system by content"; with ``--no-cache`` it would begin anew."""
    command = [AMPHORA_IMAGE, *_TINY, "-o", tmp_path / "again.qcow2"]
    ended = run(command, tiny.parent, timeout=_BUILD_SECONDS, environ=_SECRETS)
    assert ended.code == 0, ended.stderr
    assert "taking from the cache: the system with all installed" in ended.stderr
    told = [run([AMPHORA_IMAGE, "inspect", each, "-f", "json"], tmp_path) for each in (tiny, tmp_path / "again.qcow2")]
    first, again = (json.loads(each.stdout) for each in told)
    assert first["packages"]
    for what in ("packages", "units", "privileged", "accounts"):
        assert again[what] == first[what], what


def test_a_tar_goes_through_a_pipe_and_nothing_else_does(tiny):
    """The issue: "amphora-image build --type tar -o - | docker import -"."""
    command = [AMPHORA_IMAGE, *_TINY, "--type", "tar", "-o", "-", "--log-file", "tar.log"]
    ended = run(["sh", "-c", '"$@" | tar --list', "-", *command], tiny.parent, timeout=_BUILD_SECONDS, environ=_SECRETS)
    assert ended.code == 0, ended.stderr
    assert {"./usr/sbin/haproxy", "./proc/", "./etc/machine-id"} <= {*ended.stdout.splitlines()}


def test_octavias_script_builds_a_disk_of_the_elements_that_a_pipeline_names(tiny, tmp_path):
    """The issue: "so that existing pipelines run unchanged"."""
    script = Path(__file__).parents[2] / "diskimage-create.sh"
    cache = tiny.parent / ".cache/image-create"
    command = [script, *f"-i debian -d bookworm -s 3 -o x -w work -c {cache}".split()]
    named = {"DIB_ELEMENTS": "vm amphora-debian tiny-balancer", "PATH": f"{BIN}:{os.environ['PATH']}"}
    ended = run(command, tmp_path, timeout=_BUILD_SECONDS, environ=named)
    assert ended.code == 0, ended.stderr
    output = tmp_path / "x.qcow2"
    assert ended.stdout.endswith(f"Amphora image size: {output} {output.stat().st_size}\n")
    told = json.loads(run([AMPHORA_IMAGE, "inspect", output, "-f", "json"], tmp_path).stdout)
    assert (told["virtual_size"], told["release"]) == (3 << 30, "12")
    assert told["boot"]


@pytest.mark.parametrize("phase", ["unpacking the base system", "installing"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["Ctrl-C", "kill", "kill -9"])
def test_a_build_that_is_ended_leaves_no_mount_and_no_process(work, tmp_path, phase, number):
    """The issue: "Ctrl-C and kill -9 leave no mount, loop device or chroot process"."""
    # Where we run in the background of a shell, Ctrl-C is ignored, and so it would be there.
    command = ["env", "--default-signal=INT", AMPHORA_IMAGE, *_TINY]
    started = subprocess.Popen(
        [*command, "--work-dir", work, "-o", tmp_path / "x.qcow2"],
        env={**os.environ, "HOME": str(tmp_path)},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    with started:
        assert any(line.startswith(phase) for line in started.stderr)
        time.sleep(1)
        assert left_in(work)[1]
        started.send_signal(number)
        started.stderr.read()
    wait_until_nothing_is_left(work)
    assert not (tmp_path / "x.qcow2").exists()
    if number != signal.SIGKILL:
        assert list(work.iterdir()) == []


def test_a_build_that_was_killed_at_each_phase_leads_to_an_image_when_run_again(work, tmp_path):
    """The issue: "a build killed at each phase and run again", with the same output, work folder and cache."""
    output, home = tmp_path / "out" / "x.qcow2", tmp_path / "home"
    command = [AMPHORA_IMAGE, *_TINY, "--work-dir", work, "-o", output]
    for folder in (output.parent, home):
        folder.mkdir()
    for phase in _PHASES:
        environment = {**os.environ, "HOME": str(home)}
        pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
        with subprocess.Popen(command, env=environment, **pipes) as started:
            assert any(line.startswith(phase) for line in started.stderr), phase
            started.kill()
            started.stderr.read()
        wait_until_nothing_is_left(work)
        assert output.exists() == (phase == _PHASES[-1])
    ended = run([*command, "--overwrite"], home, timeout=_BUILD_SECONDS)
    assert ended.code == 0, ended.stderr
    assert list(work.iterdir()) == []
    names = {"x.qcow2", "x.qcow2.cdx.json", "x.qcow2.log", "x.qcow2.provenance.json"}
    assert {path.name for path in output.parent.iterdir()} == names


@pytest.mark.parametrize(
    ("variables", "options", "code", "told"),
    [
        ({"DIB_DISTRIBUTION_MIRROR": "http://127.0.0.1:9/debian"}, (), 6, "packages could not be fetched"),
        ({}, ("--release", "nosuchrelease"), 2, "the mirror has no such release"),
        ({}, ("--package", "nosuchpackage"), 2, "a package is not to be had"),
        ({}, ("--size", "200M"), 2, "does not hold the system"),
    ],
    ids=["mirror down", "unknown release", "unknown package", "size too small"],
)
def test_what_goes_wrong_is_told_in_one_line(work, tmp_path, variables, options, code, told):
    """The issue: "mirror down or signed by an unknown key, unknown OS/release/element/architecture, size too small"."""
    command = [AMPHORA_IMAGE, *_TINY, "--work-dir", work, "-o", tmp_path / "x.qcow2", *options]
    ended = run(command, tmp_path, environ=variables, timeout=_BUILD_SECONDS)
    assert ended.code == code, ended.stderr
    assert told in ended.stderr.splitlines()[-1]
    assert not (tmp_path / "x.qcow2").exists()
    assert list(work.iterdir()) == []


def test_who_is_not_root_is_told_how_to_become_it(tmp_path):
    """The issue: "No root or sudo"."""
    ended = run(["unshare", "--user", AMPHORA_IMAGE, *_TINY, "-o", tmp_path / "x.qcow2"], tmp_path)
    ended.failed(5, "takes the rights of root", f"run `sudo {AMPHORA_IMAGE} build …`")


def test_a_mirror_that_nobody_trusted_has_signed_is_told_as_such(work, tmp_path):
    """The issue: "mirror … signed by an unknown key"."""
    release = tmp_path / "mirror" / "debian" / "dists" / "bookworm" / "Release"
    release.parent.mkdir(parents=True)
    release.write_text("Suite: stable\nCodename: bookworm\nDate: Sat, 01 Jan 2022 00:00:00 UTC\nSHA256:\n")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=tmp_path / "mirror")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        mirror = {"DIB_DISTRIBUTION_MIRROR": f"http://127.0.0.1:{server.server_address[1]}/debian"}
        command = [AMPHORA_IMAGE, *_TINY, "--work-dir", work, "-o", tmp_path / "x.qcow2"]
        ended = run(command, tmp_path, environ=mirror, timeout=_BUILD_SECONDS)
        server.shutdown()
    assert ended.code == 1, ended.stderr
    assert "the mirror's signature is not trusted" in ended.stderr.splitlines()[-1]


def test_a_full_disk_is_told_as_such_and_nothing_stays_mounted(tmp_path):
    """The issue: "full disk"."""
    (tmp_path / "small").mkdir()
    mounted = f'mount -t tmpfs -o size=100m none {tmp_path}/small && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", mounted, "-", AMPHORA_IMAGE, *_TINY]
    ended = run(
        [*command, "--no-tmpfs", "--work-dir", tmp_path / "small", "-o", tmp_path / "x.qcow2"],
        tmp_path,
        timeout=_BUILD_SECONDS,
    )
    assert ended.code == 1, ended.stderr
    assert f"there is no room in {tmp_path / 'small'}" in ended.stderr.splitlines()[-1]
