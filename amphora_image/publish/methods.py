# SPDX-License-Identifier: Apache-2.0
"""Which way an image takes into Glance: the cheapest that is safe, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from amphora_image.errors import NoMethodError

if TYPE_CHECKING:
    from amphora_image.clients.glance_import import ImageImports, Store

AUTO, UPLOAD, GLANCE_DIRECT, WEB_DOWNLOAD, COPY_IMAGE = "auto", "upload", "glance-direct", "web-download", "copy-image"
METHODS = (AUTO, UPLOAD, GLANCE_DIRECT, WEB_DOWNLOAD, COPY_IMAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a cloud offers: ``methods`` of import, and its ``stores``, none where it has but one without a name."""

    methods: tuple[str, ...] = ()
    stores: tuple[Store, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked of the way: ``method`` by name, the ``stores`` by id (none: the default), or ``all_stores``.

    ``from_url``: the source is a URL that Glance fetches itself. ``hash_known``: it is known what its bytes shall be.
    """

    method: str = AUTO
    stores: tuple[str, ...] = ()
    all_stores: bool = False
    from_url: bool = False
    hash_known: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """The decision: the ``method``, the ``stores`` to name in the request (none: the default one), and ``why``.

    ``otherwise`` is the way to go on by, where the cloud forbids this one: it says so only when it is tried.
    """

    method: str
    stores: tuple[str, ...] = ()
    why: str = ""
    otherwise: Way | None = None


def discover(imports: ImageImports) -> Offer:
    """Ask a cloud what it offers.

    :raises AmphoraImageError: Glance does not answer.
    """
    return Offer(methods=imports.methods(), stores=imports.stores())


def choose(request: Request, offer: Offer) -> Way:
    """Choose the way.

    Plain upload has Glance hash and write once, glance-direct once more for each store. So upload it is, unless the
    cloud forbids it, or there are several stores: then glance-direct, whose stage feeds them all. A URL is fetched by Glance itself, which is safe
    where a hash says what shall come.

    :raises NoMethodError: what was asked for is not offered, or not safe.
    """
    stores = _stores(request, offer)
    if request.from_url:
        return _from_url(request, offer, stores)
    if request.method == WEB_DOWNLOAD:
        raise NoMethodError("web-download takes a URL, and this is a file", "give the URL, or another --method")
    if request.method in {GLANCE_DIRECT, COPY_IMAGE}:
        _need(request.method, offer)
        if request.method == COPY_IMAGE and len(stores) < 2:
            raise NoMethodError("copy-image needs two stores or more", "give --store twice, or --all-stores")
        return Way(method=request.method, stores=stores, why="it was asked for")
    if request.method == UPLOAD:
        if len(stores) > 1:
            raise NoMethodError("a plain upload goes into one store", "give --method copy-image or glance-direct")
        return Way(method=UPLOAD, stores=stores, why="it was asked for")
    if len(stores) < 2:
        forbidden = Way(method=GLANCE_DIRECT, stores=stores, why="the cloud allows this user no plain upload")
        return Way(
            method=UPLOAD,
            stores=stores,
            why="the bytes are hashed and written once, an import does it twice",
            otherwise=forbidden if GLANCE_DIRECT in offer.methods else None,
        )
    if GLANCE_DIRECT in offer.methods:
        return Way(method=GLANCE_DIRECT, stores=stores, why="one stage feeds all the stores")
    _need(COPY_IMAGE, offer)
    return Way(
        method=COPY_IMAGE, stores=stores, why="the cloud has no glance-direct, so the others copy from the first"
    )


def _from_url(request: Request, offer: Offer, stores: tuple[str, ...]) -> Way:
    if request.method not in {AUTO, WEB_DOWNLOAD}:
        raise NoMethodError(f"{request.method} takes a file, and this is a URL", "download it first")
    _need(WEB_DOWNLOAD, offer)
    if not request.hash_known:
        remedy = "give --sha512, or download it and publish the file"
        raise NoMethodError("what Glance downloads cannot be verified without the hash that is expected", remedy)
    return Way(
        method=WEB_DOWNLOAD, stores=stores, why="Glance fetches the URL itself, and the hash says what it shall be"
    )


def _stores(request: Request, offer: Offer) -> tuple[str, ...]:
    """Give the stores to write to, checked: Glance tells a wrong one only after it has all the bytes."""
    usable = [store.id for store in offer.stores if not store.read_only]
    if request.all_stores:
        return tuple(usable)
    for wanted in request.stores:
        if not offer.stores:
            raise NoMethodError("this Glance has one store, without a name", "leave --store out")
        if wanted not in {store.id for store in offer.stores}:
            problem = f"this Glance has no store {wanted!r}, only {', '.join(usable)}"
            raise NoMethodError(problem, "correct --store; `amphora-image import-info` lists them")
        if wanted not in usable:
            raise NoMethodError(f"the store {wanted!r} is read-only", "give another --store")
    return tuple(dict.fromkeys(request.stores))


def _need(method: str, offer: Offer) -> None:
    if method not in offer.methods:
        offered = ", ".join(offer.methods) or "none"
        problem = f"the import method {method} is not enabled here, but {offered}"
        raise NoMethodError(problem, "give another --method, or ask the cloud's operator for it")
