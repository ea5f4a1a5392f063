# SPDX-License-Identifier: Apache-2.0
"""``amphora-image inspect``: what is in an image, whether it keeps a policy, and how it differs from another one."""

from __future__ import annotations

import gc
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, is_dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from cliff.columns import FormattableColumn
from cliff.show import ShowOne

from amphora_image.errors import ConfigurationError, UnreadableImageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from amphora_image.build.inspection.diff import Change
    from amphora_image.build.inspection.policy import Policy
    from amphora_image.build.inspection.report import Account, Inspection, Partition, Privileged, Software

_BROKEN_EXIT_CODE = 4  # as of an image that may not be booted
_EPILOG = """examples: `amphora-image inspect amphora.qcow2`; `amphora-image inspect amphora.qcow2 -f json -c packages`;
`amphora-image inspect amphora.qcow2 --policy policy.yaml`; `amphora-image inspect --diff glance://tag/amphora new.qcow2`. A policy is
YAML: os: debian; release: '12'; architecture: x86_64; format: qcow2; boot: [bios, uefi]; max_size: 400 MiB; max_virtual_size:
2 GiB; packages: {haproxy: at least 2.6, telnetd: absent, keepalived: present}; agent: at least 19.0; haproxy: at least
2.6; units: {amphora-agent: enabled}; password_login: false; authorized_keys: false; privileged: [/usr/bin/su]. exit codes besides the
usual: 1 the image cannot be read, it is damaged for example; 4 it does not keep the policy."""
#: A table shows no more lines of a list than these, unless -c asks for the list.
_FEW = 24


class Inspect(ShowOne):
    """Show what is in a disk image: nothing is mounted, run or booted, and no root is needed.

    qcow2, raw and VHD images are read, with ext2, ext3, ext4 and FAT file systems. With --policy the image is judged,
    and every rule that it breaks is told. With --diff two images are compared: the first is the one before, the second
    the one after. What a reference names (glance://tag/NAME, https://…) is fetched first, verified, and not kept; with
    [image_cache] path set it is fetched once.
    """

    _epilog = _EPILOG  # type: ignore[assignment]  # cliff says None, and means text too
    _exit_code = 0

    def get_parser(self, prog_name: str) -> argparse.ArgumentParser:
        """Take one image or two, and what to do."""
        parser: argparse.ArgumentParser = super().get_parser(prog_name)
        parser.add_argument(
            "images",
            metavar="IMAGE",
            nargs="+",
            help="File of a disk image, or a reference with ://, which is fetched.",
        )
        doing = parser.add_mutually_exclusive_group()
        doing.add_argument("--policy", metavar="FILE", type=Path, help="YAML of what the image has to keep.")
        doing.add_argument("--diff", action="store_true", help="Tell what differs between two images.")
        return parser

    def take_action(self, parsed_args: argparse.Namespace) -> tuple[tuple[str, ...], list[Any]]:
        """Inspect, judge or compare."""
        images, shown = parsed_args.images, parsed_args.columns
        if len(images) != 1 + parsed_args.diff:
            wanted = "--diff compares two images" if parsed_args.diff else "one image is inspected at a time"
            raise ConfigurationError(f"{wanted}, and {len(images)} are given", "see `amphora-image inspect --help`")
        rules = _read_rules(parsed_args.policy)
        with ExitStack() as brought:
            brought.enter_context(_without_collection())
            local = [brought.enter_context(self._local(image)) for image in images]
            if parsed_args.diff:
                from amphora_image.build.inspection.diff import diff  # noqa: PLC0415 - heavy

                return _compared(diff(*(path for _, path in local)), shown)
            from amphora_image.build.inspection.inspect import inspect  # noqa: PLC0415 - heavy

            ((name, path),) = local
            found = replace(inspect(path), path=name)
        names, values = _columns(found, shown)
        if rules is None:
            return names, values
        broken = rules.violations(found)
        if broken:
            self.app.LOG.error("amphora-image: %s breaks its policy in %d points; see violations", name, len(broken))
            self._exit_code = _BROKEN_EXIT_CODE
        return (*names, "violations"), [*values, _lines(broken, str)]

    def run(self, parsed_args: argparse.Namespace) -> int:
        """End with 4 when the image does not keep the policy."""
        return super().run(parsed_args) or self._exit_code

    @contextmanager
    def _local(self, image: str) -> Iterator[tuple[str, Path]]:
        """Give the name of an image, and a path to it; what a reference names is there only within."""
        if "://" not in image or Path(image).exists():
            yield image, Path(image)
            return
        from amphora_image.cli.sources import open_source  # noqa: PLC0415 - heavy

        source = open_source(self.app.options, image)
        with TemporaryDirectory(prefix="amphora-image-") as folder:
            path, name = Path(folder) / "image", source.reference.shown
            source.bring(path, self.app.stderr)
            try:
                yield name, path
            except UnreadableImageError as error:
                error.path = name if error.path == str(path) else error.path
                raise


