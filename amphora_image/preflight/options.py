# SPDX-License-Identifier: Apache-2.0
"""The checks of the configuration alone: which driver is named, what is deprecated, which options have no effect."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from oslo_config import cfg

from amphora_image.config import check_group
from amphora_image.config.options import AMPHORA_IMAGE, CINDER, CONTROLLER_WORKER, VOLUME_NOOP_DRIVER
from amphora_image.preflight.finding import ok, warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from amphora_image.config.policy import Policy
    from amphora_image.preflight.finding import Finding

#: Octavia's options that we never use and must know of, to say so; their values may be anything.
_COMPUTE = ("max_retries", "retry_interval", "retry_backoff", "retry_max")
#: Which of them our driver under Octavia's contract uses.
_USED_UNDER_OCTAVIA = {"max_retries", "retry_interval"}
_IMAGE_DRIVER = "image_glance_driver"

_OURS = "amphora_image_driver"
_STOCK = "compute_nova_driver"
_OURS_ELSEWHERE = {"nova"}
_NOOP = {"noop", "compute_noop_driver"}


def register(conf: cfg.ConfigOpts) -> None:
    """Register what Octavia has and we only look at.

    :raises ConfigurationError: one of those cannot be read.
    """
    conf.register_opts([cfg.StrOpt(name) for name in _COMPUTE], group="compute")
    conf.register_opt(cfg.StrOpt("image_driver", default=_IMAGE_DRIVER), group=CONTROLLER_WORKER)
    check_group(conf, "compute", _COMPUTE)
    check_group(conf, CONTROLLER_WORKER, ["image_driver"])


def driver(conf: cfg.ConfigOpts) -> Finding:
    """Say whether the worker will load our driver."""
    check, named = "driver", conf[CONTROLLER_WORKER].compute_driver
    line = f"compute_driver = {_OURS}"
    if not _is_set(conf, CONTROLLER_WORKER, "compute_driver"):
        return ok(check, "compute_driver is not set; Octavia then loads its own", f"to switch, write {line}")
    if named in {_OURS, *_OURS_ELSEWHERE}:
        return ok(check, f"compute_driver is {named}")
    if named == _STOCK:
        return ok(check, f"compute_driver is still Octavia's own {named}", f"to switch, write {line}")
    if named in _NOOP:
        return warning(check, f"compute_driver is {named}, which boots nothing", f"write {line}")
    return warning(check, f"compute_driver is {named}, which is none of ours", f"write {line}")


def deprecated_id(policy: Policy) -> Finding:
    """Say whether the deprecated id still is set."""
    check = "deprecated id"
    if not policy.deprecated_id:
        return ok(check, "[controller_worker] amp_image_id is not set")
    detail = f"[controller_worker] amp_image_id is still {policy.deprecated_id}: it is deprecated for removal"
    return warning(check, detail, "tag that image, set amp_image_tag and remove the line")


def without_effect(conf: cfg.ConfigOpts, policy: Policy) -> list[Finding]:
    """Name each option that is set and changes nothing; one row says so when there is none."""
    check = "options"
    idle = chain(_misspelt(conf), _outranked(policy), _unused(conf))
    found = [warning(check, f"{name} has no effect: {reason}", remedy) for name, reason, remedy in idle]
    return found or [ok(check, "every option that is set has an effect")]


def _misspelt(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str, str]]:
    """Give what stands in ``[amphora_image]`` and is no option: oslo.config passes over a misspelt name in silence."""
    for name in sorted(_names_in_files(conf, AMPHORA_IMAGE) - set(conf[AMPHORA_IMAGE])):
        remedy = "correct the name: etc/amphora_image.conf.sample has them all"
        yield f"[amphora_image] {name}", "there is no such option", remedy


def _outranked(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Give what another option wins over."""
    if policy.image_tag:
        reason = "[controller_worker] amp_image_tag is set, and counts before it"
        if policy.zone_image_tags:
            yield "[amphora_image] zone_image_tags", reason, "empty amp_image_tag, or remove zone_image_tags"
        if policy.image_ref:
            yield "[amphora_image] image_ref", reason, "empty amp_image_tag, or remove image_ref"
    if policy.trust_any_owner and policy.owner:
        reason = "[controller_worker] amp_image_owner_id is set, and counts before it"
        yield "[amphora_image] trust_any_owner", reason, "remove trust_any_owner"


def _unused(conf: cfg.ConfigOpts) -> Iterator[tuple[str, str, str]]:
    """Give what the driver never looks at."""
    named = conf[CONTROLLER_WORKER].compute_driver
    used = _USED_UNDER_OCTAVIA if named in {_OURS, _STOCK} else set()
    for option in _COMPUTE:
        if option not in used and _is_set(conf, "compute", option):
            remedy = "remove it, or set [amphora_image] retry_deadline_seconds"
            yield f"[compute] {option}", "this driver tries again within a deadline", remedy
    image_driver = conf[CONTROLLER_WORKER].image_driver
    if image_driver != _IMAGE_DRIVER and named in {_OURS, _STOCK}:
        reason = f"image_driver is {image_driver}, which chooses the image in its place"
        yield "all that says which image is wanted", reason, f"write image_driver = {_IMAGE_DRIVER}"
    if conf[CONTROLLER_WORKER].volume_driver == VOLUME_NOOP_DRIVER:
        for option in ("volume_size", "volume_type"):
            if _is_set(conf, CINDER, option):
                remedy = "remove it, or write volume_driver = volume_cinder_driver"
                yield f"[cinder] {option}", "amphorae boot from the image itself", remedy


def _names_in_files(conf: cfg.ConfigOpts, group: str) -> set[str]:
    """Give the options' names that the configuration files have in ``group``, right or wrong."""
    folders = [Path(folder).glob("*.conf") for folder in conf.config_dirs]
    names: set[str] = set()
    for path in [*conf.config_file, *map(str, chain(*folders))]:
        sections: dict[str, dict[str, list[str]]] = {}
        cfg.ConfigParser(path, sections).parse()
        names |= set(sections.get(group, {}))
    return {name.replace("-", "_") for name in names}


def _is_set(conf: cfg.ConfigOpts, group: str, option: str) -> bool:
    """Tell whether a file sets the option."""
    found = conf.get_location(option, group)
    return found is not None and found.location is cfg.Locations.user
