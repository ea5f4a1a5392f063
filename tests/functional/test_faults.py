# SPDX-License-Identifier: Apache-2.0
"""What goes wrong: bad configuration, services that are down, names that nobody knows; and no secret is told.

Each fault runs as the real command, once as an operator runs it and once with all it can be made to say, and where it
makes sense through the driver. Neither output nor logs nor command lines hold a password or a token.
"""

from __future__ import annotations

import os
import shutil
import signal
import traceback
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from stevedore.driver import DriverManager
from support.cloud import Cloud, Users, until
from support.program import AMPHORA_IMAGE, assert_none_of, run

from amphora_image.config import load
from amphora_image.errors import (
    AmphoraImageError,
    AuthenticationError,
    ConfigurationError,
    NotBootableError,
    QuotaExceededError,
    ResourceNotFoundError,
    ServiceUnavailableError,
)

CANARY_PASSWORD = "canary-pass%word$1-5f2d"
CANARY_TOKEN = "canary-token-8c41"
SERVICES_A_BUILD_NEEDS = ("keystone", "glance", "nova")


@pytest.fixture
def fault(cloud, tmp_path):
    """Run a command that must fail with ``code`` and one line that has ``parts``, and search it for secrets.

    It runs again with --debug and a log file, which may tell more but no secret either.
    """
    secrets = [*cloud.secrets, CANARY_PASSWORD, CANARY_TOKEN]

    def call(arguments, code, *parts, environ=None, wrapper=(), after=""):
        command, log = [*wrapper, AMPHORA_IMAGE], tmp_path / f"{uuid.uuid4().hex}.log"
        verbose = ("--debug", "--log-file", log)
        with ThreadPoolExecutor(2) as pool:
            terse = pool.submit(run, [*command, *arguments], tmp_path, environ=environ)
            wordy = pool.submit(run, [*command, *verbose, *arguments], tmp_path, environ=environ, log=log)
        ended, talkative = terse.result(), wordy.result()
        ended.holds_none_of(secrets).failed(code, *parts, after=after)
        assert any("amphora-image" in line for line in ended.command_lines), "the command line was never seen"
        talkative.holds_none_of(secrets)
        assert talkative.code == code
        assert talkative.logs, "nothing is logged"
        return ended

    return call


@pytest.fixture
def refused(cloud, caplog):
    """Call something of the driver that must raise ``kind``, and search what it tells for secrets."""
    secrets = [*cloud.secrets, CANARY_PASSWORD, CANARY_TOKEN]
    caplog.set_level(0)

    def call(kind, function, *arguments, **keywords):
        with pytest.raises(AmphoraImageError) as caught:
            function(*arguments, **keywords)
        assert type(caught.value) is kind
        assert "\n" not in str(caught.value)
        assert_none_of(secrets, "".join(traceback.format_exception(caught.value)), "the exception")
        ours = [each for each in caplog.records if each.name.startswith("amphora_image")]
        assert_none_of(secrets, "\n".join(each.getMessage() for each in ours), "the log")
        return caught.value

    return call


def driver_of(path):
    conf = load([str(path)])
    name = conf.controller_worker.compute_driver
    return DriverManager("amphora_image.compute_drivers", name, invoke_on_load=True, invoke_args=(conf,)).driver


def resolve(ini):
    return ("--config-file", ini, "resolve")


# The ini


def test_a_missing_ini(fault, refused, tmp_path):
    """Missing, empty or unreadable ini."""
    nowhere = tmp_path / "nowhere.ini"

    fault(resolve(nowhere), 2, str(nowhere), "give the path of a file that exists")
    fault(("--config-dir", nowhere, "resolve"), 2, str(nowhere), "give the path of a file that exists")
    refused(ConfigurationError, load, [str(nowhere)])


def test_an_empty_ini(fault, refused, tmp_path):
    """Missing, empty or unreadable ini."""
    empty = tmp_path / "empty.ini"
    empty.touch()

    fault(resolve(empty), 2, "there are no credentials", "give --os-cloud NAME to a command")
    refused(ConfigurationError, driver_of(empty).build)


def test_no_ini_at_all(fault):
    fault(("resolve",), 2, "there are no credentials", "give --os-cloud NAME to a command")


