# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.config import load
from amphora_image.config.policy import Policy
from amphora_image.errors import ConfigurationError
from amphora_image.preflight import options
from amphora_image.preflight.finding import Level


def rows(folder, text, *, folders=()):
    path = folder / "x.ini"
    path.write_text(text)
    conf = load([str(path)], folders)
    options.register(conf)
    policy = Policy.of(conf)
    return [options.driver(conf), options.deprecated_id(policy), *options.without_effect(conf, policy)]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[controller_worker]\namp_image_tag=t\n[amphora_image]\nzone_image_tags=a:b", "zone_image_tags"),
        ("[controller_worker]\namp_image_tag=t\n[amphora_image]\nimage_ref=glance://tag/x", "image_ref"),
        ("[controller_worker]\namp_image_owner_id=p\n[amphora_image]\ntrust_any_owner=true", "trust_any_owner"),
        ("[compute]\nretry_backoff=2", "[compute] retry_backoff"),
        ("[controller_worker]\ncompute_driver=nova\n[compute]\nmax_retries=many", "[compute] max_retries"),
        ("[cinder]\nvolume_size=20", "[cinder] volume_size"),
        ("[controller_worker]\nimage_driver=image_noop_driver", "which image is wanted"),
        ("[amphora_image]\ndenied_image_id=x", "[amphora_image] denied_image_id"),
    ],
)
def test_an_option_without_effect_is_named_with_its_remedy(tmp_path, text, named):
    (row,) = [one for one in rows(tmp_path, text) if one.check == "options"]
    assert row.level is Level.WARNING
    assert named in row.detail
    assert row.remedy


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[amphora_image]\nimage_ref=glance://tag/x\nzone_image_tags=a:b\ntrust_any_owner=true",
        "[compute]\nmax_retries=3",
        "[controller_worker]\nvolume_driver=volume_cinder_driver\n[cinder]\nvolume_size=20",
        "[DEFAULT]\ntransport_url=rabbit://u:canary@h\n[house_keeping]\nload_balancer_expiry_age=1",
    ],
)
def test_an_option_with_effect_or_of_octavia_alone_is_not_named(tmp_path, text):
    (row,) = [one for one in rows(tmp_path, text) if one.check == "options"]
    assert row.level is Level.OK


def test_a_misspelt_option_in_a_folder_is_found_too(tmp_path):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text("[amphora_image]\nimage-reff = x\nimage-ref = glance://tag/x\n")
    (row,) = [one for one in rows(tmp_path, "", folders=[str(folder)]) if one.check == "options"]
    assert "[amphora_image] image_reff has no effect" in row.detail


@pytest.mark.parametrize(
    ("name", "level", "told"),
    [
        ("amphora_image_driver", Level.OK, ""),
        ("nova", Level.OK, ""),
        ("compute_nova_driver", Level.OK, "to switch, write compute_driver = amphora_image_driver"),
        ("noop", Level.WARNING, "write compute_driver = amphora_image_driver"),
        ("somebody_elses", Level.WARNING, "write compute_driver = amphora_image_driver"),
    ],
)
def test_the_driver_is_told(tmp_path, name, level, told):
    row = rows(tmp_path, f"[controller_worker]\ncompute_driver = {name}\n")[0]
    assert (row.check, row.level, row.remedy) == ("driver", level, told)


def test_a_driver_that_is_not_named_is_octavias_own_there(tmp_path):
    assert "not set" in rows(tmp_path, "")[0].detail


def test_the_deprecated_id_is_told(tmp_path):
    assert rows(tmp_path, "")[1].level is Level.OK
    assert (
        rows(tmp_path, "[controller_worker]\namp_image_id = 6b3c0f7e-1234-4abc-8def-0123456789ab\n")[1].level
        is Level.WARNING
    )


@pytest.mark.parametrize("text", ["[compute]\nretry_max = $x", "[controller_worker]\nimage_driver = $x"])
def test_what_cannot_be_read_is_told_and_no_defect(tmp_path, text):
    with pytest.raises(ConfigurationError, match="begins the name of no option"):
        rows(tmp_path, text)
