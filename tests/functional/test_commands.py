# SPDX-License-Identifier: Apache-2.0
"""The command as an operator runs it: a process of its own, on the real cloud."""

from __future__ import annotations

import json
import shlex
import sys
import uuid

import pytest
import yaml
from support.cloud import until
from support.program import run

FORMATS = {"json": json.loads, "yaml": yaml.safe_load}
OWN = ("glanceclient", "novaclient", "keystoneauth1", "sqlalchemy")


@pytest.fixture
def ini(cloud, tag):
    """A worker's ini that asks for the tag."""
    return cloud.ini(controller_worker__amp_image_tag=tag)


@pytest.fixture
def of_ini(command, ini):
    """Run a command with that ini."""

    def call(*arguments, **options):
        return command("--config-file", ini, *arguments, **options)

    return call


def succeeded(ended):
    assert (ended.code, ended.stderr) == (0, "")
    return ended.stdout


def resolved(ended):
    return json.loads(succeeded(ended))["id"]


# resolve


def test_resolve_shows_what_the_ini_asks_for_in_every_format(cloud, tag, of_ini):
    image_id = cloud.upload("v1", tag)

    for name, parse in FORMATS.items():
        shown = parse(succeeded(of_ini("resolve", "-f", name)))
        assert (shown["id"], shown["name"], shown["owner"], shown["size"]) == (image_id, "v1", cloud.trusted, 1024)
        assert (shown["tags"], shown["disk_format"], shown["hash_algo"]) == ([tag], "raw", "sha512")
        assert shown["chosen_by"] == f"tag '{tag}' ([controller_worker] amp_image_tag)"
    assert succeeded(of_ini("resolve", "-f", "value", "-c", "id")) == f"{image_id}\n"
    table = succeeded(of_ini("resolve"))
    assert f"| id          | {image_id}" in table
    assert table.startswith("+--")


def test_resolve_takes_a_tag_an_id_or_a_url(cloud, tag, of_ini):
    plain, spaced = cloud.upload("v1", tag), cloud.upload("v2", f"{tag} b/c")
    theirs = cloud.upload("v3", tag, by=cloud.demo)

    assert resolved(of_ini("resolve", tag, "-f", "json")) == plain
    assert resolved(of_ini("resolve", f"{tag} b/c", "-f", "json")) == spaced
    assert resolved(of_ini("resolve", f"glance://tag/{tag}%20b%2Fc", "-f", "json")) == spaced
    assert resolved(of_ini("resolve", spaced, "-f", "json")) == spaced
    assert resolved(of_ini("resolve", f"glance://{spaced}", "-f", "json")) == spaced
    assert resolved(of_ini("resolve", f"glance://tag/{tag}?owner={cloud.foreign}", "-f", "json")) == theirs


def test_resolve_knows_the_tag_of_a_zone(cloud, tag, command):
    image_id = cloud.upload("v1", tag)
    ini = cloud.ini(controller_worker__amp_image_tag="", amphora_image__zone_image_tags=f"z:{tag}")

    assert resolved(command("--config-file", ini, "resolve", "--zone", "z", "-f", "json")) == image_id


def test_explain_judges_every_candidate(cloud, tag, of_ini):
    older = cloud.upload("v1", tag)
    chosen = cloud.newer("v2", tag)
    queued, foreign = cloud.queued("v3", tag), cloud.upload("evil", tag, by=cloud.demo)

    shown = json.loads(succeeded(of_ini("resolve", "--explain", "-f", "json")))

    told = {each["id"]: each for each in shown["candidates"]}
    assert told.keys() == {older, chosen, queued, foreign}
    assert [each["id"] for each in shown["candidates"] if each["chosen"]] == [chosen] == [shown["id"]]
    assert told[older]["reason"] == f"older than {chosen}"
    assert told[queued]["reason"] == "its status is queued, not active"
    assert told[foreign]["reason"].startswith(f"its owner is project {cloud.foreign} (private)")
    assert told[foreign]["owner"] == cloud.foreign


def test_explain_of_what_may_not_be_booted_shows_why_and_ends_with_4(cloud, tag, of_ini):
    queued = cloud.queued("v1", tag)

    ended = of_ini("resolve", "--explain", "-f", "json")

    assert ended.code == 4
    assert ended.stderr.count("\n") == 1
    shown = json.loads(ended.stdout)
    assert shown["id"] is None
    assert [(each["id"], each["chosen"]) for each in shown["candidates"]] == [(queued, False)]