def test_an_unreadable_ini(cloud, fault):
    """Missing, empty or unreadable ini."""
    ini = cloud.ini(service_auth__password=CANARY_PASSWORD)
    ini.chmod(0)
    wrapper = ()
    if os.access(ini, os.R_OK):  # we are root, who reads everything unless that right is taken from him
        rights = "-dac_override,-dac_read_search"
        wrapper = (shutil.which("setpriv"), f"--bounding-set={rights}", f"--inh-caps={rights}")

    fault(resolve(ini), 2, str(ini), "let this user read the file", wrapper=wrapper)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"password = {CANARY_PASSWORD}\n", ("line 1, is no ini", "name = value lines")),
        (f"[service_auth]\npassword = x\n{CANARY_PASSWORD}\n", ("line 3, is no ini", "name = value lines")),
        ("[service_auth\n", ("line 1, is no ini", "name = value lines")),
        (b"[service_auth]\npassword = \xff\xfe\n", ("cannot be read", "mend or replace the file")),
    ],
    ids=["no group", "no value", "no bracket", "no UTF-8"],
)
def test_a_file_that_is_no_ini(fault, refused, tmp_path, text, parts):
    wrong = tmp_path / "wrong.ini"
    wrong.write_bytes(text if isinstance(text, bytes) else text.encode())

    fault(resolve(wrong), 2, str(wrong), *parts)
    refused(ConfigurationError, load, [str(wrong)])


def test_a_folder_in_the_place_of_an_ini(fault, tmp_path):
    fault(resolve(tmp_path), 2, f"{tmp_path} cannot be read", "mend or replace the file")


@pytest.mark.parametrize(
    ("option", "value", "remedy"),
    [
        ("amphora_image__pair_window_seconds", "soon", "correct the value"),
        ("amphora_image__pair_window_seconds", "-1", "correct the value"),
        ("amphora_image__trust_any_owner", "perhaps", "correct the value"),
        ("amphora_image__zone_image_tags", "zone", "correct the value"),
        ("controller_worker__volume_driver", "zork", "correct the value"),
        ("nova__random_amphora_name_length", "-1", "correct the value"),
        ("amphora_image__image_ref", "my amphora", "write glance://tag/my%20amphora"),
    ],
)
def test_a_value_that_the_option_cannot_have(cloud, fault, refused, option, value, remedy):
    """Unknown option values."""
    group, _, name = option.partition("__")
    options = {"service_auth__password": CANARY_PASSWORD, "controller_worker__amp_image_tag": "", option: value}
    ini = cloud.ini(**options)

    fault(resolve(ini), 2, f"[{group}] {name}: ", remedy)
    refused(ConfigurationError, lambda: driver_of(ini).build())


def test_a_reference_to_what_nova_cannot_boot(cloud, fault, refused):
    """Unknown option values."""
    ini = cloud.ini(controller_worker__amp_image_tag="", amphora_image__image_ref="ftp://a/b")

    fault(resolve(ini), 2, "[amphora_image] image_ref: ftp://a/b cannot be booted", "name its tag or id")
    refused(NotBootableError, lambda: driver_of(ini).build())


def test_a_deprecated_id_that_is_no_id(cloud, fault, refused):
    """Unknown option values."""
    ini = cloud.ini(controller_worker__amp_image_tag="", controller_worker__amp_image_id="glance://tag/v1")

    parts = ("[controller_worker] amp_image_id is 'glance://tag/v1', which is no image id", "put a UUID there")
    fault(resolve(ini), 2, *parts, after='Deprecated: Option "amp_image_id"')
    refused(ConfigurationError, lambda: driver_of(ini).build())


@pytest.mark.parametrize(
    ("option", "value", "part"),
    [
        ("service_auth__auth_type", "zork", "plugin zork could not be found"),
        ("service_auth__auth_url", None, "parameters which were not given: auth_url"),
    ],
)
def test_credentials_that_no_plug_in_can_use(cloud, fault, refused, option, value, part):
    """Unknown option values."""
    ini = cloud.ini(**{"service_auth__password": CANARY_PASSWORD, option: value})

    fault(resolve(ini), 2, "[service_auth]", part, "complete the group for its auth_type")
    refused(ConfigurationError, driver_of(ini).build)


def test_an_ini_without_credentials(cloud, fault, refused):
    """No auth section."""
    ini = cloud.ini(**dict.fromkeys(("service_auth__auth_type", "service_auth__auth_url")))

    fault(resolve(ini), 2, "[service_auth] has no auth_type", "give --os-cloud NAME to a command")
    refused(ConfigurationError, driver_of(ini).build)


