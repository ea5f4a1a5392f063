# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import types

import pytest

from amphora_image.build.trial.report import Step
from amphora_image.cli.build_publish import _check, check_options
from amphora_image.errors import ConfigurationError, TrialFailedError


def options(**given):
    return types.SimpleNamespace(
        **{"publish": True, "name": "amphora", "tag": None, "type": "qcow2", "arch": "amd64", **given}
    )


def test_what_could_not_be_published_is_refused_before_the_build():
    check_options(options())
    check_options(options(publish=False, name=None))
    with pytest.raises(ConfigurationError, match="a tar cannot be published"):
        check_options(options(type="tar"))
    with pytest.raises(ConfigurationError, match="only one for amd64"):
        check_options(options(arch="arm64"))
    check_options(options(name=None))  # the file's, without its end
    with pytest.raises(ConfigurationError, match="add --publish"):
        check_options(options(publish=False, tag="amphora"))


def test_an_image_that_fails_its_test_is_not_published_and_its_console_is_kept(tmp_path):
    """The issue: "promoted only if the test passed"."""
    (tmp_path / "console").write_text("panic")
    with pytest.raises(TrialFailedError, match=r"'boots' .*no answer; see .*a.qcow2.bios.console.log"):
        _check(Step("boots", 1.0, failure="no answer"), tmp_path / "console", tmp_path / "a.qcow2")
    assert (tmp_path / "a.qcow2.bios.console.log").read_text() == "panic"
    _check(Step("boots", 1.0, "it answers"), tmp_path / "console", tmp_path / "b.qcow2")
