# SPDX-License-Identifier: Apache-2.0
"""``amphora-image check`` and ``amphora-image-status upgrade check`` as an operator runs them, on the real cloud."""

from __future__ import annotations

import csv
import io
import json
import uuid

import pytest
import yaml
from support.program import BIN, run
from support.proxy import Fault, proxying

STATUS = BIN / "amphora-image-status"
FORMATS = {
    "json": json.loads,
    "yaml": yaml.safe_load,
    "csv": lambda text: list(csv.DictReader(io.StringIO(text))),
}


@pytest.fixture
def check(cloud, tag, command, tmp_path):
    """Check an ini that asks for the tag, by both commands, which must say the same; give rows and exit code."""

    def call(*arguments, user="octavia", ini=None, environ=None, **options):
        ini = ini or cloud.ini(user, **{"controller_worker__amp_image_tag": tag, **options})
        ended = command("--config-file", ini, "check", "-f", "json", *arguments, environ=environ)
        ended.holds_none_of(cloud.secrets)
        assert "Traceback" not in ended.stderr
        rows = json.loads(ended.stdout)
        assert all(row["remedy"] for row in rows if row["result"] != "ok")
        if not arguments and not environ:
            status = run([STATUS, "--config-file", ini, "upgrade", "check", "--json"], tmp_path)
            status.holds_none_of(cloud.secrets)
            told = json.loads(status.stdout)["checks"]
            assert status.code == ended.code, status.stderr
            codes = {"ok": 0, "warning": 1, "error": 2}
            assert [(one["check"], one["result"]) for one in told] == [
                (row["check"], codes[row["result"]]) for row in rows
            ]
        return rows, ended.code

    return call


def of(rows, name):
    (row,) = [row for row in rows if row["check"] == name]
    return row


def not_ok(rows):
    return [(row["check"], row["result"]) for row in rows if row["result"] != "ok"]


def test_where_all_is_well_it_ends_with_0_in_every_format(cloud, tag, check, command):
    image_id, group = cloud.upload("v1", tag, min_ram=512, min_disk=1), cloud.security_group()

    rows, code = check(controller_worker__amp_secgroup_list=group, nova__availability_zone="nova")

    assert (not_ok(rows), code) == ([], 0)
    assert image_id in of(rows, "image")["detail"]
    assert of(rows, "hash")["detail"].endswith("is sha512")
    assert group in of(rows, "security group")["detail"]
    ini = cloud.ini(controller_worker__amp_image_tag=tag)
    for name, parse in FORMATS.items():
        ended = command("--config-file", ini, "check", "-f", name)
        assert (ended.code, ended.stderr) == (0, "")
        assert [row["check"] for row in parse(ended.stdout)][:3] == ["driver", "credentials", "image"]
    table = command("--config-file", ini, "check")
    assert table.stdout.splitlines()[1].split("|")[1:3] == [" check         ", " result "]


def test_several_images_end_with_1_and_name_them(cloud, tag, check):
    older = cloud.upload("v1", tag)
    newer = cloud.newer("v2", tag)

    rows, code = check()

    assert (not_ok(rows), code) == ([("image", "warning")], 1)
    assert f"{newer} (v2) is booted, and not {older} (v1)" in of(rows, "image")["detail"]


def test_no_image_ends_with_2_and_the_reasons(cloud, tag, check):
    queued = cloud.queued("v1", tag)

    rows, code = check()

    assert (not_ok(rows), code) == ([("image", "error")], 2)
    assert f"{queued} (v1): its status is queued" in of(rows, "image")["detail"]


def test_an_image_of_another_project_tells_the_exact_line_which_mends_it(cloud, tag, check):
    theirs = cloud.upload("theirs", tag, by=cloud.demo)

    rows, code = check()

    assert code == 2
    owner = of(rows, "owner")
    line = f"amp_image_owner_id = {cloud.foreign}"
    assert (owner["result"], owner["remedy"].partition(": ")[2]) == ("error", line)
    assert theirs in owner["detail"]
    option, _, value = line.partition(" = ")
    assert check(**{f"controller_worker__{option}": value})[1] == 0


def test_the_image_that_octavia_takes_until_now_is_a_warning_where_we_take_another(cloud, tag, check):
    ours = cloud.upload("ours", tag)
    theirs = cloud.newer("theirs", tag, by=cloud.demo)

    rows, code = check()

    assert (not_ok(rows), code) == ([("owner", "warning")], 1)
    assert of(rows, "owner")["detail"].index(theirs) < of(rows, "owner")["detail"].index(ours)


