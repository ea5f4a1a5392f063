# SPDX-License-Identifier: Apache-2.0
"""The rules that a policy may have: how each is written, and what breaks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from amphora_image.build.inspection.versions import compare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from amphora_image.build.inspection.report import Inspection, Software

_UNITS = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "kB": 10**3, "MB": 10**6, "GB": 10**9}
_PRESENT, _ABSENT = "present", "absent"
_VERSION = re.compile(r"(at least|exactly|below) (\S+)")
_KEEPS: dict[str, Callable[[int], bool]] = {
    "at least": lambda order: order >= 0,
    "exactly": lambda order: order == 0,
    "below": lambda order: order < 0,
}


class WrongError(Exception):
    """That cannot be asked for; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A rule: ``parse`` reads what it asks for (:class:`WrongError` says what is wrong), ``broken`` says how it is broken."""

    name: str
    parse: Callable[[Any], Any]
    broken: Callable[[Inspection, Any], Iterator[str]]


def _text(value: Any) -> str:
    if isinstance(value, float):
        raise WrongError(f"{value} is a number, which loses zeros at its end: write it in quotes")
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise WrongError(f"{value!r} is no text")
    return str(value)


def _texts(value: Any) -> list[str]:
    return [_text(each) for each in (value if isinstance(value, list) else [value])]


def _paths(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise WrongError("it is no list of paths")
    return [_text(each) for each in value]


def _size(value: Any) -> int:
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)", str(value))
    if match is None or match[2] not in _UNITS or isinstance(value, bool):
        raise WrongError(f"{value!r} is no size, as 400 MiB is")
    return int(float(match[1]) * _UNITS[match[2]])


def _no(value: Any) -> bool:
    if value is not False:
        raise WrongError(f"{value!r} is not false, and only that can be asked for")
    return False


def _version(value: Any) -> str:
    text = _text(value)
    if text not in {_PRESENT, _ABSENT} and not _VERSION.fullmatch(text):
        raise WrongError(f"{text!r} is neither present, absent, at least VERSION, exactly VERSION nor below VERSION")
    return text


def _each(value: Any, parse: Callable[[Any], str]) -> dict[str, str]:
    if not isinstance(value, dict):
        raise WrongError("it is no mapping of names")
    return {_text(name): parse(asked) for name, asked in value.items()}


def _state(value: Any) -> str:
    if value not in {"enabled", "disabled"}:
        raise WrongError(f"{value!r} is neither enabled nor disabled")
    return str(value)


def _one_of(found: object, wanted: list[str]) -> Iterator[str]:
    if found not in wanted:
        yield f"{' or '.join(wanted)} wanted, {found or 'nothing'} found"


def _of_system(image: Inspection, field: str, wanted: list[str]) -> Iterator[str]:
    return _one_of(getattr(image.system, field, None), wanted)


def _at_most(found: int, limit: int) -> Iterator[str]:
    if found > limit:
        yield f"at most {limit} bytes wanted, {found} found"


def _boots(image: Inspection, wanted: list[str]) -> Iterator[str]:
    for each in wanted:
        if getattr(image.boot, each) is None:
            yield f"{each} wanted, nothing found that it boots"


def _firmwares(value: Any) -> list[str]:
    names = _texts(value)
    if not {*names} <= {"bios", "uefi"}:
        raise WrongError(f"{', '.join(names)}: only bios and uefi can be asked for")
    return names


def _keeps(system: str | None, found: str | None, wanted: str) -> Iterator[str]:
    """Judge a version, None where there is nothing."""
    if wanted == _ABSENT:
        if found is not None:
            yield f"absent wanted, {found or 'one without a version'} found"
        return
    match = _VERSION.fullmatch(wanted)
    if found is None or (match and not (found and _KEEPS[match[1]](compare(system, found, match[2])))):
        told = "nothing" if found is None else found or "one without a version"
        yield f"{wanted} wanted, {told} found"


def _packages(image: Inspection, wanted: dict[str, str]) -> Iterator[str]:
    if image.packages is None:
        yield "nobody knows which packages it has"
        return
    for name, asked in wanted.items():
        versions: list[str | None] = [each.version for each in image.packages if each.name == name]
        for version in versions or [None]:  # of a kernel, say, there may be several; each has to do
            for line in _keeps(image.package_system, version, asked):
                yield f"{name}: {line}"


def _software(image: Inspection, found: Software | None, wanted: str) -> Iterator[str]:
    if found is None:
        return _keeps(None, None, wanted)
    system = image.package_system if found.origin.startswith("package ") else "pip"
    return _keeps(system, found.version, wanted)


def _units(image: Inspection, wanted: dict[str, str]) -> Iterator[str]:
    for name, state in wanted.items():
        unit = name if "." in name else f"{name}.service"
        found = "enabled" if unit in image.units else "disabled"
        if found != state:
            yield f"{unit}: {state} wanted, {found} found"


def _passwords(image: Inspection) -> Iterator[str]:
    for each in image.accounts:
        if each.password:
            way = {"set": "a password", "empty": "no password"}[each.password]
            yield f"account {each.name} can be logged in to with {way}"


def _keys(image: Inspection) -> Iterator[str]:
    for each in image.accounts:
        if each.keys:
            yield f"account {each.name} can be logged in to with keys: {each.keys}"
    for path in image.key_files:
        yield f"{path} has keys"


def _privileged(image: Inspection, allowed: list[str]) -> Iterator[str]:
    for each in image.privileged:
        if each.path not in allowed:
            yield f"{each.path} is not among those allowed ({each.capabilities or each.mode})"


#: All rules, by their names.
RULES = {
    rule.name: rule
    for rule in (
        Rule(name="format", parse=_texts, broken=lambda image, wanted: _one_of(image.format, wanted)),
        Rule(name="max_size", parse=_size, broken=lambda image, limit: _at_most(image.size, limit)),
        Rule(name="max_virtual_size", parse=_size, broken=lambda image, limit: _at_most(image.virtual_size, limit)),
        Rule(name="boot", parse=_firmwares, broken=_boots),
        Rule(name="os", parse=_texts, broken=lambda image, wanted: _of_system(image, "id", wanted)),
        Rule(name="release", parse=_texts, broken=lambda image, wanted: _of_system(image, "release", wanted)),
        Rule(name="architecture", parse=_texts, broken=lambda image, wanted: _of_system(image, "architecture", wanted)),
        Rule(name="packages", parse=lambda value: _each(value, _version), broken=_packages),
        Rule(name="agent", parse=_version, broken=lambda image, wanted: _software(image, image.agent, wanted)),
        Rule(name="haproxy", parse=_version, broken=lambda image, wanted: _software(image, image.haproxy, wanted)),
        Rule(name="units", parse=lambda value: _each(value, _state), broken=_units),
        Rule(name="password_login", parse=_no, broken=lambda image, _: _passwords(image)),
        Rule(name="authorized_keys", parse=_no, broken=lambda image, _: _keys(image)),
        Rule(name="privileged", parse=_paths, broken=_privileged),
    )
}
