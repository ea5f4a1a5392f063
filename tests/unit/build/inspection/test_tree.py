# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.file_system import FakeFileSystem, link, tree

from amphora_image.build.inspection.structure import DamagedError, UnsupportedError
from amphora_image.build.inspection.tree import Tree, plain


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/etc/hostname", "/etc/hostname"),
        ("etc/./hostname", "/etc/hostname"),
        ("/lib/x", "/usr/lib/x"),
        ("/absolute", "/etc/hostname"),
        ("/etc/relative", "/usr/lib/x"),
        ("/outside", "/etc/hostname"),
        ("/../../etc/hostname", "/etc/hostname"),
        ("/loop", None),
        ("/nothing", None),
        ("/etc/hostname/below", None),
        ("/dangling", None),
    ],
)
def test_links_are_followed_and_never_lead_outside_the_image(path, leads_to):
    files = tree(
        {
            "etc/hostname": "amphora",
            "usr/lib/x": "x",
            "lib": link("usr/lib"),
            "absolute": link("/etc/hostname"),
            "etc/relative": link("../lib/x"),
            "outside": link("../../../../etc/hostname"),
            "loop": link("/loop2"),
            "loop2": link("loop"),
            "dangling": link("/nowhere"),
        }
    )
    assert files.resolve(path) == leads_to


def test_a_link_that_grows_on_each_step_ends():
    assert tree({"x": link("x/" * 100)}).resolve("/x") is None


def test_what_is_mounted_takes_the_place_of_the_folder():
    files = tree({"boot/old/x": "", "bootstrap": "", "etc/x": ""})
    files.mount("/boot", FakeFileSystem({"vmlinuz-6": "kernel", "efi/": ""}))
    files.mount("/boot/efi", FakeFileSystem({"EFI/": ""}))
    files.mount("/etc/x", FakeFileSystem({"y": ""}))
    files.mount("/none", FakeFileSystem({"y": ""}))
    assert set(files.files) == {
        *("/boot", "/boot/vmlinuz-6", "/boot/efi", "/boot/efi/EFI"),
        *("/bootstrap", "/etc", "/etc/x"),
    }
    assert files.read("/boot/vmlinuz-6", 10) == b"kernel"
    assert files.names("/boot") == ["efi", "vmlinuz-6"]


def test_only_regular_files_have_contents():
    files = tree({"a/b": "text", "link": link("a/b")})
    assert files.text("/link") == "text"
    assert files.text("/a") is None
    assert files.text("/c") is None
    assert files.names("/a") == ["b"]
    assert files.names("/a/b") == []


def test_names_and_texts_cannot_write_to_a_terminal_what_they_like():
    """What an image's author chose is shown to its operator."""
    assert plain(b"\x1b[2Jx\n") == r"\x1b[2Jx\n"
    assert plain(b"caf\xc3\xa9") == "café"
    assert plain(b"\xff\xfe") == r"\xff\xfe"
    text = tree({"x": "a\tb\n\x1b[2J\r\u202ec caf\u00e9\n"}).text("/x")
    assert text == "a\tb\n\\x1b[2J\\r\\u202ec caf\u00e9\n"


class _Endless(FakeFileSystem):
    """Each folder has itself in it."""

    def entries(self, folder):
        return [(b"again", folder.number)]


def test_folders_that_are_in_one_another_have_an_end():
    with pytest.raises(DamagedError, match="in one another"):
        Tree(_Endless({}))


def test_folders_that_lie_too_deep_are_refused():
    with pytest.raises(DamagedError, match="deeper"):
        tree({"x" * 100 + f"/{'x' * 100}" * 41: ""})


@pytest.mark.parametrize("name", [b"", b"a/b", b"x" * 2000])
def test_a_name_that_cannot_be_is_told(name):
    class Odd(FakeFileSystem):
        def entries(self, _folder):
            return [(name, 1)]

    with pytest.raises(DamagedError, match="name"):
        Tree(Odd({"file": ""}))


def test_more_files_than_any_amphora_has_are_refused():
    system = FakeFileSystem({f"{number}": "" for number in range(4)})
    assert len(Tree(system, most_files=4).files) == 4
    with pytest.raises(UnsupportedError, match="more than 3 files"):
        Tree(system, most_files=3)
