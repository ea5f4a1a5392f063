# SPDX-License-Identifier: Apache-2.0
"""From the reference that ``publish`` is given to what it sends, and to the order as the source completes it. Heavy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from amphora_image.config.options import AMPHORA_IMAGE
from amphora_image.errors import ConfigurationError, SourceRefusedError
from amphora_image.publish.body import disk_format
from amphora_image.publish.methods import WEB_DOWNLOAD
from amphora_image.publish.source import Load, ServiceSource
from amphora_image.reference import IdReference, Pin, Reference, TagReference, UrlReference
from amphora_image.services.base import ImageInfo
from amphora_image.services.metadata import with_defaults
from amphora_image.services.registry import Services, Surroundings
from amphora_image.services.web.handover import check_handover

if TYPE_CHECKING:
    from keystoneauth1.session import Session
    from oslo_config import cfg

    from amphora_image.publish.order import Order

#: Why auto has Glance fetch nothing itself.
_READ_HERE = "read and verified here, for Glance might follow redirects to where [image_http] does not allow"


def prepared(text: str, order: Order, cloud: tuple[cfg.ConfigOpts, Session]) -> tuple[Load, Order]:
    """Look into the image that the reference ``text`` names.

    A pin becomes the order's hash, and what is known of the image the order's properties where it has none itself.

    :raises ConfigurationError: there is no image to read, or not by that method, or what is said of it does not agree.
    :raises UnsafeImageError: nobody should boot it.
    :raises FormatMismatchError: it is not of the format that it is said to have.
    :raises AmphoraImageError: it cannot be read, or may not be.
    """
    conf, session = cloud
    services = Services(Surroundings(conf, lambda: session))
    reference = services.settled(_readable(Reference.parse(text), order))
    order = _pinned(reference, order)
    if order.method == WEB_DOWNLOAD and isinstance(reference, UrlReference):
        order = _completed(order, ImageInfo(), conf)
        return _handed_over(reference, order, conf), order
    service = services.of(reference)
    info = service.stat(reference)
    if not info.size:
        detail = "it is empty" if info.size == 0 else "its length is told nowhere, and Glance has to know it before"
        raise SourceRefusedError(reference.shown, detail, "fetch it into a file and publish that")
    order = _completed(order, info, conf)
    streamed = ServiceSource(service, reference, info.size)
    known = order.disk_format or disk_format(streamed)
    why = _READ_HERE if isinstance(reference, UrlReference) else ""
    return Load(disk_format=known, source=streamed, why=why), order


def _readable(reference: Reference, order: Order) -> Reference:
    """Take what is not in Glance already; the hash that is expected pins what has no pin."""
    if isinstance(reference, IdReference | TagReference):
        problem = f"{reference.shown} is in Glance already"
        raise ConfigurationError(problem, "promote it; or fetch it into a file, and publish that to another cloud")
    if reference.pin is None and order.sha512 is not None:
        return replace(reference, pin=Pin("sha512", order.sha512))
    return reference


def _pinned(reference: Reference, order: Order) -> Order:
    pin = reference.pin
    if not isinstance(pin, Pin) or pin.algorithm != "sha512":
        return order
    if order.sha512 not in {None, pin.digest}:
        problem = f"--sha512 and the pin of {reference.shown} name different bytes"
        raise ConfigurationError(problem, "leave out the one that is wrong")
    return replace(order, sha512=pin.digest)


def _completed(order: Order, info: ImageInfo, conf: cfg.ConfigOpts) -> Order:
    """Fill in what a side file, and after it the ini, say of the image; the command line comes first."""
    known = with_defaults(info, conf[AMPHORA_IMAGE].image_properties)
    properties = {**known.properties, **order.properties}
    return replace(order, disk_format=order.disk_format or known.disk_format, properties=properties)


def _handed_over(reference: UrlReference, order: Order, conf: cfg.ConfigOpts) -> Load:
    """Judge what Glance shall fetch itself, before it is asked."""
    check_handover(reference, conf)
    if order.disk_format is None:
        problem = "the format of what Glance fetches is not known before"
        raise ConfigurationError(problem, "give --disk-format, or disk_format in [amphora_image] image_properties")
    return Load(disk_format=order.disk_format, url=str(replace(reference, pin=None)))
