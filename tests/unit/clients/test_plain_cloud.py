# SPDX-License-Identifier: Apache-2.0
"""Each entry is read both ways, by us and by openstacksdk, in a folder and an environment of its own."""

import copy
import os

import pytest
import yaml

from amphora_image.clients.cloud import cloud_session
from amphora_image.clients.plain_cloud import plain_session
from amphora_image.clients.session import SERVICE_TYPES
from amphora_image.config import load

PASSWORD = {
    "auth_url": "https://k.example/v3",
    "username": "u",
    "password": "c{an}ary%",
    "project_name": "p",
    "user_domain_name": "Default",
    "project_domain_id": "default",
}
CREDENTIAL = {
    "auth_url": "https://k.example/v3",
    "application_credential_id": "a",
    "application_credential_secret": "canary",
}
ENTRIES = {
    "the least": {"auth": {"auth_url": "http://k", "username": "u", "password": "p"}},
    "the sandbox's": {"auth": PASSWORD, "region_name": "RegionOne", "identity_api_version": 3},
    "all of it": {
        "auth": PASSWORD,
        "auth_type": "password",
        "region_name": "r-1.a",
        "interface": "internal",
        "identity_api_version": "3",
        "verify": True,
        "cacert": "/etc/ssl/ca.pem",
    },
    "unverified": {"auth": PASSWORD, "verify": False},
    "a credential": {"auth": CREDENTIAL, "auth_type": "v3applicationcredential", "interface": "admin"},
}


def written(folder, entry, **more):
    file = folder / "clouds.yaml"
    file.write_text(yaml.safe_dump({"clouds": {"c": entry, "other": {"profile": "vexxhost"}}, **more}))
    return {"OS_CLIENT_CONFIG_FILE": str(file), "PATH": "/bin"}


def told(session, conf):
    """Say all that requests would differ by."""
    auth = dict(vars(session.auth))
    for unequal in ("_lock", "_plugin", "_discovery_cache", "auth_methods"):
        auth.pop(unequal, None)
    methods = [vars(one) for one in getattr(session.auth, "auth_methods", ())]
    places = [{name: conf[group][name] for name in conf[group]} for group in SERVICE_TYPES]
    return type(session.auth), auth, methods, session.verify, session.cert, session.timeout, places


@pytest.mark.filterwarnings("ignore:Support for InfluxDB")  # openstacksdk's, whatever is configured
@pytest.mark.parametrize("kind", ENTRIES)
def test_a_plain_entry_is_read_as_openstacksdk_reads_it(tmp_path, monkeypatch, kind):
    environ = written(tmp_path, ENTRIES[kind])
    for name in [name for name in os.environ if name.startswith(("OS_", "XDG_CONFIG_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OS_CLIENT_CONFIG_FILE", environ["OS_CLIENT_CONFIG_FILE"])
    ini = tmp_path / "x.ini"
    ini.write_text("[glance]\nendpoint = http://g\nregion_name = mine\ninsecure = true\n[nova]\nservice_name = n\n")
    ours, theirs = load([str(ini)]), load([str(ini)])
    session = plain_session("c", ours, environ, [tmp_path / "none"])
    assert session is not None
    assert told(session, ours) == told(cloud_session("c", theirs), theirs)


@pytest.mark.parametrize(
    "change",
    [
        {"profile": "vexxhost"},
        {"cloud": "vexxhost"},
        {"auth_type": "v3oidcpassword"},
        {"auth_type": "token"},
        {"auth_type": ["password"]},
        {"regions": ["a", "b"]},
        {"region_name": "a,b"},
        {"region_name": "{x}"},
        {"interface": ["internal", "public"]},
        {"interface": "publicURL"},
        {"identity_api_version": 2},
        {"image_endpoint_override": "http://g"},
        {"image_region_name": "r"},
        {"verify": "no"},
        {"verify": False, "cacert": "/etc/ca.pem"},
        {"cacert": "~/ca.pem"},
        {"cert": "/etc/c.pem"},
        {"insecure": True},
        {"api_timeout": 5},
        {"password": "outside of auth"},
        {"auth": {**PASSWORD, "auth_url": "http://{region_name}"}},
        {"auth": {**PASSWORD, "trust_id": "t"}},
        {"auth": {**PASSWORD, "password": 4711}},
        {"auth": {"auth_url": "http://k"}},
        {"auth": {name: value for name, value in PASSWORD.items() if name != "password"}},
        {"auth": None},
    ],
    ids=str,
)
def test_what_is_not_plain_is_left_to_openstacksdk(tmp_path, change):
    entry = {**copy.deepcopy(ENTRIES["the sandbox's"]), **change}
    assert plain_session("c", load(), written(tmp_path, entry), [tmp_path / "none"]) is None


def test_so_is_what_is_beside_the_entry_or_in_the_environment(tmp_path):
    plain = ENTRIES["the sandbox's"]
    environ = written(tmp_path, plain)
    assert plain_session("c", load(), environ, [tmp_path])
    assert plain_session(None, load(), {**environ, "OS_CLOUD": "c"}, [tmp_path])
    for more in ("OS_PASSWORD", "OS_REGION_NAME", "OS_CLIENT_SECURE_FILE", "XDG_CONFIG_HOME"):
        assert plain_session("c", load(), {**environ, more: "x"}, [tmp_path]) is None
    assert plain_session("c", load(), environ) is None, "where the home is, and so which files count, is not known"
    assert plain_session("c", load(), {**environ, "HOME": str(tmp_path)})
    assert plain_session(None, load(), environ, [tmp_path]) is None
    assert plain_session("absent", load(), environ, [tmp_path]) is None
    assert plain_session("other", load(), environ, [tmp_path]) is None
    (tmp_path / "secure.yaml").touch()
    assert plain_session("c", load(), environ, [tmp_path]) is None
    (tmp_path / "secure.yaml").unlink()
    assert plain_session("c", load(), written(tmp_path, plain, cache={"auth": True}), [tmp_path]) is None
    (tmp_path / "clouds.yaml").write_text("clouds: [")
    assert plain_session("c", load(), environ, [tmp_path]) is None


def test_the_first_file_in_the_folders_counts_as_it_does_for_openstacksdk(tmp_path):
    near, far = tmp_path / "near", tmp_path / "far"
    for folder, url in ((near, "http://near"), (far, "http://far")):
        folder.mkdir()
        auth = {"auth_url": url, "username": "u", "password": "p"}
        written(folder, {"auth": auth})
    session = plain_session("c", load(), {}, [tmp_path, near, far])
    assert session.auth.auth_url == "http://near"
    assert plain_session("c", load(), {}, [tmp_path]) is None