@contextmanager
def _without_collection() -> Iterator[None]:
    """Leave garbage to reference counts: to look for circles among tens of thousands of files takes a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class _Shown(FormattableColumn[Any]):
    """A value that people see as ``text``."""

    def __init__(self, value: Any, text: str) -> None:
        super().__init__(value)
        self._text = text

    def human_readable(self) -> str:
        return self._text

    def machine_readable(self) -> Any:
        return self._value


def _read_rules(policy: Path | None) -> Policy | None:
    if policy is None:
        return None
    from amphora_image.build.inspection.policy import read_policy  # noqa: PLC0415 - its library is for YAML alone

    return read_policy(policy)


def _columns(found: Inspection, shown: Sequence[str]) -> tuple[tuple[str, ...], list[Any]]:
    """Give all that was found as cliff's ShowOne takes it; lists in full where ``shown`` asks for them."""
    system, packages = found.system, found.packages
    told: dict[str, Any] = {
        "path": found.path,
        "format": found.format,
        "compression": found.compression,
        "size": found.size,
        "allocated_size": found.allocated_size,
        "virtual_size": found.virtual_size,
        "partition_table": found.partition_table,
        "partitions": _lines(found.partitions, _partition),
        "boot": _Shown(asdict(found.boot), _boot(found)),
        "os": system and system.id,
        "release": system and system.release,
        "os_name": system and system.name,
        "architecture": system and system.architecture,
        "kernels": _lines(system.kernels if system else (), str),
        "agent": _software(found.agent),
        "haproxy": _software(found.haproxy),
        "package_system": found.package_system,
        "packages": packages and _listed("packages", shown, packages, lambda each: f"{each.name} {each.version}"),
        "pip_packages": _listed("pip_packages", shown, found.pip_packages, lambda each: f"{each.name} {each.version}"),
        "units": _listed("units", shown, found.units, str),
        "accounts": _lines(found.accounts, _account),
        "key_files": _lines(found.key_files, str),
        "privileged": _listed("privileged", shown, found.privileged, _privileged),
        "warnings": _lines(found.warnings, str),
    }
    return tuple(told), list(told.values())


def _lines(values: Sequence[Any], line: Callable[[Any], str]) -> _Shown:
    """Show a line each to people, and objects to programs."""
    objects = [asdict(each) if is_dataclass(each) and not isinstance(each, type) else each for each in values]
    return _Shown(objects, "\n".join(map(line, values)))


def _listed(name: str, shown: Sequence[str], values: Sequence[Any], line: Callable[[Any], str]) -> _Shown:
    """Show as :func:`_lines` does, but only a count to people who have not asked for the column ``name``."""
    told = _lines(values, line)
    if name in shown or len(values) <= _FEW:
        return told
    return _Shown(told.machine_readable(), f"{len(values)}, which -c {name} shows")


def _partition(each: Partition) -> str:
    label = f" {each.label}" if each.label else ""
    return f"{each.number}: {each.type}, {each.size} bytes, {each.file_system or 'nothing known'}{label}"


def _boot(found: Inspection) -> str:
    ways = {"BIOS": found.boot.bios, "UEFI": found.boot.uefi}
    return "\n".join(f"{way}: {found_there}" for way, found_there in ways.items() if found_there)


def _software(found: Software | None) -> _Shown | None:
    return None if found is None else _Shown(asdict(found), f"{found.version or 'unknown version'} ({found.origin})")


def _account(each: Account) -> str:
    ways = {"set": "a password", "empty": "no password", "": ""}[each.password], f"{each.keys} keys" * bool(each.keys)
    return f"{each.name} ({each.uid}): {', '.join(filter(None, ways))}"


def _privileged(each: Privileged) -> str:
    return " ".join(filter(None, (each.path, each.mode, each.owner, each.capabilities)))


def _compared(changes: Sequence[Change], shown: Sequence[str]) -> tuple[tuple[str, ...], list[Any]]:
    """Give changes by their kind."""
    from amphora_image.build.inspection.diff import KINDS  # noqa: PLC0415 - loaded by whoever has changes

    values: list[Any] = []
    for kind in KINDS:
        of_kind = [each for each in changes if each.kind == kind]
        objects = {each.name: {"before": each.before, "after": each.after} for each in of_kind}
        values.append(_Shown(objects, _listed(kind, shown, of_kind, _change).human_readable()))
    return KINDS, values


def _change(each: Change) -> str:
    if each.before is None:
        return f"+ {each.name}: {each.after}"
    return f"- {each.name}: {each.before}" if each.after is None else f"{each.name}: {each.before} -> {each.after}"
