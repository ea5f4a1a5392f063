# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib

import pytest

from amphora_image.build.builder.indexes import are_current, indexes_of


@pytest.fixture
def tree(tmp_path):
    for name in ("etc/apt/sources.list.d", "var/lib/apt/lists"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def test_an_index_is_found_under_the_name_that_apt_gives_it(tree):
    (tree / "etc/apt/sources.list").write_text("deb [signed-by=/k] https://a_b.example.org:8080/~x/debian/ sid main\n")
    (tree / "var/lib/apt/lists/a%5fb.example.org:8080_%7ex_debian_dists_sid_InRelease").write_text("one")
    address = "https://a_b.example.org:8080/~x/debian/dists/sid/InRelease"
    assert indexes_of(tree) == {address: hashlib.sha256(b"one").hexdigest()}


def test_all_is_told_or_nothing(tree):
    lines = "deb http://mirror/debian sid main\ndeb http://other/debian sid main\n"
    (tree / "etc/apt/sources.list").write_text(lines)
    (tree / "var/lib/apt/lists/mirror_debian_dists_sid_InRelease").write_text("one")
    assert indexes_of(tree) == {}
    (tree / "var/lib/apt/lists/other_debian_dists_sid_InRelease").write_text("two")
    assert len(indexes_of(tree)) == 2
    (tree / "etc/apt/sources.list.d/more.list").write_text("deb mirror+file:/etc/mirrors sid main\n")
    assert indexes_of(tree) == {}


def test_indexes_are_current_while_the_mirror_has_the_same(tmp_path):
    (tmp_path / "InRelease").write_text("one")
    told = {(tmp_path / "InRelease").as_uri(): hashlib.sha256(b"one").hexdigest()}
    assert are_current(told)
    (tmp_path / "InRelease").write_text("two")
    assert not are_current(told)
    (tmp_path / "InRelease").unlink()
    assert not are_current(told)