# Credentials


def test_a_wrong_password(cloud, fault, refused, tag):
    """Wrong password."""
    ini = cloud.ini(service_auth__password=CANARY_PASSWORD, controller_worker__amp_image_tag=tag)

    for command in (("resolve",), ("boot", "amphora"), ("server", "show", str(uuid.uuid4()))):
        parts = ("Keystone refused the credentials", "entry in clouds.yaml")
        fault(("--config-file", ini, *command), 5, *parts)
    assert refused(AuthenticationError, driver_of(ini).build).service == "Keystone"


def test_a_wrong_password_in_the_variables(cloud, fault, tag):
    """Wrong password."""
    environ = {
        "OS_AUTH_URL": cloud.access.auth_url,
        "OS_USERNAME": "octavia",
        "OS_PASSWORD": CANARY_PASSWORD,
        "OS_PROJECT_NAME": "service",
        "OS_USER_DOMAIN_NAME": "Default",
        "OS_PROJECT_DOMAIN_NAME": "Default",
    }

    fault(("resolve", tag), 5, "Keystone refused the credentials", "entry in clouds.yaml", environ=environ)


def test_a_wrong_token(cloud, fault, refused, tag):
    """Each fault runs with canary values as password and token."""
    ini = cloud.ini(
        service_auth__auth_type="v3token",
        service_auth__token=CANARY_TOKEN,
        service_auth__password=None,
        service_auth__username=None,
        service_auth__user_domain_name=None,
        controller_worker__amp_image_tag=tag,
    )

    fault(resolve(ini), 5, "Keystone refused the credentials", "entry in clouds.yaml")
    refused(AuthenticationError, driver_of(ini).build)


def test_a_wrong_address_of_keystone(cloud, fault, refused, tag):
    ini = cloud.ini(
        service_auth__auth_url=f"{cloud.access.auth_url}/nowhere/v3",
        service_auth__password=CANARY_PASSWORD,
        controller_worker__amp_image_tag=tag,
    )

    fault(resolve(ini), 2, "no Keystone at the address", "correct auth_url in [service_auth]")
    refused(ConfigurationError, driver_of(ini).build)


def test_a_wrong_region(cloud, fault, refused, tag):
    ini = cloud.ini(glance__region_name="nowhere", controller_worker__amp_image_tag=tag)

    fault(resolve(ini), 2, "no endpoint of Glance", "[glance]")
    refused(ConfigurationError, driver_of(ini).build)


# Names that Nova does not know


@pytest.mark.parametrize(
    ("options", "option", "resource"),
    [
        (("--flavor", "nobody"), "amp_flavor_id", "flavor nobody"),
        (("--network", "2c19b6ad-63f4-4d0e-8f0e-5b3a6a0c9d71"), "amp_boot_network_list", "network "),
        (("--key-name", "nobody"), "amp_ssh_key_name", "key pair nobody"),
        (("--zone", "nowhere"), "availability_zone", "availability zone nowhere"),
        (("--security-group", "nobody"), "amp_secgroup_list", "security group nobody"),
    ],
    ids=["flavor", "network", "key", "zone", "security group"],
)
def test_a_name_that_nova_does_not_know(cloud, fault, refused, tag, options, option, resource):
    """Flavor, network, key or zone unknown."""
    cloud.upload("v1", tag)
    ini = cloud.ini(controller_worker__amp_image_tag=tag)
    group = "nova" if option == "availability_zone" else "controller_worker"

    fault(("--config-file", ini, "boot", "amphora", *options), 1, resource, f"correct [{group}] {option}")

    ini = cloud.ini(controller_worker__amp_image_tag=tag, **{f"{group}__{option}": options[1]})
    name = cloud.named("amphora")
    raised = refused(ResourceNotFoundError, driver_of(ini).build, name)
    assert f"correct [{group}] {option}" in str(raised)
    assert cloud.octavia.compute.get("/servers", params={"name": name}).json()["servers"] == []


