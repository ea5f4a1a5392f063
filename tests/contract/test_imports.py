# SPDX-License-Identifier: Apache-2.0
"""What publishing needs of Glance, on the fake and on the real one."""

from __future__ import annotations

import hashlib

import pytest
from fakes.glance_import import OWNER, FakeImports
from keystoneauth1.adapter import Adapter
from support import disks

from amphora_image.clients.glance_import import GlanceImports, ImportOrder
from amphora_image.publish.body import Body
from amphora_image.publish.wait import Limits, Waiter

BYTES = disks.raw(4096)
HASH = hashlib.sha512(BYTES).hexdigest()


class Once:
    sha512 = HASH

    def __iter__(self):
        return iter([BYTES])


def body():
    return Body(Once, len(BYTES))


@pytest.fixture(params=["fake", "real"])
def glance(request):
    """The port, whose images it is about, and a name that nothing has."""
    if request.param == "fake":
        yield FakeImports(), OWNER, "v1"
        return
    cloud = request.getfixturevalue("cloud")
    region = {"region_name": cloud.access.region, "interface": "public"}
    imports = GlanceImports(Adapter(cloud.octavia.session, service_type="image", **region))
    name = cloud.named("imported")
    yield imports, cloud.trusted, name
    for each in imports.named(name, cloud.trusted):
        imports.delete(each.id)


def made(imports, name):
    values = {"name": name, "disk_format": "raw", "container_format": "bare", "visibility": "private", "a": "b"}
    return imports.create(values)


def test_an_uploaded_image_is_active_and_has_the_hash_of_its_bytes(glance):
    imports, owner, name = glance
    created = made(imports, name)
    assert (created.status, created.owner, created.properties["a"]) == ("queued", owner, "b")
    imports.upload(created.id, body())
    record = imports.record(created.id)
    assert (record.status, record.size, record.hash_algo, record.hash_value) == ("active", len(BYTES), "sha512", HASH)
    assert [each.id for each in imports.named(name, owner)] == [created.id]


def test_a_staged_image_is_uploading_and_its_import_ends_active(glance):
    imports, _, name = glance
    created = made(imports, name)
    imports.stage(created.id, body())
    assert imports.record(created.id).status == "uploading"
    imports.begin(created.id, ImportOrder(method="glance-direct"))
    record = Waiter(imports, limits=Limits()).wait(created.id, "importing")
    assert (record.status, record.hash_value) == ("active", HASH)
    assert imports.tasks(created.id)[-1].status == "success"


def test_a_patch_changes_properties_and_attributes_and_takes_away(glance):
    imports, _, name = glance
    created = made(imports, name)
    changes = [
        {"op": "remove", "path": "/a"},
        {"op": "add", "path": "/c~1d", "value": "e"},
        {"op": "replace", "path": "/visibility", "value": "community"},
        {"op": "replace", "path": "/min_disk", "value": 2},
    ]
    for record in (imports.patch(created.id, changes), imports.record(created.id)):
        assert (record.visibility, record.min_disk) == ("community", 2)
        assert (record.properties.get("a"), record.properties["c/d"]) == (None, "e")


def test_what_is_deleted_is_gone_and_no_error(glance):
    imports, owner, name = glance
    created = made(imports, name)
    assert imports.delete(created.id)
    assert imports.record(created.id) is None
    assert imports.tasks(created.id) == []
    assert not imports.delete(created.id)
    assert imports.named(name, owner) == []


def test_the_offer_names_methods_and_stores(glance):
    imports, _, _ = glance
    assert {"glance-direct", "web-download", "copy-image"} <= set(imports.methods())
    assert [each.default for each in imports.stores()].count(True) == 1
