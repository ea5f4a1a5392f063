# SPDX-License-Identifier: Apache-2.0
"""Images in files, of 1 GiB: to another file system beside cp and openssl, as a hard link beside ln, and out of the cache.

It needs 3 GiB of room where temporary files are, and 1 GiB in /dev/shm.
"""

from __future__ import annotations

import hashlib
import json
import os
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from _paired import compare, seconds_of
from oslo_config import cfg

from amphora_image.config import register_opts
from amphora_image.reference import FileReference, Pin
from amphora_image.services.cache_store import Store
from amphora_image.services.fetch import fetch
from amphora_image.services.file import FileService

if TYPE_CHECKING:
    from collections.abc import Iterator

_MIB = 1024 * 1024
_GIB = 1024 * _MIB
_NOBODY = 65534
_OPENS = 300
_SAMPLES = Path(__file__).parent / "samples"


def main() -> None:
    """Measure all three."""
    with tempfile.TemporaryDirectory() as near, tempfile.TemporaryDirectory(dir="/dev/shm") as far:
        image = Path(near) / "image"
        pin = _made(image, _GIB)
        _to_another_file_system(image, Path(far), pin)
        _out_of_the_cache(image, Path(near) / "cache", pin)
        _as_a_link(Path(near))


def _to_another_file_system(image: Path, far: Path, pin: Pin) -> None:
    service, reference = _service(image.parent), FileReference(PurePosixPath(image), pin=pin)

    def ours() -> float:
        began = time.perf_counter()
        fetch(service, reference, far / "ours")
        seconds = time.perf_counter() - began
        (far / "ours").unlink()
        return seconds

    def peer() -> float:
        seconds = seconds_of(["cp", str(image), str(far / "peer")])
        seconds += seconds_of(["openssl", "dgst", "-sha256", str(far / "peer")])
        (far / "peer").unlink()
        return seconds

    compare("fetch-file-verified", ours, peer)


def _as_a_link(folder: Path) -> None:
    """Link, as a user whom the mode holds back, images of three sizes; the largest beside ``ln``."""
    folder = folder / "nobodys"
    folder.mkdir()
    folder.parent.chmod(0o755)
    service, medians = _service(folder), {}
    for mib in (16, 128, 1024):
        image = folder / f"image-{mib}"
        _made(image, mib * _MIB)
        image.chmod(0o444)
        if os.geteuid() == 0:
            os.chown(image, _NOBODY, _NOBODY)
            os.chown(folder, _NOBODY, _NOBODY)
        samples = [_linked(service, image) for _ in range(51)]
        medians[mib] = statistics.median(samples[1:])
    told = ", ".join(f"{mib} MiB {seconds * 1000:.2f} ms" for mib, seconds in medians.items())
    sys.stdout.write(f"fetch-file-link by size, medians of 50: {told}\n")
    image = folder / "image-1024"

    def peer() -> float:
        seconds = seconds_of(["ln", str(image), str(folder / "peer")])
        (folder / "peer").unlink()
        return seconds

    compare("fetch-file-link", lambda: _linked(service, image), peer, pairs=20)


def _linked(service: FileService, image: Path) -> float:
    target = image.parent / "ours"
    with _as_nobody():
        began = time.perf_counter()
        fetch(service, FileReference(PurePosixPath(image)), target)
        seconds = time.perf_counter() - began
    if not target.samefile(image):
        raise SystemExit("the image was copied and not linked")
    target.unlink()
    return seconds


def _out_of_the_cache(image: Path, folder: Path, pin: Pin) -> None:
    """Open a kept image of 1 GiB again and again."""
    store = Store(folder)
    fetch(_service(image.parent), FileReference(PurePosixPath(image), pin=pin), store.path(pin))
    store.take(pin, "benchmark").close()
    samples = []
    for _ in range(_OPENS):
        began = time.perf_counter()
        opened = store.open(pin)
        samples.append(time.perf_counter() - began)
        if opened is None:
            raise SystemExit("the image is not in the cache")
        opened.close()
    cuts = statistics.quantiles(samples, n=100)
    figures = {"name": "cache-open", "p50_ms": round(cuts[49] * 1000, 3), "p99_ms": round(cuts[98] * 1000, 3)}
    kept = {**figures, "samples": [round(each, 6) for each in samples]}
    (_SAMPLES / "cache-open.json").write_text(json.dumps(kept) + "\n", encoding="utf-8")
    sys.stdout.write(f"{json.dumps(figures)} of {_OPENS} opens of 1 GiB\n")


def _service(root: Path) -> FileService:
    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf.set_override("allowed_roots", [str(root)], "image_file")
    return FileService(conf)


def _made(path: Path, size: int) -> Pin:
    """Write random bytes, and give their digest."""
    digest, block = hashlib.sha256(), os.urandom(_MIB)
    with path.open("wb") as file:
        for _ in range(size // _MIB):
            file.write(block)
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    return Pin("sha256", digest.hexdigest())


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Be a user without rights, where we are root: for root nothing is linked."""
    was = os.geteuid()
    if was == 0:
        os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(was)


if __name__ == "__main__":
    main()
