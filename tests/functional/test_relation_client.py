# SPDX-License-Identifier: Apache-2.0
"""Nova's side: who boots records, who asks is answered, by the library and by the commands, on the real services."""

from __future__ import annotations

import json
import uuid

import pytest
from support.relations import parts, relations

from amphora_image.config import load
from amphora_image.drivers.nova import NovaComputeDriver
from amphora_image.errors import AccessDeniedError, ResourceNotFoundError
from amphora_image.relation.values import Kind, Relation


def relation(image_id, **parts_):
    made = {"installation": str(uuid.uuid4()), "instance_id": str(uuid.uuid4()), "kind": Kind.SNAPSHOT}
    return Relation(**{**made, **parts_, "image_id": image_id})


@pytest.fixture
def service(open_runtime):
    """The images of one installation, as a service sees them."""
    return open_runtime().related_of(str(uuid.uuid4()))


def test_what_is_recorded_is_read_back_page_by_page_and_forgotten(cloud, service, open_runtime, monkeypatch):
    monkeypatch.setattr("amphora_image.relation.client._PAGE", 2)
    instance = str(uuid.uuid4())
    made = [cloud.newer("image") for _ in range(3)]
    for image_id in made:
        one = relation(image_id, instance_id=instance, installation=service.installation)
        service.record(one)
        service.record(one)
    service.record(relation(made[0], instance_id=instance))  # of another installation
    assert [each.id for each in service.images(instance)] == made[::-1]
    assert [each.id for each in service.images(instance, Kind.BACKUP)] == []
    of_all = open_runtime().related_of("")
    assert len(list(of_all.relations(made[0]))) == 2
    assert [each.relation.instance_id for each in service.relations(made[0])] == [instance]
    service.forget(one)
    service.forget(one)
    assert [each.id for each in service.images(instance)] == made[-2::-1]


def test_what_cannot_be_is_told_apart(cloud, service, open_runtime):
    absent = relation(str(uuid.uuid4()))
    with pytest.raises(ResourceNotFoundError, match=f"image {absent.image_id}"):
        service.record(absent)
    with pytest.raises(ResourceNotFoundError):
        list(service.relations(absent.image_id))
    image_id = cloud.queued("own", by=cloud.demo)
    with pytest.raises(AccessDeniedError, match="record a relation"):
        open_runtime("demo").related_of("").record(relation(image_id))


def test_a_boot_is_recorded_and_the_commands_find_it(cloud, command, tag, access):
    """Promise: "the compute driver records (installation, server, image, boot) after each boot"."""
    image_id = cloud.upload("amphora", tag)
    ini = cloud.ini(controller_worker__amp_image_tag=tag)
    driver = NovaComputeDriver(load([str(ini)]))
    server_id = driver.build(name=f"amphora-{uuid.uuid4()}")
    try:
        driver._runtime.recorder.settle()
        expected = parts("boot", access.installation, server_id)
        assert relations(cloud.octavia, image_id) == [expected]
        told = command("--config-file", str(ini), "related", "images", "--instance", server_id, "-f", "json")
        assert [(each["id"], each["kind"]) for each in json.loads(told.stdout)] == [(image_id, "boot")]
        told = command("--config-file", str(ini), "related", "instances", "--image", tag, "-f", "json")
        (row,) = json.loads(told.stdout)
        assert (row["instance_id"], row["installation"], row["kind"]) == (server_id, access.installation, "boot")
    finally:
        driver.delete(server_id)


def test_wrong_arguments_are_told_in_one_line(cloud, command):
    ini = str(cloud.ini())
    command("--config-file", ini, "related", "images", "--instance", "x").failed(2, "--instance 'x' is no UUID", "32")
