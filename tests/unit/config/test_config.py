# SPDX-License-Identifier: Apache-2.0
import pytest
from oslo_config import cfg

from amphora_image.config import list_opts, load, register_opts
from amphora_image.config.options import SHARED_OPTIONS
from amphora_image.errors import ConfigurationError

CANARY = "canary-4711"


def write(folder, text):
    path = folder / "x.ini"
    path.write_bytes(text)
    return str(path)


def test_an_empty_ini_gives_the_defaults(tmp_path):
    conf = load([write(tmp_path, b"")])
    assert conf.amphora_image.pair_window_seconds == 600
    assert conf.controller_worker.amp_image_tag == ""


def test_the_later_file_wins_and_a_folder_is_read(tmp_path):
    first = write(tmp_path, b"[controller_worker]\namp_image_tag = one\namp_flavor_id = f\n")
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text("[controller_worker]\namp_image_tag = two\n")
    conf = load([first], [str(folder)])
    assert (conf.controller_worker.amp_image_tag, conf.controller_worker.amp_flavor_id) == ("two", "f")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"[service_auth]\npassword {CANARY}\n".encode(), "x.ini, line 2, is no ini"),
        (f"password = {CANARY}\n[x".encode(), "is no ini"),
        (b"\xff\xfe\x00[", "cannot be read"),
        (b"[amphora_image]\npair_window_seconds = soon\n", r"x.ini: \[amphora_image\] pair_window_seconds: .*soon"),
        (b"[amphora_image]\npair_window_seconds = -1\n", "pair_window_seconds"),
        (b"[amphora_image]\ntrust_any_owner = perhaps\n", "trust_any_owner"),
        (b"[amphora_image]\nzone_image_tags = zone\n", "zone_image_tags"),
        (b"[controller_worker]\nvolume_driver = floppy\n", "volume_driver.*volume_cinder_driver"),
        (b"[controller_worker]\namp_image_tag = $nothing\n", "amp_image_tag"),
        (b"[image_file]\nallowed_roots = /srv, images\n", "allowed_roots.*absolute"),
    ],
)
def test_a_bad_ini_is_told_in_one_line_without_what_may_be_secret(tmp_path, text, told):
    with pytest.raises(ConfigurationError, match=told) as caught:
        load([write(tmp_path, text)])
    assert CANARY not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_places_are_told(tmp_path):
    with pytest.raises(ConfigurationError, match="nowhere"):
        load([str(tmp_path / "nowhere")])
    with pytest.raises(ConfigurationError, match="nowhere"):
        load([], [str(tmp_path / "nowhere")])
    with pytest.raises(ConfigurationError, match="directory"):
        load([str(tmp_path)])


def test_registering_twice_is_harmless():
    conf = cfg.ConfigOpts()
    register_opts(conf)
    register_opts(conf)


def test_only_options_of_our_own_are_mutable_and_the_deprecated_one_says_so():
    mutable = {(group, option.name) for group, options in list_opts() for option in options if option.mutable}
    assert not {group for group, _ in mutable} & SHARED_OPTIONS.keys()
    deprecated = [option for _, options in list_opts() for option in options if option.deprecated_for_removal]
    assert [option.name for option in deprecated] == ["amp_image_id"]
