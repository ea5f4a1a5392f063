# SPDX-License-Identifier: Apache-2.0
"""A verified fetch over http and https on loopback, beside curl and then openssl, and beside Ironic's own service.

``python benchmarks/fetch.py [--size-mib N] [--pairs N] [--ironic PYTHON]``. Both sides fetch into one folder from one
server, a process of its own. ``PYTHON`` is an interpreter that has the package ironic, which is no dependency of ours;
without it that comparison is left out. The memory is the peak above what the program has before it fetches.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import http.server
import multiprocessing
import os
import ssl
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from _paired import compare, seconds_of

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from support.authority import Authority

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

_MIB = 1024 * 1024

#: Fetches in a process of its own, which has loaded all before it is told to begin: prints seconds and KiB.
_OURS = """
import resource, sys, time
from pathlib import Path
from amphora_image.config import load
from amphora_image.reference import Reference
from amphora_image.services.fetch import fetch
from amphora_image.services.http import HttpService

ini, url, destination = sys.argv[1:]
service = HttpService(load([ini]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.perf_counter()
fetched = fetch(service, Reference.parse(url), Path(destination))
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""

#: What Ironic's conductor does for an image with a checksum: download, and hash what passes.
_IRONIC = """
import sys, time
from oslo_config import cfg
from ironic.common import image_service
from ironic.conf import CONF

CONF([], project="ironic")
url, destination, digest, authority = sys.argv[1:]
CONF.set_override("webserver_verify_ca", authority)
service = image_service.HttpImageService()
began = time.perf_counter()
with open(destination, "wb") as file:
    service.download(url, file, checksum=digest, checksum_algo="sha256")
assert service.transfer_verified_checksum
print(time.perf_counter() - began)
"""


class _Handler(http.server.SimpleHTTPRequestHandler):
    """Sends files in large blocks and says nothing."""

    protocol_version = "HTTP/1.1"

    def copyfile(self, source: object, outputfile: object) -> None:
        if isinstance(self.connection, ssl.SSLSocket):
            while block := source.read(_MIB):
                outputfile.write(block)
        else:
            self.connection.sendfile(source)

    def log_message(self, *_: object) -> None:
        pass


def _serve(folder: str, certificate: str, tell: Connection) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=folder))
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    tell.send(server.server_address[1])
    server.serve_forever()


def _started(folder: Path, certificate: str) -> tuple[multiprocessing.Process, str]:
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(str(folder), certificate, there), daemon=True)
    process.start()
    return process, f"{'https' if certificate else 'http'}://127.0.0.1:{here.recv()}/image"


def _measured(command: list[str]) -> list[float]:
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - ours
    return [float(word) for word in done.stdout.split()]


def _curl(url: str, destination: Path, authority: Path) -> float:
    fetched = seconds_of(["curl", "--silent", "--fail", "--cacert", str(authority), "--output", str(destination), url])
    return fetched + seconds_of(["openssl", "dgst", "-sha256", str(destination)])


def _once(call: Callable[[], float], destination: Path) -> float:
    """Do it once, from nothing; what an earlier one left to be written to the disk is written before."""
    destination.unlink(missing_ok=True)
    os.sync()
    return call()


def main() -> int:
    """Measure both schemes."""
    parser = argparse.ArgumentParser(description="verified fetch, beside curl and openssl, and Ironic")
    parser.add_argument("--size-mib", type=int, default=1024, help="size of the image (default: %(default)s)")
    parser.add_argument("--pairs", type=int, default=10, help="pairs of each comparison (default: %(default)s)")
    parser.add_argument("--ironic", metavar="PYTHON", help="interpreter that has the package ironic")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="amphora-image-bench-") as name:
        folder = Path(name)
        authority, image = Authority(folder), folder / "image"
        certificate = str(authority.issue("127.0.0.1"))
        digest = hashlib.sha256()
        with image.open("wb") as file:
            for _ in range(asked.size_mib):
                file.write(block := bytes(512) + os.urandom(_MIB - 512))
                digest.update(block)
        ini = folder / "bench.ini"
        ini.write_text(
            f"[image_http]\nallowed_addresses = 127.0.0.1\nallowed_ports =\nca_certificates_file = {authority.path}\n",
            encoding="utf-8",
        )
        for scheme, shown in (("http", ""), ("https", certificate)):
            process, url = _started(folder, shown)
            try:
                _compare(scheme, (url, digest.hexdigest(), ini, authority.path), folder / "fetched", asked)
            finally:
                process.terminate()
                process.join()
    return 0


def _compare(scheme: str, of: tuple[str, str, Path, Path], destination: Path, asked: argparse.Namespace) -> None:
    url, digest, ini, authority = of
    memory = []

    def ours() -> float:
        seconds, kib = _measured([sys.executable, "-c", _OURS, str(ini), f"{url}#sha256={digest}", str(destination)])
        memory.append(kib / 1024)
        return seconds

    def ironic() -> float:
        return _measured([asked.ironic, "-c", _IRONIC, url, str(destination), digest, str(authority)])[0]

    pairs = {f"fetch_{scheme}_curl": lambda: _curl(url, destination, authority)}
    if asked.ironic:
        pairs[f"fetch_{scheme}_ironic"] = ironic
    for name, peer in pairs.items():
        compare(
            name,
            functools.partial(_once, ours, destination),
            functools.partial(_once, peer, destination),
            pairs=asked.pairs,
        )
    sys.stdout.write(f"fetch_{scheme}: memory at most {max(memory):.0f} MiB above idle\n")


if __name__ == "__main__":
    began = time.monotonic()
    sys.exit(main())