def test_a_tag_on_nothing_ends_with_4_and_one_line_that_ends_with_the_remedy(tag, of_ini):
    of_ini("resolve").failed(4, f"tag '{tag}'", "or name its id")


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("", ("the tag is empty", "glance://UUID")),
        ("x" * 256, ("at most 255 characters", "shorten the tag")),
        ("ftp://x/y", ("ftp://x/y cannot be booted", "name its tag or id")),
        ("glance://nothing", ("comes a UUID or tag/NAME", "glance://UUID")),
        ("glance://tag/a b", ("percent-encode", "a%2Fb for a/b")),
    ],
)
def test_what_is_no_reference_ends_with_2(of_ini, reference, parts):
    of_ini("resolve", reference).failed(2, *parts)


# boot, server


def test_a_server_is_booted_shown_and_deleted(cloud, tag, of_ini, tmp_path):
    image_id = cloud.upload("v1", tag)

    ended = of_ini("boot", "amphora-1", "--wait", "-f", "json")
    assert ended.code == 0
    booted = json.loads(ended.stdout)
    told, waited = ended.stderr.splitlines()
    assert told.startswith(f"Amphora amphora-1 is server {booted['id']}, from image {image_id} (v1) of project")
    assert waited == f"waiting for server {booted['id']} to become ACTIVE"
    assert (booted["name"], booted["status"], booted["image_id"]) == ("amphora-1", "ACTIVE", image_id)
    assert (booted["image_name"], booted["flavor_id"]) == ("v1", cloud.access.flavor_id)
    assert booted["management_ip"].startswith("172.31.")

    for name, parse in FORMATS.items():
        shown = parse(succeeded(of_ini("server", "show", booted["id"], "-f", name)))
        assert {key: shown[key] for key in shown.keys() & booted.keys()} == {
            key: booted[key] for key in shown.keys() & booted.keys()
        }
    address = succeeded(of_ini("server", "show", booted["id"], "-f", "value", "-c", "management_ip"))
    assert address == f"{booted['management_ip']}\n"
    assert f"| {booted['id']}" in succeeded(of_ini("server", "show", booted["id"]))

    gone = of_ini("server", "delete", booted["id"], "--wait")
    assert (gone.code, gone.stderr, gone.stdout) == (0, f"server {booted['id']} is being deleted\n", "")
    again = of_ini("server", "delete", booted["id"])
    assert (again.code, again.stderr) == (0, f"server {booted['id']} was not there\n")
    of_ini("server", "show", booted["id"]).failed(1, booted["id"], "check the name or id")
    assert not (tmp_path / ".novaclient").exists(), "novaclient wrote its completion cache"


def test_boot_takes_all_that_the_ini_would_say(cloud, tag, command):
    image_id, port, group = cloud.upload("v1", tag), cloud.port(), cloud.security_group()
    ini = cloud.ini(controller_worker__amp_image_tag="", controller_worker__amp_flavor_id="")

    ended = command(
        *("--config-file", ini, "boot", "amphora-2", "-f", "json", "--image", tag, "--port", port),
        *("--flavor", cloud.access.flavor_id, "--network", cloud.access.network_id, "--security-group", group),
        *("--zone", "nova"),
    )

    assert ended.code == 0
    booted = json.loads(ended.stdout)
    assert (booted["image_id"], booted["zone"], booted["status"]) == (image_id, "nova", "BUILD")
    assert booted["chosen_by"] == f"tag '{tag}' (the command line)"
    server = f"/servers/{booted['id']}"
    until(
        lambda: cloud.octavia.compute.get(server).json()["server"]["status"] == "ACTIVE",
        seconds=60,
        what="a server that is ACTIVE",
    )
    plugged = cloud.octavia.compute.get(f"{server}/os-interface").json()["interfaceAttachments"]
    assert port in [each["port_id"] for each in plugged]
    assert len(plugged) == 2
    cloud.octavia.compute.delete(server)


def test_what_is_no_server_id_ends_with_2(of_ini):
    for action in ("show", "delete"):
        of_ini("server", action, "../flavors").failed(2, "'../flavors' is no server id", "`amphora-image boot` printed")


# global options


