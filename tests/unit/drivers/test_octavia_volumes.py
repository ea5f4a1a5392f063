# SPDX-License-Identifier: Apache-2.0
"""Booting from a volume under Octavia: its volume driver is honoured, and what its own driver does badly is not done."""

import warnings
from types import SimpleNamespace

import pytest
from fakes.nova import FakeServers

with warnings.catch_warnings():  # importing Octavia loads libraries that warn of their own end
    warnings.simplefilter("ignore")
    from octavia.common import exceptions
    from oslo_config import cfg
    from oslo_config.fixture import Config

    from amphora_image.drivers.octavia import OctaviaComputeDriver

from amphora_image.errors import QuotaExceededError


class OctaviasVolumes:
    """Octavia's volume driver, with its signature; ``fault`` is raised by the next create."""

    def __init__(self):
        self.made, self.deleted, self.fault = [], [], None

    def create_volume_from_image(self, image_id, availability_zone=None):
        if self.fault:
            raise self.fault
        self.made.append((image_id, availability_zone))
        return "v1"

    def delete_volume(self, volume_id):
        self.deleted.append(volume_id)

    def get_image_from_volume(self, volume_id):
        assert volume_id == "v1"
        return "i1"


class Managers:
    """Novaclient's servers over the fake Nova."""

    def __init__(self):
        self.nova = FakeServers()

    def create(self, **arguments):
        return SimpleNamespace(id=self.nova.create(**arguments))


@pytest.fixture
def conf():
    fixture = Config(cfg.CONF)
    fixture.setUp()
    fixture.config(group="controller_worker", image_driver="image_noop_driver", volume_driver="volume_cinder_driver")
    yield fixture
    fixture.cleanUp()


@pytest.fixture
def driver(conf):  # noqa: ARG001 - it is read by the driver
    made = OctaviaComputeDriver()
    made.manager, made.volume_driver = Managers(), OctaviasVolumes()
    made.server_groups = made.flavor_manager = made.availability_zone_manager = None
    volumes = SimpleNamespace(get_server_volumes=lambda _: [SimpleNamespace(volumeId="v1")])
    made._nova_client = SimpleNamespace(client=None, volumes=volumes)
    return made


def server(**fields):
    given = {"id": "s1", "status": "BUILD", "image": "", "flavor": {"id": "f1"}, "fault": None}
    return SimpleNamespace(**{**given, **fields})


def test_the_volume_driver_that_octavia_names_makes_the_volume(driver):
    profile = {"compute_zone": "z", "volume_zone": "vz"}
    driver.build(name="amphora-1", availability_zone=profile)
    assert driver.volume_driver.made == [(1, profile)]
    assert driver.manager.nova.created[0]["block_device_mapping"] == {"vda": "v1:::true"}
    assert driver.manager.nova.created[0]["image"] is None


def test_when_no_volume_could_be_made_none_is_deleted_and_the_reason_is_told(driver):
    driver.volume_driver.fault = RuntimeError("Cinder is full")
    with pytest.raises(exceptions.ComputeBuildException, match="Cinder is full"):
        driver.build(name="amphora-1")
    assert driver.volume_driver.deleted == []


def test_when_nova_refuses_the_volume_is_deleted_and_novas_reason_is_told(driver):
    driver.manager.nova.faults.append(QuotaExceededError("Nova", "instances"))
    with pytest.raises(exceptions.ComputeBuildException, match="quota"):
        driver.build(name="amphora-1")
    assert driver.volume_driver.deleted == ["v1"]


def test_the_image_of_a_server_on_a_volume_is_that_of_the_volume(driver):
    amphora, _ = driver._translate_amphora(server())
    assert amphora.image_id == "i1"


def test_a_server_on_a_volume_can_be_looked_at_by_a_worker_that_boots_from_images(driver, conf):
    conf.config(group="controller_worker", volume_driver="volume_noop_driver")
    amphora, _ = driver._translate_amphora(server())
    assert (amphora.image_id, amphora.status) == (None, "BUILD")


def test_a_volume_that_cannot_be_read_does_not_hide_the_server(driver, caplog):
    driver.volume_driver.get_image_from_volume = lambda _: (_ for _ in ()).throw(RuntimeError("no Cinder"))
    amphora, _ = driver._translate_amphora(server())
    assert amphora.image_id is None
    assert "no Cinder" in caplog.text
