# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import io
import pathlib
import re

from oslo_config import cfg, generator

from amphora_image.config import list_opts

ROOT = pathlib.Path(__file__).parents[2]
SAMPLE = ROOT / "etc" / "amphora_image.conf.sample"
SPDX = "# SPDX-License-Identifier: Apache-2.0\n"


def test_the_sample_is_what_the_options_say_now():
    conf = cfg.ConfigOpts()
    generator.register_cli_opts(conf)
    conf(["--config-file", str(ROOT / "etc" / "oslo-config-generator.conf")])
    fresh = io.StringIO()
    generator.generate(conf, output_file=fresh)
    assert SAMPLE.read_text() == SPDX + fresh.getvalue(), "the sample is stale: run `.venv/bin/nox -s sample`"


def test_the_sample_has_every_option_in_its_group():
    groups = dict(re.findall(r"^\[(\w+)\]\n(.*?)(?=^\[|\Z)", SAMPLE.read_text(), flags=re.MULTILINE | re.DOTALL))
    for group, options in list_opts():
        for option in options:
            assert f"\n#{option.name} =" in groups[group], f"[{group}] {option.name}"


def test_the_sample_names_nobodys_home_and_sets_nothing():
    lines = SAMPLE.read_text().splitlines()
    assert not [line for line in lines if re.search(r"/(home|root|tmp|work|var|usr)/", line)]
    assert not [line for line in lines if line and not line.startswith(("#", "["))]