def test_an_image_that_does_not_fit_the_flavor_is_an_error(cloud, tag, check):
    cloud.upload("v1", tag, min_ram=8192)

    rows, code = check()

    assert (not_ok(rows), code) == ([("fit", "error")], 2)
    assert "8192 MiB" in of(rows, "fit")["detail"]


def test_an_image_for_another_architecture_than_the_flavors_is_an_error(cloud, tag, check):
    cloud.upload("v1", tag, hw_architecture="aarch64")
    flavors = cloud.admin.compute
    body = {"flavor": {"name": cloud.named("flavor"), "ram": 1024, "disk": 2, "vcpus": 1}}
    flavor_id = flavors.post("/flavors", json=body).json()["flavor"]["id"]
    specs = {"extra_specs": {"trait:HW_ARCH_X86_64": "required"}}
    flavors.post(f"/flavors/{flavor_id}/os-extra_specs", json=specs).raise_for_status()
    try:
        rows, code = check("--flavor", flavor_id)
    finally:
        flavors.delete(f"/flavors/{flavor_id}")

    assert (not_ok(rows), code) == ([("fit", "error")], 2)
    assert "it is for aarch64" in of(rows, "fit")["detail"]


@pytest.mark.parametrize(
    ("option", "name"),
    [
        ("controller_worker__amp_flavor_id", "flavor"),
        ("controller_worker__amp_boot_network_list", "network"),
        ("controller_worker__amp_secgroup_list", "security group"),
        ("controller_worker__amp_ssh_key_name", "key pair"),
        ("nova__availability_zone", "zone"),
    ],
)
def test_what_does_not_exist_is_an_error_that_names_it(cloud, tag, check, option, name):
    cloud.upload("v1", tag)
    nobody = str(uuid.uuid4())

    rows, code = check(**{option: nobody})

    assert (not_ok(rows), code) == ([(name, "error")], 2)
    assert nobody in of(rows, name)["detail"]


def test_a_key_pair_of_the_service_user_and_a_group_by_name_are_found(cloud, tag, check):
    cloud.upload("v1", tag)
    name = cloud.named("key")
    cloud.octavia.compute.post("/os-keypairs", json={"keypair": {"name": name}}).raise_for_status()
    try:
        rows, code = check(controller_worker__amp_ssh_key_name=name, controller_worker__amp_secgroup_list="default")
    finally:
        cloud.octavia.compute.delete(f"/os-keypairs/{name}")

    # An admin sees the group "default" of every project.
    assert [row for row in not_ok(rows) if row[0] != "security group"] == []
    assert name in of(rows, "key pair")["detail"]
    assert code in {0, 2}


def test_an_image_that_the_service_user_does_not_see_is_told_by_another_users_eyes(cloud, tag, check, tmp_path):
    image_id = cloud.upload("v1", tag)
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text(cloud.access.clouds())
    ini = cloud.ini("demo", controller_worker__amp_image_tag=tag, controller_worker__amp_image_owner_id=cloud.trusted)

    rows, code = check(ini=ini, environ={"OS_CLOUD": "admin"})

    assert code == 2
    assert of(rows, "visibility")["result"] == "error"
    assert f"openstack image add project {image_id}" in of(rows, "visibility")["remedy"]


def test_without_service_auth_the_named_cloud_stands_in_with_a_warning(cloud, tag, command, tmp_path):
    cloud.upload("v1", tag)
    clouds = tmp_path / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text(cloud.access.clouds())
    ini = tmp_path / "no-credentials.ini"
    text = cloud.ini(controller_worker__amp_image_tag=tag).read_text()
    ini.write_text(text.replace("[service_auth]", "[somebody_else]"))

    ended = command("--config-file", ini, "--os-cloud", "octavia", "check", "-f", "json")

    assert (not_ok(json.loads(ended.stdout)), ended.code) == ([("credentials", "warning")], 1)
    command("--config-file", ini, "check").failed(2, "there are no credentials", "write the group into the ini")


def test_options_without_effect_and_the_deprecated_id_are_warnings(cloud, tag, check):
    image_id = cloud.upload("v1", tag)

    rows, code = check(
        controller_worker__amp_image_id=image_id,
        amphora_image__image_ref=image_id,
        amphora_image__zone_image_tags=f"a:{tag}",
        amphora_image__trust_any_owner="true",
        controller_worker__amp_image_owner_id=cloud.trusted,
    )

    assert not_ok(rows) == [("deprecated id", "warning"), *[("options", "warning")] * 3]
    assert code == 1


