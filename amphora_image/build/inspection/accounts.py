# SPDX-License-Identifier: Apache-2.0
"""Which accounts of an image can be logged in to: by a password, or by a key that lies ready."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

from amphora_image.build.inspection.report import Account

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.build.inspection.tree import Tree

_DEFAULT_KEYS = (".ssh/authorized_keys", ".ssh/authorized_keys2")
_NO_LOGIN = ("/nologin", "/false", "/sync", "/halt", "/shutdown")
_SSHD = "/etc/ssh/sshd_config"


def accounts_of(tree: Tree) -> tuple[Account, ...]:
    """Give the accounts that have a password, need none, or have a key; whether sshd lets them in is not asked."""
    hashes = {fields[0]: fields[1] for fields in _rows(tree, "/etc/shadow", 2)}
    patterns = _key_patterns(tree)
    counted = cache(partial(_count, tree))
    found = []
    for name, word, uid, _, _, home, shell in _rows(tree, "/etc/passwd", 7):
        password = _kind(hashes.get(name, "*") if word == "x" else word)
        if shell.endswith(_NO_LOGIN):
            password = ""
        paths = {_expanded(pattern, name, uid, home) for pattern in patterns}
        keys = sum(map(counted, {tree.resolve(path) for path in paths}))
        if password or keys:
            number = int(uid) if uid.isdecimal() else -1
            found.append(Account(name=name, uid=number, shell=shell, password=password, keys=keys))
    return tuple(found)


def key_files(tree: Tree) -> tuple[str, ...]:
    """Give all files named as those of authorised keys are, wherever they lie, that have a key."""
    names = tuple(f"/{name.rpartition('/')[2]}" for name in _DEFAULT_KEYS)
    return tuple(sorted(path for path in tree.files if path.endswith(names) and _count(tree, path)))


def _rows(tree: Tree, path: str, fields: int) -> Iterator[list[str]]:
    for line in (tree.text(path) or "").splitlines():
        row = line.split(":")
        if len(row) >= fields and row[0] and row[0][0] not in "#+-":
            yield row[:fields]


def _kind(word: str) -> str:
    if not word:
        return "empty"
    return "" if word[0] in "!*" or word == "x" else "set"


def _key_patterns(tree: Tree) -> tuple[str, ...]:
    """Read where sshd looks for keys; its first word on it counts."""
    included = [f"{_SSHD}.d/{name}" for name in tree.names(f"{_SSHD}.d") if name.endswith(".conf")]
    for path in (*included, _SSHD):
        for line in (tree.text(path) or "").splitlines():
            words = line.replace("=", " ", 1).replace('"', "").split()
            if words and words[0].lower() == "authorizedkeysfile":
                return tuple(word for word in words[1:] if word != "none")
    return _DEFAULT_KEYS


def _expanded(pattern: str, name: str, uid: str, home: str) -> str:
    for token, value in (("%h", home), ("%u", name), ("%U", uid), ("%%", "%")):
        pattern = pattern.replace(token, value)
    return pattern if pattern.startswith("/") else f"{home}/{pattern}"


def _count(tree: Tree, path: str | None) -> int:
    lines = (line.strip() for line in ((path and tree.text(path)) or "").splitlines())
    return sum(bool(line) and not line.startswith("#") for line in lines)
