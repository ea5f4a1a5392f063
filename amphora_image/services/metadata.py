# SPDX-License-Identifier: Apache-2.0
"""What an image is, where Glance does not say it: from a side file, or from the ini.

A side file is YAML, named as the image with ``.yaml`` after it::

    disk_format: qcow2
    min_disk: 2            # GiB
    min_ram: 1024          # MiB
    architecture: x86_64
    properties:            # any others that the image shall have in Glance
      hw_rng_model: virtio
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import yaml

from amphora_image.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from amphora_image.services.base import ImageInfo

#: The longest side file that is read; a real one has a few lines.
MAX_BYTES = 65536

_DISK_FORMATS = ("aki", "ami", "ari", "iso", "ploop", "qcow2", "raw", "vdi", "vhd", "vhdx", "vmdk")
#: What Glance calls a key of ours.
_IN_GLANCE = {"architecture": "hw_architecture"}
_REMEDY = "correct it as the chapter on image sources shows"


def parse_side_file(text: bytes, name: str) -> dict[str, str]:
    """Read a side file: properties by the names that they have in Glance.

    :raises ConfigurationError: it is too long, no YAML, holds an unknown key, or a value of the wrong kind.
    """
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"{name} has more than {MAX_BYTES} bytes", _REMEDY)
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # PyYAML lets a ValueError of an impossible date through
        raise ConfigurationError(f"{name} is no YAML: {error}", _REMEDY) from error
    if not isinstance(found, dict):
        raise ConfigurationError(f"{name} holds no keys with values", _REMEDY)
    others = found.pop("properties", {})
    if not isinstance(others, dict):
        raise ConfigurationError(f"{name}: properties has no keys with values", _REMEDY)
    for key, value in others.items():
        if not isinstance(key, str) or not isinstance(value, str) or not 0 < len(key) <= 255:  # Glance's own limit
            raise ConfigurationError(f"{name}: properties, {key!r}: {value!r} is no text", 'write text as "…"')
    known = _checked(found, name)
    if twice := known.keys() & others.keys():
        raise ConfigurationError(f"{name} says {', '.join(sorted(twice))} twice", "remove one of them")
    return {**known, **others}


def parse_option(values: Mapping[str, str]) -> dict[str, str]:
    """Read ``[amphora_image] image_properties``: properties by the names that they have in Glance.

    :raises ConfigurationError: it holds an unknown key, or a value of the wrong kind.
    """
    numbers = {key: int(value) if value.isdecimal() else value for key, value in values.items()}
    return _checked(numbers, "[amphora_image] image_properties")


def with_defaults(info: ImageInfo, values: Mapping[str, str]) -> ImageInfo:
    """Fill what ``info`` does not say from ``values``, those of ``[amphora_image] image_properties``.

    :raises ConfigurationError: ``values`` holds an unknown key, or a value of the wrong kind.
    """
    defaults = parse_option(values)
    declared = defaults.pop("disk_format", None)
    return replace(info, disk_format=info.disk_format or declared, properties={**defaults, **info.properties})


def _checked(found: Mapping[Any, Any], place: str) -> dict[str, str]:
    known = {}
    for key, value in found.items():
        if key not in _KEYS:
            raise ConfigurationError(f"{place}: {key!r} is not known", f"the keys are {', '.join(_KEYS)}")
        check, kind = _KEYS[key]
        if not check(value):
            raise ConfigurationError(f"{place}: {key} is {value!r}", f"write {kind}")
        known[_IN_GLANCE.get(key, key)] = str(value)
    return known


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _is_architecture(value: object) -> bool:
    return isinstance(value, str) and bool(re.fullmatch(r"[a-z0-9_]{1,32}", value))


_KEYS: dict[str, tuple[Callable[[object], bool], str]] = {
    "disk_format": (_DISK_FORMATS.__contains__, f"one of {', '.join(_DISK_FORMATS)}"),
    "min_disk": (_is_number, "a whole number of GiB"),
    "min_ram": (_is_number, "a whole number of MiB"),
    "architecture": (_is_architecture, "a name as Nova has it, for example x86_64 or aarch64"),
}
