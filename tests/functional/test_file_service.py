# SPDX-License-Identifier: Apache-2.0
"""Images in real files: which ones are read, and that what was read is of one version."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import stat
import tempfile
import threading
from pathlib import Path, PurePosixPath

import pytest
from oslo_config import cfg
from support.noise import noise

from amphora_image.config import register_opts
from amphora_image.errors import (
    ChecksumFileError,
    DigestMismatchError,
    SourceChangedError,
    SourceForbiddenError,
    SourceNotFoundError,
    SourceRefusedError,
    UnknownSchemeError,
)
from amphora_image.reference import FileReference, Pin, Reference
from amphora_image.services.file import FileService

MIB = 1024 * 1024
NOBODY = 65534


def service_for(*roots):
    conf = cfg.ConfigOpts()
    register_opts(conf)
    conf.set_override("allowed_roots", [str(root) for root in roots], "image_file")
    return FileService(conf)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


@pytest.fixture
def service(root):
    return service_for(root)


@pytest.fixture
def image(root):
    path = root / "amphora.raw"
    path.write_bytes(noise(3 * MIB + 7))
    return path


def refer(path, data=None):
    pin = None if data is None else Pin("sha256", hashlib.sha256(data).hexdigest())
    return FileReference(PurePosixPath(path), pin=pin)


def read(service, reference):
    with service.read(reference) as blocks:
        return b"".join(blocks)


def place(service, reference, path, progress=lambda _: None):
    service.place(reference, path, progress)
    return path.read_bytes()


WAYS = {
    "stat": lambda service, reference, _: service.stat(reference),
    "read": lambda service, reference, _: read(service, reference),
    "place": lambda service, reference, folder: place(service, reference, folder / "placed"),
}


@pytest.fixture(params=WAYS)
def attempt(request, tmp_path):
    """Use the service in each of its ways."""
    return lambda service, path: WAYS[request.param](service, refer(path), tmp_path)


# what is read


def test_an_image_is_told_of_read_and_placed(service, image, tmp_path):
    data = image.read_bytes()
    info = service.stat(refer(image))

    assert (info.size, info.disk_format, dict(info.properties)) == (len(data), None, {})
    assert info.modified_at.timestamp() == pytest.approx(image.stat().st_mtime)
    told = []
    assert read(service, refer(image)) == data
    assert read(service, refer(image, data)) == data
    assert place(service, refer(image), tmp_path / "one", told.append) == data
    assert place(service, refer(image, data), tmp_path / "two", told.append) == data
    assert sum(told) == 2 * len(data)


def test_a_name_of_any_form_is_read(service, root):
    for name in ("a b", "ünï☃", "50%", "#x?y", os.fsdecode(b"\xff\xfe"), "two\nlines", "x" * 255):
        (root / name).write_bytes(name.encode(errors="surrogateescape"))
        assert read(service, Reference.parse(str(refer(root / name)))) == name.encode(errors="surrogateescape")


def test_a_side_file_says_what_an_image_is(service, image):
    Path(f"{image}.yaml").write_text("disk_format: raw\nmin_disk: 2\n")

    info = service.stat(refer(image))

    assert (info.disk_format, dict(info.properties)) == ("raw", {"min_disk": "2"})


def test_a_side_file_that_leads_out_of_the_roots_is_refused(service, image, tmp_path):
    (tmp_path / "secret").write_text("disk_format: raw")
    Path(f"{image}.yaml").symlink_to(tmp_path / "secret")

    with pytest.raises(SourceForbiddenError, match="secret"):
        service.stat(refer(image))


def test_a_link_within_the_roots_is_followed(service, root, image):
    (root / "current").symlink_to(image.name)
    (root.parent / "outside").symlink_to(root)

    assert read(service, refer(root / "current")) == image.read_bytes()
    assert read(service, refer(root.parent / "outside" / "current")) == image.read_bytes()
    assert read(service_for(root.parent / "outside"), refer(image)) == image.read_bytes()


# what is not


def test_without_allowed_roots_no_file_is_read(attempt, image):
    """OSSA-2025-001: file:// unfiltered."""
    with pytest.raises(SourceForbiddenError, match="allowed_roots is empty; set it"):
        attempt(service_for(), image)


def test_a_file_elsewhere_is_refused_whether_it_exists_or_not(attempt, service, root, tmp_path):
    """OSSA-2025-001: file:// unfiltered."""
    (tmp_path / "root-2").mkdir()
    (tmp_path / "root-2" / "x").write_text("x")
    for path in (tmp_path / "root-2/x", tmp_path / "nothing", "/etc/shadow", root / "../root-2/x", root / "../no/x"):
        with pytest.raises(SourceForbiddenError, match="under none of"):
            attempt(service, path)