def test_of_several_config_files_the_later_wins_and_a_config_dir_is_read(cloud, tag, command, ini, tmp_path):
    first, second = cloud.upload("v1", tag), cloud.upload("v2", f"{tag}-2")
    later = tmp_path / "later.ini"
    later.write_text(f"[controller_worker]\namp_image_tag = {tag}-2\n")
    folder = tmp_path / "amphora.d"
    folder.mkdir()
    (folder / "10-tag.conf").write_text(later.read_text())

    assert resolved(command("--config-file", ini, "resolve", "-f", "json")) == first
    assert resolved(command("--config-file", ini, "--config-file", later, "resolve", "-f", "json")) == second
    assert resolved(command("--config-file", later, "--config-file", ini, "resolve", "-f", "json")) == first
    assert resolved(command("--config-file", ini, "--config-dir", folder, "resolve", "-f", "json")) == second


def test_the_default_place_of_the_ini_is_the_home_folder(cloud, tag, command, ini, tmp_path):
    image_id = cloud.upload("v1", tag)
    (tmp_path / ".amphora_image").mkdir()
    ini.rename(tmp_path / ".amphora_image" / "amphora_image.conf")

    assert resolved(command("resolve", "-f", "json")) == image_id


def test_os_cloud_replaces_the_credentials_of_the_ini_but_not_its_policy(cloud, tag, command, tmp_path):
    theirs = cloud.upload("v1", tag, by=cloud.demo)
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text(cloud.access.clouds())
    ini = cloud.ini(controller_worker__amp_image_tag=tag)

    named = command("--config-file", ini, "--os-cloud", "demo", "resolve", "-f", "json")
    assert resolved(named) == theirs
    variable = command("--config-file", ini, "resolve", "-f", "json", environ={"OS_CLOUD": "demo"})
    assert resolved(variable) == theirs
    wrong = command("--config-file", ini, "--os-cloud", "nobody", "resolve")
    wrong.failed(2, "the cloud nobody cannot be used", "shows a whole entry")


def test_os_variables_replace_the_credentials_of_the_ini(cloud, tag, command):
    theirs = cloud.upload("v1", tag, by=cloud.demo)
    lines = cloud.access.shell("demo").splitlines()
    variables = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))

    ended = command("resolve", tag, "-f", "json", environ=variables)

    assert resolved(ended) == theirs


# errors, help


def test_a_wrong_use_ends_with_2(command):
    for arguments in ((), ("--nonsense",), ("resolve", "--nonsense"), ("frobnicate",)):
        ended = command(*arguments)
        assert ended.code == 2
        assert "Traceback" not in ended.stderr


def test_a_traceback_is_shown_with_debug_and_only_with_it(tag, of_ini, command, ini):
    assert "Traceback" not in of_ini("resolve", tag).stderr

    ended = command("--debug", "--config-file", ini, "resolve", tag)

    assert ended.code == 4
    assert "Traceback (most recent call last)" in ended.stderr
    assert "NoImageError" in ended.stderr


def test_help_names_every_exit_code_and_command(command):
    told = succeeded(command("--help"))

    for part in (
        "0 done",
        "1 refused",
        "2 wrong usage",
        "4 no image",
        "5 credentials",
        "6 a service",
        "130 interrupted",
    ):
        assert part in told
    for part in ("resolve ", "boot ", "server show", "server delete", "--config-file", "--config-dir", "--os-cloud"):
        assert part in told
    for name in ("resolve", "boot", "server show", "server delete"):
        ended = command(*name.split(), "--help")
        assert ended.code == 0
        assert f"usage: amphora-image {name}" in ended.stdout
    assert "usage: amphora-image server delete" in succeeded(command("server", "delete", "--force", "--help"))


def test_help_loads_no_client_library(tmp_path):
    """`--help` in under 0.3 s; a test finds none of glanceclient, novaclient, keystoneauth1, sqlalchemy in `sys.modules` after it."""
    program = (
        "import sys\n"
        "from amphora_image.cli.main import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit as ended:\n"
        "    print('LOADED', ended.code, *sys.modules)\n"
    )

    ended = run([sys.executable, "-c", program], tmp_path)

    *_, last = succeeded(ended).splitlines()
    mark, code, *loaded = last.split()
    assert (mark, code) == ("LOADED", "0")
    assert "amphora_image.cli.resolve" in loaded
    assert {name.partition(".")[0] for name in loaded}.isdisjoint(OWN)


def test_an_unknown_server_ends_with_1(of_ini):
    nobody = str(uuid.uuid4())

    of_ini("server", "show", nobody).failed(1, f"server {nobody} does not exist", "check the name or id")
