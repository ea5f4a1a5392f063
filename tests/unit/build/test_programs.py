# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import sys
from pathlib import Path

import pytest

from amphora_image.build.programs import require, run
from amphora_image.errors import DiskFullError, MissingProgramsError, ProgramFailedError


def test_all_that_is_missing_is_told_at_once_with_the_packages_to_install():
    """The issue: "missing tools (all named at once, with the packages to install)"."""
    with pytest.raises(MissingProgramsError) as caught:
        require(["sh", "no-such-b", "no-such-a"], {Path("/no/such/file"): "its-package", Path("/"): "none"})
    assert caught.value.missing == ("no-such-a", "no-such-b", "/no/such/file")
    assert caught.value.packages == ("its-package", "no-such-a", "no-such-b")
    assert "install its-package no-such-a no-such-b" in str(caught.value)


def test_nothing_is_said_where_all_is_there():
    require(["sh"], {Path("/"): "none"})


def test_a_program_speaks_english_knows_no_time_zone_and_gets_what_it_is_given():
    code = "import os, sys; print(os.environ['LC_ALL'], os.environ['TZ'], os.environ['MORE'], sys.stdin.read())"
    assert run(sys.executable, "-c", code, given="text", environment={"MORE": "more"}) == "C UTC0 more text\n"


def test_a_failed_program_is_told_with_what_it_said():
    with pytest.raises(ProgramFailedError, match="what it said"):
        run(sys.executable, "-c", "import sys; sys.exit('what it\\nsaid')")


def test_a_program_that_found_no_room_is_told_as_a_full_disk(tmp_path):
    """The issue: "full disk"."""
    with pytest.raises(DiskFullError, match=f"there is no room in {tmp_path}"):
        run(sys.executable, "-c", "import sys; sys.exit('x: No space left on device')", folder=tmp_path)


def test_a_program_that_vanished_is_told_as_missing():
    with pytest.raises(MissingProgramsError, match="no-such-program"):
        run("no-such-program")