def test_a_link_out_of_the_roots_is_refused_as_file_and_as_folder(attempt, service, root, tmp_path):
    """Facts: "The allowlist looks at abspath, the link uses realpath: a symlink inside an allowed folder escapes"."""
    (tmp_path / "secret").write_text("secret")
    (root / "file").symlink_to(tmp_path / "secret")
    (root / "folder").symlink_to(tmp_path)
    (root / "twice").symlink_to("folder/secret")
    (root / "broken").symlink_to(tmp_path / "nothing")

    for name in ("file", "folder/secret", "twice", "broken"):
        with pytest.raises(SourceForbiddenError, match=r"under none of"):
            attempt(service, root / name)


def test_what_is_missing_is_told(attempt, service, root, image):
    (root / "broken").symlink_to("nothing")
    for path in (root / "nothing", root / "broken", image / "below"):
        with pytest.raises(SourceNotFoundError, match="no such file"):
            attempt(service, path)


def test_what_is_no_regular_file_is_refused_and_never_waited_for(attempt, service, root):
    """Issue: "a FIFO, a device, /proc"; each of these would be waited for if it were opened."""
    os.mkfifo(root / "fifo")
    (root / "folder").mkdir()
    (root / "zero").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(root / "socket"))
        for name, kind in {"fifo": "a FIFO", "folder": "a folder", "socket": "a socket"}.items():
            with pytest.raises(SourceRefusedError, match=f"it is {kind}"):
                attempt(service, root / name)
    with pytest.raises(SourceForbiddenError):
        attempt(service, root / "zero")


def test_a_device_without_an_end_is_not_read_even_where_all_is_allowed(attempt):
    """CVE-2026-44919: file:///dev/zero is read without end."""
    for path in ("/dev/zero", "/dev/null", "/dev/tty"):
        with pytest.raises(SourceRefusedError, match="it is a device"):
            attempt(service_for("/"), path)


def test_files_that_the_kernel_makes_up_are_not_read_even_where_all_is_allowed(attempt):
    """Issue: "/proc"."""
    for path in ("/proc/self/environ", "/proc/kcore", "/sys/kernel/mm/transparent_hugepage/enabled"):
        if Path(path).exists():
            with pytest.raises(SourceRefusedError, match=r"in a (proc|sysfs) file system"):
                attempt(service_for("/"), path)
    with pytest.raises(SourceRefusedError, match="it is a folder"):
        attempt(service_for("/"), "/proc/self/cwd")


def test_an_empty_file_is_no_image(attempt, service, root):
    (root / "empty").touch()
    with pytest.raises(SourceRefusedError, match="it is empty"):
        attempt(service, root / "empty")


def test_an_unreadable_file_is_told():
    with as_nobody() as folder:
        path = folder / "unreadable"
        path.write_text("x")
        path.chmod(0)
        for way in WAYS.values():
            with pytest.raises(SourceRefusedError, match="Permission denied; let this user read it"):
                way(service_for(folder), refer(path), folder)


def test_no_descriptor_is_left_open(service, root, image):
    os.mkfifo(root / "fifo")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for path in (image, root / "fifo", root / "nothing"):
        for _ in range(3):
            try:
                read(service, refer(path))
            except (SourceRefusedError, SourceNotFoundError):
                continue
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# pins, and changes while it is read


def test_a_wrong_pin_is_told_before_anything_is_whole(service, image, tmp_path):
    """CVE-2024-47211: the checksum is not checked before the image is used."""
    wrong = refer(image, b"other")
    with service.read(wrong) as blocks, pytest.raises(DigestMismatchError, match=r"should have sha256=.*has sha256="):
        for _ in blocks:
            pass
    with pytest.raises(DigestMismatchError):
        service.place(wrong, tmp_path / "x", lambda _: None)


def test_a_checksum_file_that_nobody_read_is_no_pin(service, image):
    with pytest.raises(ChecksumFileError, match="it was not read"):
        read(service, Reference.parse(f"file://{image}#checksum=file:///x"))
    with pytest.raises(UnknownSchemeError):
        read(service, Reference.parse("https://x/y"))


def written(path, mode="r+b"):
    with path.open(mode) as file:
        file.write(b"x")


def rewritten(path):
    """Write other bytes of the same length, and set the time back."""
    status = path.stat()
    with path.open("r+b") as file:
        file.write(b"another version")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def replaced(path):
    other = path.with_name("other")
    other.write_bytes(b"another version")
    other.rename(path)


@pytest.mark.parametrize(
    "change",
    {
        "written": written,
        "written, and its time set back": rewritten,
        "grown": lambda path: written(path, "ab"),
        "cut": lambda path: os.truncate(path, MIB + 5),
        "emptied": lambda path: os.truncate(path, 0),
        "swapped": replaced,
        "deleted": Path.unlink,
    }.items(),
    ids=lambda each: each[0],
)
def test_a_file_that_changes_while_it_is_read_is_told(service, image, change):
    """Issue: "a file swapped or written during the copy"."""
    with service.read(refer(image)) as blocks:
        next(blocks)
        change[1](image)
        with pytest.raises(SourceChangedError):
            list(blocks)


