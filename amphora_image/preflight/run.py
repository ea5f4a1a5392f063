# SPDX-License-Identifier: Apache-2.0
"""All checks in their order; a service that gives no answer is asked once, and costs a row and not the run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from amphora_image.config.options import CINDER, CONTROLLER_WORKER, NOVA, VOLUME_CINDER_DRIVER
from amphora_image.config.policy import Policy, Wanted
from amphora_image.errors import AmphoraImageError, NothingWantedError, RetryableError
from amphora_image.preflight import images, options, resources
from amphora_image.preflight.finding import Finding, Level, ok, warning
from amphora_image.reference import Reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from oslo_config import cfg

    from amphora_image.clients.glance import ImageStore
    from amphora_image.clients.neutron import NetworkStore
    from amphora_image.models import Candidate, Flavor
    from amphora_image.preflight.resources import ComputeStore
    from amphora_image.resolve import Resolver

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """Whom to ask, as the service user or, where ``is_service`` is False, as somebody else.

    ``overview`` is Glance as another user sees it, None where there is none.
    """

    project_id: Callable[[], str | None]
    resolver: Resolver
    servers: ComputeStore
    networks: NetworkStore
    overview: ImageStore | None = None
    is_service: bool = True


@dataclass(frozen=True, slots=True)
class Asked:
    """What to check instead of what the configuration asks for; empty: that."""

    image: str | None = None
    flavor_id: str | None = None
    zone: str | None = None


class Preflight:
    """One run of all checks of ``conf`` on ``cloud``."""

    def __init__(self, conf: cfg.ConfigOpts, cloud: Cloud, asked: Asked | None = None) -> None:
        options.register(conf)
        self._conf = conf
        self._cloud = cloud
        self._asked = asked or Asked()
        self._policy = Policy.of(conf)
        self._found: list[Finding] = []
        self._silent: set[str] = set()

    def run(self) -> list[Finding]:
        """Check everything and give the findings; nothing is changed anywhere."""
        self._found = [options.driver(self._conf)]
        try:
            project = self._cloud.project_id()
        except AmphoraImageError as error:
            # Without a token no service answers: the rest would be this row again and again.
            self._found.append(Finding.of("credentials", error))
            self._found.append(Finding("services", Level.ERROR, "not checked, for want of a token", "mend that first"))
        else:
            self._found.append(self._credentials(project))
            image = self._images(project)
            flavor = self._try(
                "flavor", "Nova", partial(resources.flavor_of, self._conf, self._cloud.servers, self._asked.flavor_id)
            )
            if flavor is not None:
                self._found.append(resources.flavor(flavor))
            self._fit(image, flavor)
            self._rest()
        self._found += [options.deprecated_id(self._policy), *options.without_effect(self._conf, self._policy)]
        return self._found

    def _credentials(self, project: str | None) -> Finding:
        """Say as whom all else is asked."""
        told = f"Keystone gives a token for {f'project {project}' if project else 'no project'}"
        if self._cloud.is_service:
            return ok("credentials", told)
        detail = f"{told} by --os-cloud or OS_* variables: the ini has no [service_auth], whose user may see less"
        return warning("credentials", detail, "write [service_auth] into the ini")

    def _wanted(self) -> dict[str, Wanted]:
        """Say what builds want, by the name of its row: one for all, or one for each zone that has a tag."""
        if self._asked.image:
            reference = Reference.parse(self._asked.image, bare_word_is_tag=True)
            return {"image": Wanted.of(reference, "the command line")}
        zone = self._asked.zone or self._conf[NOVA].availability_zone
        zones = {} if self._policy.image_tag or self._asked.zone else self._policy.zone_image_tags
        wanted = {f"image in {one}": self._policy.wanted(zone=one) for one in sorted(zones) if one != zone}
        try:
            return {"image": self._policy.wanted(zone=zone), **wanted}
        except NothingWantedError:
            if not wanted:
                raise
            detail = "builds without a zone, or in one that zone_image_tags does not name, want no image"
            self._found.append(warning("image", detail, "set [amphora_image] image_ref for those"))
            return wanted

    def _images(self, project: str | None) -> Candidate | None:
        """Check each image that is wanted and give the first."""
        first: Candidate | None = None
        for check, wanted in (self._try("image", "", self._wanted) or {}).items():
            judged = self._try(check, "Glance", partial(images.judge, self._cloud.resolver, self._policy, wanted))
            if judged is None:
                continue
            self._found.append(images.uniqueness(judged, check))
            self._found.append(images.owner(judged, self._policy, project))
            seen = self._seen_by_others(judged)
            self._found += images.visibility(judged, seen)
            if judged.image is not None:
                self._found.append(images.hashing(judged.image))
                first = first or judged.image
        return first

    def _seen_by_others(self, judged: images.Judged) -> list[Candidate] | None:
        """List what has the tag as another user sees it, None where nobody else was named."""
        overview = self._cloud.overview
        if overview is None or judged.tag is None:
            return None
        return self._try("visibility", "Glance", partial(overview.everything, judged.tag))

    def _fit(self, image: Candidate | None, flavor: Flavor | None) -> None:
        if image is None or flavor is None:
            return
        from_volume = self._conf[CONTROLLER_WORKER].volume_driver == VOLUME_CINDER_DRIVER
        volume_gib = self._conf[CINDER].volume_size if from_volume else None
        self._found.append(images.fitting(image, flavor, volume_gib))

    def _rest(self) -> None:
        """Look for all that a server is given besides."""
        worker, networks, servers = self._conf[CONTROLLER_WORKER], self._cloud.networks, self._cloud.servers
        if not worker.amp_boot_network_list:
            self._found.append(resources.no_networks())
        rows: list[tuple[str, str, Callable[[], Finding]]] = [
            *(
                ("network", "Neutron", partial(resources.network, networks, one))
                for one in worker.amp_boot_network_list
            ),
            *(
                ("security group", "Neutron", partial(resources.security_group, networks, one))
                for one in worker.amp_secgroup_list
            ),
            ("key pair", "Nova", partial(resources.key_pair, self._conf, servers)),
            ("zone", "Nova", partial(resources.zone, self._conf, servers, self._asked.zone)),
        ]
        for check, service, look in rows:
            if (found := self._try(check, service, look)) is not None:
                self._found.append(found)

    def _try(self, check: str, service: str, call: Callable[[], T]) -> T | None:
        """Give what ``call`` gives; an error becomes a row, and a service that is silent is not asked again."""
        if service in self._silent:
            self._found.append(
                Finding(check, Level.ERROR, f"not checked: {service} gives no answer", "mend that first")
            )
            return None
        try:
            return call()
        except AmphoraImageError as error:
            if isinstance(error, RetryableError):
                self._silent.add(service)
            self._found.append(Finding.of(check, error))
            return None
