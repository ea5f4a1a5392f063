# SPDX-License-Identifier: Apache-2.0
"""What is in an image, as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """A partition, or the whole disk where it has none: where it is, in bytes, and what is in it."""

    number: int
    start: int
    size: int
    type: str
    file_system: str
    label: str
    uuid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Boot:
    """What a firmware finds to boot: ``bios`` and ``uefi`` name it, None where there is nothing."""

    bios: str | None
    uefi: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """An operating system, by its own os-release; ``architecture`` is that of its init, as uname names it."""

    id: str
    release: str
    codename: str
    name: str
    architecture: str
    kernels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """An installed package; the version is written as the package system writes it, with epoch and revision."""

    name: str
    version: str
    architecture: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Software:
    """A program that matters to amphorae, and where its version is known from: a package, or a path."""

    version: str
    origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account that a person or program could log in to.

    ``password`` is "set", or "empty" where none is asked for; empty where no password opens it. ``keys`` is the number of keys that do.
    """

    name: str
    uid: int
    shell: str
    password: str
    keys: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Privileged:
    """A file that gives who runs it more rights: by mode (octal text), or by ``capabilities``."""

    path: str
    mode: str
    owner: str
    capabilities: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """All that is known of an image. Sizes are bytes: of the file, of its blocks on this machine's disk, of the disk inside.

    ``packages`` is None where the package database is missing or of a kind that is not read; ``warnings`` says why.
    ``pip_packages`` are what pip has installed, the agent and what it needs among them.
    """

    path: str
    format: str
    compression: str | None
    size: int
    allocated_size: int
    virtual_size: int
    partition_table: str | None
    partitions: tuple[Partition, ...]
    boot: Boot
    system: System | None
    package_system: str | None
    packages: tuple[Package, ...] | None
    pip_packages: tuple[Package, ...]
    agent: Software | None
    haproxy: Software | None
    units: tuple[str, ...]
    accounts: tuple[Account, ...]
    key_files: tuple[str, ...]
    privileged: tuple[Privileged, ...]
    warnings: tuple[str, ...]
