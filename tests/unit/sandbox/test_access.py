# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import configparser
import pathlib
import subprocess

import pytest
import yaml

from amphora_image.errors import SandboxError
from amphora_image.sandbox.access import USERS, Access
from amphora_image.sandbox.state import State

NASTY = 'it\'s "$HOME" `id` %(x)s -\\'


@pytest.fixture
def access():
    return Access(
        auth_url="http://127.0.0.1:20000/v3",
        region="RegionOne",
        passwords=dict.fromkeys(USERS, NASTY),
        flavor_id="f",
        network_id="n",
        projects={"admin": "a", "service": "s", "demo": "d"},
        root=pathlib.Path("/nowhere"),
    )


def test_its_representation_shows_no_password(access):
    assert NASTY not in repr(access)
    assert "passwords" not in repr(access)


def test_a_shell_reads_any_password_and_forgets_another_cloud(access):
    script = access.shell("octavia") + 'printf "%s" "$OS_USERNAME|$OS_PROJECT_NAME|$OS_PASSWORD|$OS_CLOUD"'
    done = subprocess.run(
        ["sh", "-c", script], env={"OS_CLOUD": "other"}, capture_output=True, text=True, check=True, timeout=10
    )
    assert done.stdout == f"octavia|service|{NASTY}|"


def test_clouds_has_an_entry_for_each_user(access):
    clouds = yaml.safe_load(access.clouds())["clouds"]
    assert {name: entry["auth"]["project_name"] for name, entry in clouds.items()} == USERS
    assert {entry["auth"]["password"] for entry in clouds.values()} == {NASTY}


def test_the_ini_says_who_boots_what(access):
    parser = configparser.RawConfigParser()
    parser.read_string(access.ini(image_tag="other"))
    assert parser["controller_worker"]["amp_image_tag"] == "other"
    assert parser["controller_worker"]["compute_driver"] == "amphora_image_driver"
    assert parser["service_auth"]["username"] == "octavia"
    assert parser["service_auth"]["password"] == NASTY


@pytest.mark.parametrize("form", ["shell", "ini"])
def test_an_unknown_user_is_refused(access, form):
    with pytest.raises(SandboxError, match="no user 'nobody'"):
        getattr(access, form)("nobody")


def test_a_sandbox_that_never_came_up_gives_no_access(tmp_path):
    with pytest.raises(SandboxError, match="never started to the end"):
        Access.of(State.new(), tmp_path)
