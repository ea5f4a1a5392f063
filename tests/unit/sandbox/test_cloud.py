# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox import Sandbox


def test_an_extra_that_nobody_knows_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(SandboxError, match=r"no 'trove' to be brought up with; use one of octavia"):
        Sandbox(tmp_path / "sandbox").up(with_=("trove",))
    assert not (tmp_path / "sandbox").exists()


def test_a_compute_driver_that_is_not_installed_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(SandboxError, match=r"no compute driver 'nova'.*compute_nova_driver"):
        Sandbox(tmp_path / "sandbox").up(with_=("octavia",), compute_driver="nova")
    assert not (tmp_path / "sandbox" / "state.json").exists()


def test_a_compute_driver_without_octavia_is_refused(tmp_path):
    with pytest.raises(SandboxError, match="add --with octavia"):
        Sandbox(tmp_path / "sandbox").up(compute_driver="compute_nova_driver")
