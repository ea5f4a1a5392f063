# SPDX-License-Identifier: Apache-2.0
"""Which service reads which scheme: the installed packages say it, by entry points."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from amphora_image.errors import ChecksumFileError, ConfigurationError, UnknownSchemeError
from amphora_image.reference import ChecksumUrl
from amphora_image.services.checksums import MAX_BYTES, file_name, pin_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.reference import Reference
    from amphora_image.services.base import ImageService

GROUP = "amphora_image.image_services"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a service may use: the configuration, and a session with Keystone, made when it is first asked for."""

    conf: cfg.ConfigOpts
    session: Callable[[], Session]


class Services:
    """The image services that are installed, by scheme; each is made when it is first needed. Thread-safe.

    An entry point of the group ``amphora_image.image_services`` has the scheme for its name, and leads to what makes
    an :class:`~amphora_image.services.base.ImageService` of :class:`Surroundings`. ``found`` are the entry points, and
    unless given those of all installed packages.

    :raises ConfigurationError: two packages claim one scheme.
    """

    def __init__(self, surroundings: Surroundings, found: Iterable[EntryPoint] | None = None) -> None:
        points = list(entry_points(group=GROUP) if found is None else found)
        claimed = Counter(point.name for point in points)
        for scheme in (name for name, claims in claimed.items() if claims > 1):
            rivals = " and ".join(sorted(point.value for point in points if point.name == scheme))
            raise ConfigurationError(f"{rivals} both claim the scheme {scheme}://", "uninstall one of their packages")
        self._points = {point.name: point for point in points}
        self._surroundings = surroundings
        self._made: dict[str, ImageService] = {}
        self._lock = threading.Lock()

    def of(self, reference: Reference) -> ImageService:
        """Give the service that reads ``reference``.

        :raises UnknownSchemeError: there is none for its scheme.
        :raises ConfigurationError: there is one that cannot be loaded, or that lacks what a service has.
        """
        scheme = reference.scheme
        with self._lock:
            if scheme not in self._made:
                if scheme not in self._points:
                    raise UnknownSchemeError(scheme, sorted(self._points))
                self._made[scheme] = self._load(self._points[scheme])
            return self._made[scheme]

    def settled(self, reference: Reference) -> Reference:
        """Put the digest that a checksum file has into the place of that file; other references stay as they are.

        :raises ChecksumFileError: the file has no digest for the image.
        :raises AmphoraImageError: the file cannot be read.
        """
        if not isinstance(reference.pin, ChecksumUrl):
            return reference
        place = reference.pin.reference
        name, content = file_name(reference), b""
        with self.of(place).read(place) as blocks:
            for block in blocks:
                content += block
                if len(content) > MAX_BYTES:
                    raise ChecksumFileError(place.shown, f"it has more than {MAX_BYTES} bytes")
        return replace(reference, pin=pin_in(content, name, place.shown))

    def _load(self, point: EntryPoint) -> ImageService:
        try:
            service: ImageService = point.load()(self._surroundings)
        except (ImportError, AttributeError, TypeError) as error:
            problem = f"the image service {point.value} of {point.name}:// cannot be loaded: {error}"
            raise ConfigurationError(problem, "mend or uninstall its package") from error
        missing = [verb for verb in ("stat", "read") if not callable(getattr(service, verb, None))]
        if missing:
            problem = f"the image service {point.value} of {point.name}:// has no {' and no '.join(missing)}"
            raise ConfigurationError(problem, "mend or uninstall its package")
        return service