def test_a_quota_that_is_used_up(cloud, fault, refused, tag):
    """Quota exceeded."""
    cloud.upload("v1", tag, by=cloud.demo)
    network = cloud.network(cloud.demo)
    ini = cloud.ini("demo", controller_worker__amp_image_tag=tag, controller_worker__amp_boot_network_list=network)
    quota = f"/os-quota-sets/{cloud.foreign}"
    cloud.admin.compute.put(quota, json={"quota_set": {"instances": 0}}).raise_for_status()
    try:
        parts = ("Nova says the quota is used up", "delete what nobody needs, or raise the quota")
        fault(("--config-file", ini, "boot", "amphora"), 1, *parts)
        refused(QuotaExceededError, driver_of(ini).build)
    finally:
        cloud.admin.compute.delete(quota).raise_for_status()


# Services that are down


@pytest.fixture(scope="module")
def doomed(tmp_path_factory):
    """A sandbox whose services may be killed."""
    from amphora_image.sandbox import Sandbox  # noqa: PLC0415 - heavy, and most tests here do without

    box = Sandbox(tmp_path_factory.mktemp("doomed") / "sandbox")
    yield box
    box.down(remove=True)


@pytest.fixture
def without(doomed, tmp_path):
    """Kill a service, after what a build needs before it is up; give the cloud that is left."""

    def kill(service):
        needed = SERVICES_A_BUILD_NEEDS[: SERVICES_A_BUILD_NEEDS.index(service)]
        if not doomed.layout.state.exists() or not set(needed) <= running(doomed).keys():
            doomed.up()
        if service in running(doomed):
            os.kill(running(doomed)[service], signal.SIGKILL)
            until(lambda: service not in running(doomed), seconds=20, what=f"{service} is dead")
        return Cloud(doomed.access(), tmp_path, Users(doomed.access()))

    return kill


def running(box):
    return {each.service: each.pid for each in box.status() if each.state == "running"}


def impatient(cloud, tag):
    return cloud.ini(controller_worker__amp_image_tag=tag, amphora_image__retry_deadline_seconds="1")


def test_nova_is_down_and_the_same_driver_object_builds_once_it_is_back(doomed, without, fault, refused, tag):
    """Keystone, Glance or Nova down."""
    doomed.up()
    whole = Cloud(doomed.access(), without("nova").folder)
    whole.upload("v1", tag)
    ini = impatient(whole, tag)
    driver = driver_of(ini)

    with_secrets = (*whole.secrets, CANARY_PASSWORD)
    ended = fault(("--config-file", ini, "boot", "amphora"), 6, "Nova gave no usable answer", "then try again")
    ended.holds_none_of(with_secrets)
    fault(("--config-file", ini, "server", "show", str(uuid.uuid4())), 6, "Nova gave no", "then try again")
    assert refused(ServiceUnavailableError, driver.build).service == "Nova"

    doomed.up()
    server_id = driver.build("amphora")
    until(lambda: driver.status(server_id) == "UP", seconds=60, what="a server that is ACTIVE")


def test_glance_is_down(without, fault, refused, tag):
    """Keystone, Glance or Nova down."""
    left = without("glance")
    ini = impatient(left, tag)

    ended = fault(resolve(ini), 6, "Glance gave no usable answer", "then try again")
    ended.holds_none_of(left.secrets)
    fault(("--config-file", ini, "boot", "amphora"), 6, "Glance gave no usable answer", "then try again")
    assert refused(ServiceUnavailableError, driver_of(ini).build).service == "Glance"


def test_keystone_is_down(without, fault, refused, tag):
    """Keystone, Glance or Nova down."""
    left = without("keystone")
    ini = impatient(left, tag)

    ended = fault(resolve(ini), 6, "Keystone gave no usable answer", "then try again")
    ended.holds_none_of(left.secrets)
    assert refused(ServiceUnavailableError, driver_of(ini).build).service == "Keystone"


# The net itself


def test_a_secret_in_a_command_line_of_a_child_would_be_found(tmp_path):
    """/proc/*/cmdline of children hold none of them: the watcher sees them where they do."""
    script = f"(exec -a {CANARY_PASSWORD} sleep 0.5); true"

    ended = run([shutil.which("bash"), "-c", script], tmp_path)

    with pytest.raises(AssertionError, match="command_lines holds secret number 0"):
        ended.holds_none_of([CANARY_PASSWORD])
    for told in (f"{CANARY_PASSWORD}", "gAAAAABnX"):
        spoken = run([shutil.which("echo"), told], tmp_path)
        with pytest.raises(AssertionError, match="stdout holds"):
            spoken.holds_none_of([CANARY_PASSWORD])
