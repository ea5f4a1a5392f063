# SPDX-License-Identifier: Apache-2.0
"""What differs between two images: what an operator wants to read before the one replaces the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.build.inspection.contents import digests_of, kept_of
from amphora_image.build.inspection.inspect import opened_image, report_of, telling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from amphora_image.build.inspection.contents import Kept
    from amphora_image.build.inspection.report import Inspection
    from amphora_image.build.inspection.tree import Tree

_DIGEST_DIGITS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that differs: ``before`` and ``after`` tell of it as text, None where it is not there.

    ``kind`` is one of :data:`KINDS`.
    """

    kind: str
    name: str
    before: str | None
    after: str | None


KINDS = ("image", "packages", "units", "accounts", "key_files", "privileged", "files")


def diff(before: Path, after: Path) -> tuple[Change, ...]:
    """Compare two images, files by their contents, modes and owners; times are left out.

    :raises AmphoraImageError: as :func:`~amphora_image.build.inspection.inspect.inspect` does.
    """
    with ExitStack() as opened, ThreadPoolExecutor(max_workers=2) as pool:
        paths = (before, after)
        one, other = (opened.enter_context(opened_image(path)) for path in paths)
        reports = (report_of(before, one), report_of(after, other))
        return (*_of_reports(*reports), *_of_files((before, after), (one.tree, other.tree), pool))


def _of_reports(before: Inspection, after: Inspection) -> Iterator[Change]:
    told: dict[str, Callable[[Inspection], dict[str, str]]] = {
        "image": _image,
        "packages": _packages,
        "units": lambda image: dict.fromkeys(image.units, "enabled"),
        "accounts": lambda image: {each.name: _login(each.password, each.keys) for each in image.accounts},
        "key_files": lambda image: dict.fromkeys(image.key_files, "has keys"),
        "privileged": lambda image: {
            each.path: " ".join(filter(None, (each.mode, each.owner, each.capabilities))) for each in image.privileged
        },
    }
    for kind, tell in told.items():
        yield from _compared(kind, tell(before), tell(after))


def _compared(kind: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted({*before, *after}):
        if before.get(name) != after.get(name):
            yield Change(kind=kind, name=name, before=before.get(name), after=after.get(name))


def _image(image: Inspection) -> dict[str, str]:
    system = image.system
    told = {
        "format": image.format,
        "compression": image.compression,
        "size": str(image.size),
        "virtual_size": str(image.virtual_size),
        "partition_table": image.partition_table,
        "partitions": ", ".join(
            f"{each.type or 'whole'}: {each.file_system or 'nothing'}" for each in image.partitions
        ),
        "boot bios": image.boot.bios,
        "boot uefi": image.boot.uefi,
        "os": system and system.id,
        "release": system and system.release,
        "architecture": system and system.architecture,
        "kernels": ", ".join(system.kernels) if system else None,
        "agent": image.agent and image.agent.version,
        "haproxy": image.haproxy and image.haproxy.version,
    }
    return {name: value for name, value in told.items() if value}


def _packages(image: Inspection) -> dict[str, str]:
    found: dict[str, list[str]] = {}
    for each in image.packages or ():
        found.setdefault(each.name, []).append(each.version)
    for each in image.pip_packages:
        found.setdefault(f"pip: {each.name}", []).append(each.version)
    return {name: ", ".join(sorted(set(versions))) for name, versions in found.items()}


def _login(password: str, keys: int) -> str:
    ways = [f"password {password}"] if password else []
    return ", ".join([*ways, f"{keys} keys"] if keys else ways)


def _of_files(paths: tuple[Path, Path], trees: tuple[Tree, Tree], pool: ThreadPoolExecutor) -> Iterator[Change]:
    """Compare all files; only those that are alike but for their contents are read."""

    def digests(path: Path, tree: Tree) -> dict[str, bytes]:
        with telling(path):
            return digests_of(tree, alike)

    kept = [kept_of(tree) for tree in trees]
    both = kept[0].keys() & kept[1].keys()
    alike = [
        path
        for path in both
        if all(one[path].kind == "file" for one in kept) and kept[0][path].size == kept[1][path].size
    ]
    found = list(pool.map(digests, paths, trees))
    for path in sorted({*kept[0], *kept[1]}):
        before, after = (_told(one.get(path), digest.get(path)) for one, digest in zip(kept, found, strict=True))
        if before == after:
            continue
        if before is not None and after is not None:  # tell only what differs
            fields = [name for name in before if before[name] != after[name]]
            before, after = ({name: fields_of[name] for name in fields} for fields_of in (before, after))
        yield Change(kind="files", name=path, before=_joined(before), after=_joined(after))


def _told(kept: Kept | None, digest: bytes | None) -> dict[str, str] | None:
    if kept is None:
        return None
    told = {"kind": kept.kind, "mode": f"mode {kept.mode}", "owner": f"owner {kept.owner}"}
    if kept.kind == "file":
        told["contents"] = f"{kept.size} bytes" + (f" sha256 {digest.hex()[:_DIGEST_DIGITS]}" if digest else "")
    else:
        told["contents"] = f"to {kept.target}" if kept.target else ""
    return told


def _joined(told: dict[str, str] | None) -> str | None:
    return None if told is None else ", ".join(filter(None, told.values()))
