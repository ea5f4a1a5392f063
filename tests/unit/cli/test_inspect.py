# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import gc

import pytest

from amphora_image.build.inspection.diff import Change
from amphora_image.build.inspection.report import Account, Boot, Inspection, Package, Software
from amphora_image.cli.inspect import _columns, _compared, _without_collection


def seen(shown=(), **given):
    """Show an image of which nothing is known but what is given: what people see, and what programs do."""
    known = dict.fromkeys(Inspection.__slots__) | dict.fromkeys(
        ("partitions", "pip_packages", "units", "accounts", "key_files", "privileged", "warnings"), ()
    )
    names, values = _columns(Inspection(**(known | {"boot": Boot(bios=None, uefi=None)} | given)), shown)
    people = [getattr(value, "human_readable", lambda value=value: value)() for value in values]
    programs = [getattr(value, "machine_readable", lambda value=value: value)() for value in values]
    return dict(zip(names, people, strict=True)), dict(zip(names, programs, strict=True))


def test_a_long_list_is_counted_for_people_unless_they_ask_for_it():
    packages = tuple(Package(name=f"p{number}", version="1", architecture="all") for number in range(100))
    people, programs = seen(packages=packages)
    assert people["packages"] == "100, which -c packages shows"
    assert len(programs["packages"]) == 100
    assert seen(shown=["packages"], packages=packages)[0]["packages"].splitlines()[:2] == ["p0 1", "p1 1"]
    assert seen(packages=packages[:2])[0]["packages"] == "p0 1\np1 1"


def test_what_is_not_known_is_empty_and_not_left_out():
    people, programs = seen()
    assert {"os", "agent", "packages", "violations"} - people.keys() == {"violations"}
    assert (people["boot"], programs["boot"]) == ("", {"bios": None, "uefi": None})
    assert (programs["agent"], programs["packages"], programs["units"]) == (None, None, [])


@pytest.mark.parametrize(
    ("password", "keys", "line"),
    [("set", 0, "root (0): a password"), ("empty", 2, "root (0): no password, 2 keys"), ("", 1, "root (0): 1 keys")],
)
def test_an_account_is_told_by_what_opens_it(password, keys, line):
    account = Account(name="root", uid=0, shell="/bin/sh", password=password, keys=keys)
    assert seen(accounts=(account,))[0]["accounts"] == line


def test_a_program_of_unknown_version_is_told_as_such():
    people, programs = seen(haproxy=Software(version="", origin="/usr/sbin/haproxy"))
    assert people["haproxy"] == "unknown version (/usr/sbin/haproxy)"
    assert programs["haproxy"] == {"version": "", "origin": "/usr/sbin/haproxy"}


def test_changes_are_shown_by_kind_with_what_was_and_what_is():
    changes = [
        Change(kind="packages", name="a", before="1", after="2"),
        Change(kind="packages", name="b", before=None, after="1"),
        Change(kind="packages", name="c", before="1", after=None),
    ]
    names, values = _compared(changes, [])
    shown = dict(zip(names, values, strict=True))
    assert shown["packages"].human_readable() == "a: 1 -> 2\n+ b: 1\n- c: 1"
    assert shown["packages"].machine_readable()["b"] == {"before": None, "after": "1"}
    assert shown["files"].machine_readable() == {}


def test_garbage_is_collected_again_afterwards():
    with _without_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