def test_an_octavia_conf_with_options_of_octavia_alone_is_taken(cloud, tag, check):
    cloud.upload("v1", tag)

    ini = cloud.ini(
        controller_worker__amp_image_tag=tag,
        api_settings__bind_port="9876",
        controller_worker__compute_driver="compute_nova_driver",
        controller_worker__amphora_driver="amphora_haproxy_rest_driver",
        controller_worker__image_driver="image_glance_driver",
        controller_worker__client_ca="/etc/octavia/certs/client_ca.pem",
        compute__max_retries="15",
        health_manager__heartbeat_key="canary",
        neutron__valid_interfaces="public",
        neutron__region_name=cloud.access.region,
        oslo_messaging__topic="octavia_prov",
    )
    ini.write_text(f"[DEFAULT]\ntransport_url = rabbit://octavia:canary@127.0.0.1\ndebug = true\n{ini.read_text()}")

    rows, code = check(ini=ini)

    assert (not_ok(rows), code) == ([], 0)
    assert of(rows, "driver")["remedy"] == "to switch, write compute_driver = amphora_image_driver"
    assert "canary" not in json.dumps(rows)


@pytest.mark.parametrize(
    ("service", "group", "first"),
    [("image", "glance", "image"), ("compute", "nova", "flavor"), ("network", "neutron", "network")],
)
@pytest.mark.parametrize(
    "fault", [Fault("."), Fault(".", status=503), Fault(".", status=200)], ids=["reset", "503", "html"]
)
def test_a_service_that_is_down_is_an_error_row(cloud, tag, check, service, group, first, fault):
    cloud.upload("v1", tag)
    upstream = cloud.octavia.session.get_endpoint(service_type=service, interface="public")

    with proxying(upstream) as proxy:
        proxy.order(*[fault] * 100)
        rows, code = check("--deadline", "2", **{f"{group}__endpoint": proxy.url})

    assert code == 2
    assert of(rows, first)["result"] == "error"
    assert f"{group.capitalize()} gave no usable answer" in of(rows, first)["detail"]
    others = {"image": "flavor", "flavor": "image", "network": "image"}
    assert of(rows, others[first])["result"] == "ok"


def test_a_service_that_hangs_holds_it_no_longer_than_the_deadline(cloud, tag, check):
    cloud.upload("v1", tag)
    upstream = cloud.octavia.session.get_endpoint(service_type="compute", interface="public")

    with proxying(upstream) as proxy:
        proxy.order(*[Fault(".", hold_seconds=60)] * 20)
        rows, code = check("--deadline", "3", nova__endpoint=proxy.url)

    assert code == 2
    assert of(rows, "flavor")["result"] == "error"


def test_keystone_down_or_a_wrong_password_is_an_error_row_and_the_options_are_still_checked(check):
    for option, value, told in (
        ("service_auth__password", "canary", "Keystone refused the credentials"),
        ("service_auth__auth_url", "http://127.0.0.1:9/v3", "Keystone gave no usable answer"),
    ):
        rows, code = check("--deadline", "2", **{option: value})
        assert (not_ok(rows), code) == ([("credentials", "error"), ("services", "error")], 2)
        assert told in of(rows, "credentials")["detail"]
        assert "canary" not in json.dumps(rows)
        assert of(rows, "options")["result"] == "ok"


def test_what_the_ini_or_the_command_line_has_wrong_ends_with_2(cloud, tag, command, tmp_path):
    ini = cloud.ini(controller_worker__amp_image_tag=tag, amphora_image__pair_window_seconds="soon")
    command("--config-file", ini, "check").failed(2, "pair_window_seconds", "correct the value")
    status = run([STATUS, "--config-file", ini, "upgrade", "check", "--json"], tmp_path)
    assert status.code == 2
    assert "pair_window_seconds" in json.loads(status.stdout)["checks"][0]["details"]
    garbage = tmp_path / "garbage.ini"
    garbage.write_text("[service_auth]\npassword canary\n")
    command("--config-file", garbage, "check").holds_none_of(["canary"]).failed(2, "is no ini", "write [group] lines")
    ended = run([STATUS, "--config-file", garbage, "upgrade", "check"], tmp_path).holds_none_of(["canary"])
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert command("--config-file", ini, "check", "--deadline", "0").code == 2


def test_help_teaches_the_exit_codes(command, tmp_path):
    told = " ".join(command("check", "--help").stdout.split())
    assert "0 all is well; 1 builds work, but there are warnings; 2 builds would fail" in told
    ended = run([STATUS, "--help"], tmp_path)
    assert ended.code == 0
    assert "0 all is well; 1 warnings; 2 builds would fail" in " ".join(ended.stdout.split())