def test_a_file_that_changes_while_it_is_copied_is_told(service, image, tmp_path):
    """Issue: "a file swapped or written during the copy"."""
    with pytest.raises(SourceChangedError):
        service.place(refer(image), tmp_path / "x", lambda _: rewritten(image))
    with pytest.raises(SourceChangedError):
        service.place(refer(image), tmp_path / "y", lambda _: os.truncate(image, 0))


def test_a_pinned_file_that_is_replaced_meanwhile_is_still_the_pinned_one(service, image):
    data = image.read_bytes()
    with service.read(refer(image, data)) as blocks:
        first = next(blocks)
        replaced(image)
        assert first + b"".join(blocks) == data


def test_a_name_that_is_swapped_all_the_time_never_leads_out_of_the_roots(service, root, image, tmp_path):
    """Issue: "opened once without following a swap"."""
    (tmp_path / "secret").write_text("secret")
    name, ended = root / "swapped", threading.Event()

    def swap():
        while not ended.is_set():
            for target in (image, tmp_path / "secret"):
                (root / "next").symlink_to(target)
                (root / "next").rename(name)

    swapping = threading.Thread(target=swap)
    swapping.start()
    outcomes = set()
    try:
        for _ in range(300):
            try:
                outcomes.add(read(service, refer(name)) == image.read_bytes())
            except (SourceForbiddenError, SourceNotFoundError) as error:
                outcomes.add(type(error))
    finally:
        ended.set()
        swapping.join()
    assert outcomes <= {True, SourceForbiddenError, SourceNotFoundError}
    assert {True, SourceForbiddenError} <= outcomes


# links and copies


def test_a_copy_has_its_own_bytes_and_may_be_written(service, image, tmp_path):
    """Facts: "A hard-linked download shares its inode with the source: a later change changes the verified copy"."""
    image.chmod(0o444)
    pinned = refer(image, image.read_bytes())
    data = place(service, pinned, tmp_path / "copy")
    image.chmod(0o644)
    rewritten(image)

    assert (tmp_path / "copy").read_bytes() == data
    assert (tmp_path / "copy").stat().st_nlink == 1
    assert (tmp_path / "copy").stat().st_mode & stat.S_IWUSR


def test_only_what_cannot_change_is_linked():
    """Issue: "a hard link only of what cannot change under us"; doc/adr/0010."""
    with as_nobody() as folder:
        image, service = folder / "image", service_for(folder)
        image.write_bytes(b"0123456789")

        def links(reference):
            service.place(reference, folder / "placed", lambda _: None)
            same = (folder / "placed").samefile(image)
            (folder / "placed").unlink()
            return same

        assert not links(refer(image)), "its owner may write"
        image.chmod(0o444)
        assert links(refer(image))
        assert not links(refer(image, b"0123456789")), "what is pinned is hashed, and what is hashed is a copy"
        image.chmod(0o464)
        assert not links(refer(image)), "its group may write"
        image.chmod(0o644)
        with image.open("ab"):
            image.chmod(0o444)
            assert not links(refer(image)), "a process has it open for writing since before"
        assert links(refer(image))


def test_root_links_nothing_for_nothing_holds_root(service, image, tmp_path):
    image.chmod(0o444)
    service.place(refer(image), tmp_path / "x", lambda _: None)
    assert (tmp_path / "x").samefile(image) == (os.geteuid() != 0)


def test_holes_stay_holes(service, root, tmp_path):
    with (root / "sparse").open("wb") as file:
        for begin in (0, 20 * MIB, 40 * MIB):
            file.seek(begin)
            file.write(b"x" * 4096)
        file.truncate(64 * MIB)
    data = (root / "sparse").read_bytes()
    (root / "nothing-but-a-hole").touch()
    os.truncate(root / "nothing-but-a-hole", MIB)

    assert place(service, refer(root / "sparse", data), tmp_path / "x") == data
    assert (tmp_path / "x").stat().st_blocks <= (root / "sparse").stat().st_blocks + 8
    assert place(service, refer(root / "nothing-but-a-hole", bytes(MIB)), tmp_path / "y") == bytes(MIB)


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="a second file system is needed")
def test_a_copy_to_another_file_system_is_whole(service, image):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        data = image.read_bytes()
        assert place(service, refer(image, data), Path(folder) / "x") == data
        assert place(service, refer(image), Path(folder) / "y") == data


class as_nobody:  # noqa: N801 - reads as what it is: with as_nobody()
    """Be a user without rights, root's too, in a folder of that user's own."""

    def __enter__(self):
        self.folder = Path(tempfile.mkdtemp())
        self.was = os.geteuid()
        if self.was == 0:
            os.chown(self.folder, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        return self.folder

    def __exit__(self, *_):
        if self.was == 0:
            os.seteuid(0)
        shutil.rmtree(self.folder)
