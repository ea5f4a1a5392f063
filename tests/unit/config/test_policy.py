# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.config import load
from amphora_image.config.policy import Policy
from amphora_image.errors import ConfigurationError, InvalidReferenceError, NotBootableError, NothingWantedError

ID = "6b3c0f7e-1234-4abc-8def-0123456789ab"
OTHER = "6b3c0f7e-1234-4abc-8def-0123456789ac"
ALL = Policy(image_tag="option", zone_image_tags={"zone-1": "zoned"}, image_ref="glance://tag/ref", deprecated_id=ID)


@pytest.mark.parametrize(
    ("policy", "argument", "zone", "wanted"),
    [
        (ALL, "argument", "zone-1", "tag 'argument' (the build's argument)"),
        (ALL, "", "zone-1", "tag 'option' ([controller_worker] amp_image_tag)"),
        (
            Policy(zone_image_tags={"zone-1": "zoned"}, image_ref=ID),
            None,
            "zone-1",
            "tag 'zoned' ([amphora_image] zone_image_tags, zone-1)",
        ),
        (
            Policy(zone_image_tags={"zone-1": "zoned"}, image_ref=ID),
            None,
            "zone-2",
            f"image id {ID} ([amphora_image] image_ref)",
        ),
        (Policy(image_ref="glance://tag/a%2Fb"), None, None, "tag 'a/b' ([amphora_image] image_ref)"),
        (Policy(deprecated_id=ID), None, None, f"image id {ID} ([controller_worker] amp_image_id)"),
    ],
)
def test_the_first_that_is_set_counts(policy, argument, zone, wanted):
    assert str(policy.wanted(image_tag=argument, zone=zone)) == wanted


def test_nothing_set_is_an_error_that_names_the_options():
    with pytest.raises(NothingWantedError, match=r"amp_image_tag.*image_ref"):
        Policy().wanted()


def test_a_bare_word_in_image_ref_is_refused_with_the_right_form():
    with pytest.raises(ConfigurationError, match=r"\[amphora_image\] image_ref.*write glance://tag/amphora for a tag"):
        Policy(image_ref="amphora").wanted()


@pytest.mark.parametrize("text", ["glance://tag/x", "amphora", "x"])
def test_the_deprecated_option_takes_an_id_only(text):
    with pytest.raises(ConfigurationError, match="amp_image_id"):
        Policy(deprecated_id=text).wanted()


def test_a_tag_that_is_too_long_is_refused():
    with pytest.raises(InvalidReferenceError):
        Policy().wanted(image_tag="x" * 256)


def test_every_rule_is_read_from_the_ini(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(
        "[controller_worker]\namp_image_tag = my tag\namp_image_owner_id = abc\n"
        f"amp_image_id = {ID}\n"
        "[amphora_image]\nzone_image_tags = z1:a,z2:b\nimage_ref = glance://tag/x\n"
        f"denied_image_ids = {ID.upper()}, glance://{OTHER}\n"
        "trust_any_owner = true\npair_window_seconds = 5\n"
    )
    assert Policy.of(load([str(ini)])) == Policy(
        image_tag="my tag",
        zone_image_tags={"z1": "a", "z2": "b"},
        image_ref="glance://tag/x",
        deprecated_id=ID,
        owner="abc",
        trust_any_owner=True,
        denied_image_ids=frozenset({ID, OTHER}),
        pair_window_seconds=5,
    )


def test_a_changed_option_of_ours_is_seen_after_the_host_mutated_its_configuration(tmp_path):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[amphora_image]\nimage_ref = glance://{ID}\n")
    conf = load([str(ini)])
    ini.write_text(f"[amphora_image]\nimage_ref = glance://tag/new\ndenied_image_ids = {OTHER}\n")
    conf.mutate_config_files()
    assert str(Policy.of(conf).wanted()) == "tag 'new' ([amphora_image] image_ref)"
    assert Policy.of(conf).denied_image_ids == {OTHER}


@pytest.mark.parametrize(
    "line",
    [
        "denied_image_ids = the bad one",
        f"denied_image_ids = {ID};{OTHER}",
        "image_ref = amphora",
        "image_ref = http://x",
    ],
)
def test_a_rule_that_cannot_be_read_is_told_when_the_ini_is_loaded(tmp_path, line):
    ini = tmp_path / "x.ini"
    ini.write_text(f"[amphora_image]\n{line}\n")
    with pytest.raises(ConfigurationError, match=line.partition(" ")[0]):
        load([str(ini)])


def test_an_id_is_meant_in_any_case():
    assert Policy(image_ref=ID.upper()).wanted().reference.image_id == ID


@pytest.mark.parametrize("reference", ["https://images.example/x?signature=canary", "file:///x", "oci://x/y"])
def test_a_reference_that_nova_cannot_boot_is_told_with_what_to_do(reference):
    with pytest.raises(NotBootableError, match=r"image_ref: .* cannot be booted.*; publish it") as caught:
        Policy(image_ref=reference).wanted()
    assert "canary" not in str(caught.value)
