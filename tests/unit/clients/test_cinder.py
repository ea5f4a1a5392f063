# SPDX-License-Identifier: Apache-2.0
import pytest
from fakes.cinder import FakeVolumes
from fakes.web import Answer, serving
from keystoneauth1.adapter import Adapter
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from amphora_image.clients.cinder import CinderVolumes
from amphora_image.config import load
from amphora_image.errors import ServiceUnavailableError, VolumeFailedError


def volume(status, **more):
    return Answer({"volume": {"id": "v1", "status": status, **more}})


def volumes_at(web, tmp_path, options="volume_create_retry_interval = 0\n"):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[cinder]\n{options}")
    adapter = Adapter(Session(auth=Token(web.url, "token")), service_type="block-storage")
    group = load([str(ini)]).cinder
    return CinderVolumes(adapter, group, deadline_seconds=0.5, sleep=lambda _: None)


def test_a_volume_is_made_as_configured_and_waited_for(tmp_path):
    options = "volume_size = 4\nvolume_type = fast\navailability_zone = za\n"
    with serving(volume("creating"), volume("downloading"), volume("available")) as web:
        assert volumes_at(web, tmp_path, options).create("i1", None) == "v1"
    wanted = {"size": 4, "volume_type": "fast", "availability_zone": "za", "imageRef": "i1"}
    assert web.asked[0] == ("POST", "/volumes", {"volume": wanted})


def test_the_builds_own_zone_wins(tmp_path):
    with serving(volume("creating"), volume("available")) as web:
        volumes_at(web, tmp_path, "availability_zone = za\n").create("i1", "zb")
    assert web.asked[0][2]["volume"]["availability_zone"] == "zb"


def test_a_volume_in_error_is_deleted_and_told(tmp_path):
    with serving(volume("creating"), volume("error"), Answer({}, 202)) as web:
        with pytest.raises(VolumeFailedError, match="v1 is error"):
            volumes_at(web, tmp_path).create("i1", None)
        assert web.asked[-1][:2] == ("DELETE", "/volumes/v1")


def test_a_volume_that_takes_too_long_is_deleted_and_told(tmp_path):
    options = "volume_create_timeout = 1\nvolume_create_retry_interval = 2\n"
    with serving(volume("creating"), volume("creating"), Answer({}, 202)) as web:
        with pytest.raises(VolumeFailedError, match="still creating after 1 s"):
            volumes_at(web, tmp_path, options).create("i1", None)
        assert web.asked[-1][:2] == ("DELETE", "/volumes/v1")


def test_deleting_what_is_gone_is_success(tmp_path):
    with serving(Answer({}, 404)) as web:
        volumes_at(web, tmp_path).delete("v1")


def test_a_delete_that_keeps_failing_is_told(tmp_path):
    with serving() as web, pytest.raises(ServiceUnavailableError, match="Cinder"):
        volumes_at(web, tmp_path).delete("v1")


def test_the_image_behind_a_volume_is_found_or_unknown(tmp_path):
    with serving(volume("in-use", volume_image_metadata={"image_id": "i1"}), volume("in-use"), Answer({}, 404)) as web:
        volumes = volumes_at(web, tmp_path)
        assert [volumes.image_of("v1") for _ in range(3)] == ["i1", None, None]


@pytest.fixture(params=["fake", "real"])
def store(request, tmp_path):
    """The port's two implementations: the fake, and the real client over a scripted Cinder."""
    if request.param == "fake":
        yield FakeVolumes()
        return
    metadata = {"volume_image_metadata": {"image_id": "i1"}}
    answers = [
        volume("creating"),
        volume("available"),
        volume("available", **metadata),
        *[Answer({}, 202), Answer({}, 404)],
    ]
    with serving(*answers, Answer({}, 404)) as web:
        yield volumes_at(web, tmp_path)


def test_fake_and_real_do_the_same(store):
    made = store.create("i1", None)
    assert store.image_of(made) == "i1"
    store.delete(made)
    store.delete(made)
    assert store.image_of(made) is None
