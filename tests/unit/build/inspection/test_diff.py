# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest
from support import amphorae
from support.filesystems import deflated, qcow2

from amphora_image.build.inspection.diff import diff
from amphora_image.errors import UnreadableImageError

CHANGES = {
    "var/lib/dpkg/status": amphorae.STATUS.replace("2.6.12", "2.8.14").replace("openssh-server", "openssh-client"),
    f"{amphorae.WANTS}/haproxy.service": Path("/usr/lib/systemd/system/haproxy.service"),
    "usr/lib/systemd/system/haproxy.service": "[Service]\n",
    "etc/shadow": "root:$6$x:19000::::::\n",
    "usr/sbin/haproxy": (b"PROGRAM" * 9999, 0o755),
    "usr/bin/su": (amphorae.ELF, 0o755),
    "sbin": Path("/usr/sbin"),
    "srv/state": "a file",
    "usr/lib/os-release": "absent",
    "etc/os-release": amphorae.FILES["usr/lib/os-release"],
}


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """All that differs between an amphora and one with other files, by kind and name."""
    folder = tmp_path_factory.mktemp("diff")
    found = diff(
        amphorae.image(folder / "before", {"srv/state": None}), amphorae.image(folder / "after", CHANGES, pack=None)
    )
    return {(each.kind, each.name): (each.before, each.after) for each in found}


def test_packages_and_units_and_accounts_that_changed_are_told(changes):
    """The issue: "--diff A B: packages, units, files that changed"."""
    assert {key: values for key, values in changes.items() if key[0] not in {"image", "files"}} == {
        ("packages", "haproxy"): ("2.6.12-1+deb12u1", "2.8.14-1+deb12u1"),
        ("packages", "openssh-client"): (None, "1:9.2p1-2"),
        ("packages", "openssh-server"): ("1:9.2p1-2", None),
        ("units", "haproxy.service"): (None, "enabled"),
        ("accounts", "root"): (None, "password set"),
        ("privileged", "/usr/bin/su"): (changes["privileged", "/usr/bin/su"][0], None),
    }
    assert changes["image", "haproxy"] == ("2.6.12-1+deb12u1", "2.8.14-1+deb12u1")
    assert ("image", "os") not in changes


def test_files_are_compared_by_contents_mode_and_kind(changes):
    assert changes["files", "/usr/bin/su"] == ("mode 4755", "mode 0755")
    assert changes["files", "/sbin"] == ("to usr/sbin", "to /usr/sbin")
    assert changes["files", "/etc/shadow"] == ("19 bytes", "22 bytes")
    before, after = changes["files", "/usr/sbin/haproxy"]
    assert before.startswith("69993 bytes sha256 ")
    assert after.startswith("69993 bytes sha256 ")
    assert before != after
    assert changes["files", "/usr/lib/os-release"][1] is None
    assert changes["files", "/srv/state"][0].startswith("folder, ")
    assert changes["files", "/srv/state"][1].startswith("file, ")
    assert ("files", "/boot/vmlinuz-6.1.0-1-amd64") not in changes
    assert ("files", "/usr/sbin") not in changes


def test_an_image_differs_from_itself_in_nothing_and_a_copy_stored_otherwise_in_its_size(tmp_path):
    disk, paths = amphorae.disk(tmp_path), (tmp_path / "one.qcow2", tmp_path / "other.qcow2")
    for path, pack in zip(paths, (deflated, None), strict=True):
        path.write_bytes(qcow2(disk, pack=pack))
    assert diff(paths[0], paths[0]) == ()
    assert {(each.kind, each.name) for each in diff(*paths)} == {("image", "size")}


def test_which_of_the_two_is_damaged_is_told(tmp_path):
    image = amphorae.image(tmp_path)
    broken = tmp_path / "broken.qcow2"
    broken.write_bytes(image.read_bytes()[:-4096])
    for pair in ((image, broken), (broken, image)):
        with pytest.raises(UnreadableImageError) as caught:
            diff(*pair)
        assert caught.value.path == str(broken)
