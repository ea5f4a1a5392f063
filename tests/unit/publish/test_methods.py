# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.clients.glance_import import Store
from amphora_image.errors import NoMethodError
from amphora_image.publish.methods import Offer, Request, choose

ALL = ("glance-direct", "web-download", "copy-image")
STORES = (Store(id="s1", default=True), Store(id="s2"), Store(id="web", read_only=True))
OFFER = Offer(methods=ALL, stores=STORES)


@pytest.mark.parametrize(
    ("request_", "offer", "method", "stores"),
    [
        (Request(), OFFER, "upload", ()),
        (Request(), Offer(), "upload", ()),
        (Request(stores=("s2",)), OFFER, "upload", ("s2",)),
        (Request(stores=("s2", "s2")), OFFER, "upload", ("s2",)),
        (Request(all_stores=True), OFFER, "glance-direct", ("s1", "s2")),
        (Request(stores=("s1", "s2")), Offer(methods=("copy-image",), stores=STORES), "copy-image", ("s1", "s2")),
        (Request(method="glance-direct"), OFFER, "glance-direct", ()),
        (Request(from_url=True, hash_known=True), OFFER, "web-download", ()),
    ],
)
def test_auto_takes_the_cheapest_way_that_is_safe_and_says_why(request_, offer, method, stores):
    way = choose(request_, offer)
    assert (way.method, way.stores) == (method, stores)
    assert way.why


@pytest.mark.parametrize(
    ("request_", "offer", "part"),
    [
        (Request(method="glance-direct"), Offer(methods=("web-download",)), "glance-direct is not enabled here"),
        (Request(method="copy-image", all_stores=True), Offer(stores=STORES), "copy-image is not enabled here"),
        (Request(method="copy-image"), OFFER, "needs two stores"),
        (Request(method="upload", stores=("s1", "s2")), OFFER, "into one store"),
        (Request(stores=("nope",)), OFFER, "no store 'nope', only s1, s2"),
        (Request(stores=("web",)), OFFER, "'web' is read-only"),
        (Request(stores=("s1",)), Offer(methods=ALL), "one store, without a name"),
        (Request(method="web-download"), OFFER, "takes a URL"),
        (Request(method="upload", from_url=True, hash_known=True), OFFER, "takes a file"),
        (Request(from_url=True), OFFER, "cannot be verified"),
        (Request(from_url=True, hash_known=True), Offer(), "web-download is not enabled"),
        (Request(all_stores=True), Offer(methods=("web-download",), stores=STORES), "copy-image is not enabled"),
    ],
)
def test_what_is_not_offered_or_not_safe_is_refused(request_, offer, part):
    """The issue: "method not enabled; unknown or read-only store"."""
    with pytest.raises(NoMethodError, match=part):
        choose(request_, offer)
