# SPDX-License-Identifier: Apache-2.0
import pytest
from support import amphorae

from amphora_image.build.inspection.inspect import inspect
from amphora_image.build.inspection.policy import read_policy
from amphora_image.errors import ConfigurationError

KEPT = """
format: [qcow2, raw]
max_size: 1 GiB
max_virtual_size: 2147483648
boot: [bios, uefi]
os: debian
release: 12
architecture: x86_64
packages:
  haproxy: at least 2.6
  openssh-server: below 10
  keepalived: absent
agent: at least 19.0
haproxy: present
units: {amphora-agent: enabled, ssh.socket: disabled}
password_login: false
authorized_keys: false
privileged: [/usr/bin/su]
"""
BROKEN = """
format: raw
max_size: 1 kB
max_virtual_size: 1 MiB
boot: uefi
os: ubuntu
release: ["11", "13"]
architecture: aarch64
packages:
  haproxy: at least 2.8
  openssh-server: absent
  keepalived: present
agent: below 19.0
haproxy: exactly 2.6.11
units: {amphora-agent: disabled, haproxy: enabled}
password_login: false
authorized_keys: false
privileged: []
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    changes = {
        "etc/shadow": "root:$6$secret:19000::::::\n",
        "root/.ssh/authorized_keys": "ssh-ed25519 AAAA one\n",
    }
    return inspect(amphorae.image(tmp_path_factory.mktemp("open"), changes))


@pytest.fixture
def policy(tmp_path):
    def written(text):
        path = tmp_path / "policy.yaml"
        path.write_text(text)
        return read_policy(path)

    return written


def test_an_image_that_keeps_all_rules_breaks_none(tmp_path, policy):
    assert policy(KEPT).violations(inspect(amphorae.image(tmp_path))) == ()


def test_every_rule_that_is_broken_is_told_at_once(found, policy):
    """The issue: "--policy FILE (package present, at least version, unit enabled, no password login, size limit)"."""
    told = policy(BROKEN).violations(found)
    assert [each for each in told if not each.startswith("max_")] == [
        "format: raw wanted, qcow2 found",
        "os: ubuntu wanted, debian found",
        "release: 11 or 13 wanted, 12 found",
        "architecture: aarch64 wanted, x86_64 found",
        "packages: haproxy: at least 2.8 wanted, 2.6.12-1+deb12u1 found",
        "packages: openssh-server: absent wanted, 1:9.2p1-2 found",
        "packages: keepalived: present wanted, nothing found",
        "agent: below 19.0 wanted, 19.0.0 found",
        "haproxy: exactly 2.6.11 wanted, 2.6.12-1+deb12u1 found",
        "units: amphora-agent.service: disabled wanted, enabled found",
        "units: haproxy.service: enabled wanted, disabled found",
        "password_login: account root can be logged in to with a password",
        "authorized_keys: account root can be logged in to with keys: 1",
        "authorized_keys: /root/.ssh/authorized_keys has keys",
        "privileged: /usr/bin/su is not among those allowed (4755)",
    ]
    assert told[1] == f"max_size: at most 1000 bytes wanted, {found.size} found"


def test_no_secret_is_in_what_is_told(found, policy):
    assert "secret" not in repr(found) + repr(policy(BROKEN).violations(found))


def test_what_nobody_knows_does_not_keep_a_rule(tmp_path, policy):
    image = amphorae.image(tmp_path, {"var/lib/dpkg/status": "absent", "etc/passwd": "absent"})
    told = policy("packages: {telnetd: absent}\nhaproxy: at least 2.6\n").violations(inspect(image))
    assert told == (
        "packages: nobody knows which packages it has",
        "haproxy: at least 2.6 wanted, one without a version found",
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["has no rules"]),
        ("- a\n", ["has no rules"]),
        ("a: [", ["is no YAML"]),
        ("a: \x00", ["is no YAML"]),
        ("paswords: false\nos: {}\n", ["'paswords' is no rule", "os: {} is no text", "the rules are format, "]),
        ("release: 22.10", ["write it in quotes"]),
        ("max_size: big", ["'big' is no size"]),
        ("max_size: true", ["True is no size"]),
        ("password_login: true", ["only that can be asked for"]),
        ("packages: [haproxy]", ["no mapping"]),
        ("packages: {haproxy: '>= 2'}", ["neither present"]),
        ("units: {ssh: on}", ["neither enabled"]),
        ("boot: pxe", ["only bios and uefi"]),
        ("privileged: /usr/bin/su", ["no list"]),
    ],
)
def test_a_policy_that_cannot_be_is_refused_with_all_that_is_wrong(policy, text, parts):
    with pytest.raises(ConfigurationError) as caught:
        policy(text)
    for part in parts:
        assert part in str(caught.value)


def test_a_policy_that_is_not_there_is_told(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ConfigurationError, match="cannot be read"):
            read_policy(path)
