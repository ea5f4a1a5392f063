# SPDX-License-Identifier: Apache-2.0
"""An image service of another package: mirror://PATH is PATH on the mirror that [image_mirror] base names.

The package tells of it by an entry point, in its setup.cfg:

    [options.entry_points]
    amphora_image.image_services =
        mirror = image_service_mirror:MirrorService
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

from oslo_config import cfg

from amphora_image.reference import OtherReference, Reference
from amphora_image.services.base import ImageInfo
from amphora_image.services.http import HttpService
from amphora_image.services.registry import Surroundings


class MirrorService:
    """Reads images from the mirror, by all the rules that hold for web servers."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._conf = surroundings.conf
        self._conf.register_opts([cfg.URIOpt("base", default="https://images.example/")], group="image_mirror")
        self._web = HttpService(self._conf)

    def stat(self, reference: OtherReference) -> ImageInfo:
        """Tell what the mirror knows of the image."""
        return self._web.stat(self._there(reference))

    def read(self, reference: OtherReference) -> AbstractContextManager[Iterator[bytes]]:
        """Open it for one reading, verified."""
        return self._web.read(self._there(reference))

    def _there(self, reference: OtherReference) -> Reference:
        return replace(Reference.parse(self._conf.image_mirror.base + reference.location), pin=reference.pin)
