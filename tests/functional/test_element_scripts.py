# SPDX-License-Identifier: Apache-2.0
"""What the scripts of elements do, run in a temporary tree: each absolute path in them is moved into it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

import pytest

from amphora_image.build.elements import FOLDER

MOVED = re.compile(r"(?<![\w$}.*/])/(etc|opt|root|run|var|usr/local|usr/share|usr/lib/systemd)(?=[/\s\"';])")


class Tree:
    """A root folder for scripts, with programs of the test's own in front of the machine's."""

    def __init__(self, folder):
        self.folder = folder
        self.root = folder / "root"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        self.root.mkdir()
        self.bin.mkdir()
        self.environment = {
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
            "TARGET_ROOT": str(self.root),
            "DISTRO_NAME": "debian",
            "LC_ALL": "C",
        }

    def program(self, name, body="exit 0"):
        path = self.bin / name
        path.write_text(f'#!/bin/sh\necho "{name} $*" >>{self.calls}\n{body}\n')
        path.chmod(0o755)

    def file(self, name, text="", mode=0o644):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path

    def run(self, script, *arguments, check=True, **environment):
        text = MOVED.sub(lambda found: f"{self.root}{found.group()}", (FOLDER / script).read_text())
        moved = self.folder / "script"
        moved.write_text(text)
        moved.chmod(0o755)
        result = subprocess.run(
            [moved, *arguments], env=self.environment | environment, capture_output=True, text=True, check=False
        )
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def called(self):
        return self.calls.read_text().splitlines() if self.calls.exists() else []

    def text(self, name):
        return (self.root / name).read_text()


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


CERTS = "certs-ramfs/static/usr/local/sbin/certs-ramfs"


@pytest.mark.parametrize(
    ("line", "folder"),
    [
        ("base_cert_dir = /srv/certs", "/srv/certs"),
        ("base_cert_dir=/srv/certs", "/srv/certs"),
        ("# base_cert_dir = /srv/comment", None),
        ("", None),
    ],
)
def test_certificates_are_where_the_agents_configuration_says(tree, line, folder):
    tree.file("etc/octavia/amphora-agent.conf", f"[haproxy_amphora]\n{line}\nbind_port = 9443\n")
    assert tree.run(CERTS, "folder").stdout.strip() == (folder or f"{tree.root}/var/lib/octavia/certs")


def test_certificates_have_a_folder_even_without_a_configuration(tree):
    assert tree.run(CERTS, "folder").stdout.strip() == f"{tree.root}/var/lib/octavia/certs"


def test_the_key_of_the_certificates_ram_disk_is_read_by_cryptsetup_alone(tree):
    for name in ("modprobe", "cryptsetup", "mke2fs"):
        tree.program(name)
    tree.run(CERTS, "make")
    (opened,) = [call for call in tree.called() if call.startswith("cryptsetup")]
    assert "--key-file /dev/urandom" in opened
    assert "--type plain" in opened


def test_a_disk_that_could_not_be_encrypted_gets_no_file_system(tree):
    for name in ("modprobe", "mke2fs"):
        tree.program(name)
    tree.program("cryptsetup", "exit 1")
    assert tree.run(CERTS, "make", check=False).returncode != 0
    assert not [call for call in tree.called() if call.startswith("mke2fs")]


def test_nobody_else_may_look_into_the_folder_of_the_certificates(tree):
    tree.file("etc/octavia/amphora-agent.conf", "")
    tree.program("mount")
    tree.program("mountpoint", "exit 1")
    tree.run(CERTS, "mount")
    assert (tree.root / "var/lib/octavia/certs").stat().st_mode & 0o777 == 0o700
    assert [call for call in tree.called() if call.startswith("mount -o nodev,nosuid,noexec /dev/mapper/certfs-ramfs")]


@pytest.mark.parametrize("there", [True, False], ids=["as a file", "in the user data"])
def test_the_folder_waits_for_a_configuration_that_did_not_come_as_a_file(tree, there):
    for name in ("mount", "mountpoint", "systemctl"):
        tree.program(name)
    if there:
        tree.file("etc/octavia/amphora-agent.conf", "")
    tree.run(CERTS, "mount")
    waited = [call for call in tree.called() if call.startswith("systemctl")]
    assert waited == ([] if there else ["systemctl start cloud-init-network.service"])


def test_a_folder_that_is_mounted_is_left_alone(tree):
    tree.file("etc/octavia/amphora-agent.conf", "")
    tree.program("mountpoint")
    tree.program("mount")
    tree.run(CERTS, "mount")
    assert not [call for call in tree.called() if call.startswith("mount ")]


SSH = "rebind-sshd/static/usr/local/sbin/amphora-ssh"
NETWORKD = "[Match]\nMACAddress=fa:16:3e:00:00:01\nName=ens3\n\n[Network]\nDHCP=ipv4\n"
NETPLAN = 'network:\n  version: 2\n  ethernets:\n    "enp1s0":\n      match:\n        macaddress: "fa:16"\n      dhcp4: true\n'


@pytest.mark.parametrize(
    ("file", "text", "interface"),
    [
        ("run/systemd/network/10-cloud-init-ens3.network", NETWORKD, "ens3"),
        ("etc/systemd/network/10-cloud-init-ens3.network", NETWORKD, "ens3"),
        ("etc/netplan/50-cloud-init.yaml", NETPLAN, "enp1s0"),
        ("etc/network/interfaces.d/50-cloud-init", "auto lo\niface lo inet loopback\n\nauto eth0\n", "eth0"),
        (
            "etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection",
            "[connection]\nid=cloud-init eth0\ninterface-name=eth0\n",
            "eth0",
        ),
    ],
    ids=["networkd, at run time", "networkd", "netplan", "ifupdown", "NetworkManager"],
)
def test_ssh_is_on_the_interface_that_cloud_init_configured(tree, file, text, interface):
    tree.program("systemctl")
    tree.program("systemd-escape", 'echo "$1"')
    tree.file(file, text)
    tree.run(SSH)
    assert f"systemctl --no-block start amphora-ssh@{interface}.socket" in tree.called()


def test_there_is_no_ssh_where_cloud_init_configured_no_interface(tree):
    tree.program("systemctl")
    assert "no SSH" in tree.run(SSH).stderr
    assert not tree.called()


PING = "haproxy-octavia/static/var/lib/octavia/ping-wrapper.sh"


@pytest.mark.parametrize(("address", "family"), [("192.0.2.1", "-4"), ("2001:db8::1", "-6")])
def test_a_member_is_pinged_in_the_family_of_its_address(tree, address, family):
    tree.program("ping")
    tree.run(PING, HAPROXY_SERVER_ADDR=address)
    (call,) = tree.called()
    assert call.startswith(f"ping {family} ")
    assert call.endswith(address)


def test_a_member_that_does_not_answer_is_down(tree):
    tree.program("ping", "exit 1")
    assert tree.run(PING, check=False, HAPROXY_SERVER_ADDR="192.0.2.1").returncode == 1


MASQUERADE = "amphora-agent/static/usr/local/bin/lvs-masquerade.sh"


@pytest.mark.parametrize(("family", "table"), [("ipv4", "ip octavia-ipv4"), ("ipv6", "ip6 octavia-ipv6")])
def test_udp_and_sctp_are_masqueraded_and_tcp_is_not_tracked(tree, family, table):
    tree.program("nft", f"cat >>{tree.folder}/rules")
    tree.run(MASQUERADE, "add", family, "eth1")
    rules = (tree.folder / "rules").read_text()
    assert f"add table {table}\n" in rules
    for protocol in ("udp", "sctp"):
        assert f'oifname "eth1" meta l4proto {protocol} masquerade' in rules
    assert 'iifname "eth1" meta l4proto tcp notrack' in rules
    assert 'oifname "eth1" meta l4proto tcp notrack' in rules


def test_with_sriov_tcp_stays_tracked(tree):
    tree.program("nft", f"cat >>{tree.folder}/rules")
    tree.run(MASQUERADE, "add", "ipv4", "eth1", "sriov")
    assert "notrack" not in (tree.folder / "rules").read_text()


def test_a_chain_that_is_absent_is_deleted_without_complaint(tree):
    tree.program("nft", '[ "$1" != list ]')
    tree.run(MASQUERADE, "delete", "ipv4", "eth1")
    assert not [call for call in tree.called() if " delete " in call]


@pytest.mark.parametrize("arguments", [[], ["add"], ["add", "ipv5", "eth1"], ["remove", "ipv4", "eth1"]], ids=str)
def test_masquerading_is_asked_in_the_agents_words_or_not_at_all(tree, arguments):
    tree.program("nft")
    assert tree.run(MASQUERADE, *arguments, check=False).returncode == 1
    assert not tree.called()


def test_no_name_server_is_left(tree):
    tree.file("etc/resolv.conf", "nameserver 192.0.2.53\n")
    tree.file("etc/nsswitch.conf", "passwd: files\nhosts:  files mdns4 dns\nnetworks: files dns\n")
    tree.file("etc/dhcp/dhclient-enter-hooks.d/resolvconf", "#!/bin/sh\n")
    tree.run("no-resolvconf/finalise.d/99-no-resolvconf")
    assert "nameserver" not in tree.text("etc/resolv.conf") + tree.text("etc/resolv.conf.ORIG")
    assert tree.text("etc/nsswitch.conf") == "passwd: files\nhosts:  files mdns4\nnetworks: files dns\n"
    hooks = tree.root / "etc/dhcp/dhclient-enter-hooks.d"
    assert [path.name for path in hooks.iterdir()] == ["no-resolvconf"]
    assert os.access(hooks / "no-resolvconf", os.X_OK)


def test_the_record_of_a_build_keeps_no_secret(tree, tmp_path):
    tree.program("sudo", 'exec "$@"')
    record = (
        'declare -x DIB_RELEASE="trixie"\n'
        'declare -x DIB_DISTRIBUTION_MIRROR="https://builder:canary-1@mirror.example.com/debian"\n'
        'declare -x DIB_PASSWORD="canary-2"\n'
        'declare -- DIB_api_token="canary-3"\n'
    )
    tree.file("etc/dib-manifests/dib_environment", record)
    tree.file("etc/dib-manifests/dib_arguments", "-t tar https://canary-4@mirror.example.com/x\n")
    saved = tmp_path / "amphora.d" / "dib-manifests"
    saved.mkdir(parents=True)
    (saved / "dib_environment").write_text(record)
    places = {"DIB_MANIFEST_IMAGE_DIR": "etc/dib-manifests", "DIB_MANIFEST_SAVE_DIR": str(saved.parent)}
    tree.run("user-space-disk/cleanup.d/05-manifest-secrets", **places)
    kept = tree.text("etc/dib-manifests/dib_environment")
    assert 'DIB_RELEASE="trixie"' in kept
    assert '"https://mirror.example.com/debian"' in kept
    assert "canary" not in kept + tree.text("etc/dib-manifests/dib_arguments")
    assert "canary" not in (saved / "dib_environment").read_text()


def test_a_mirrors_account_is_not_in_the_images_sources(tree):
    tree.file("etc/apt/sources.list", "deb https://user:canary@mirror.example.com/debian trixie main\n")
    tree.file("etc/apt/sources.list.d/more.list", "deb http://canary@mirror.example.com/more trixie main\n")
    tree.run("user-space-disk/finalise.d/90-public-sources")
    assert tree.text("etc/apt/sources.list") == "deb https://mirror.example.com/debian trixie main\n"
    assert tree.text("etc/apt/sources.list.d/more.list") == "deb http://mirror.example.com/more trixie main\n"


@pytest.mark.parametrize(
    ("release", "suites"),
    [("trixie", ["trixie", "trixie-updates", "trixie-security"]), ("unstable", ["unstable"])],
)
def test_debian_is_unpacked_with_the_suites_that_its_release_has(tree, release, suites):
    tree.program("sudo", 'exec "$@"')
    tree.program("mmdebstrap", f"cat >{tree.folder}/lines")
    tree.run(
        "amphora-debian/root.d/08-amphora-debian",
        ARCH="amd64",
        DIB_RELEASE=release,
        DIB_DEBIAN_COMPONENTS="main,contrib",
        DIB_DISTRIBUTION_MIRROR="http://mirror.example.com/debian",
        DIB_DEBIAN_SECURITY_MIRROR="http://mirror.example.com/security",
        DIB_APT_KEYRING="/keys.gpg",
    )
    lines = (tree.folder / "lines").read_text().splitlines()
    assert [line.split()[2] for line in lines] == suites
    assert all(line.endswith(" main contrib") for line in lines)
    (call,) = [call for call in tree.called() if call.startswith("mmdebstrap")]
    assert "--keyring=/keys.gpg" in call


@pytest.mark.parametrize(
    ("mirror", "security", "option"),
    [
        ("http://mirror.example.com/debian/", "http://mirror.example.com/debian-security", ""),
        (
            "https://snapshot.example.com/archive/debian/20260101T000000Z",
            "https://snapshot.example.com/archive/debian-security/20260101T000000Z",
            "[check-valid-until=no] ",
        ),
    ],
)
def test_a_mirror_by_date_is_believed_after_its_date(tree, mirror, security, option):
    """The issue: "Reproducible for Debian with a fixed mirror date"; what it signed then has expired."""
    tree.program("sudo", 'exec "$@"')
    tree.program("mmdebstrap", f"cat >{tree.folder}/lines")
    environment = FOLDER / "amphora-debian/environment.d/10-amphora-debian.bash"
    script = f"set -eu; . {environment}; {FOLDER}/amphora-debian/root.d/08-amphora-debian"
    given = tree.environment | {"ARCH": "amd64", "DIB_RELEASE": "trixie", "DIB_DISTRIBUTION_MIRROR": mirror}
    subprocess.run(["bash", "-c", script], env=given, check=True)
    assert (tree.folder / "lines").read_text().splitlines() == [
        f"deb {option}{mirror} trixie main",
        f"deb {option}{mirror} trixie-updates main",
        f"deb {option}{security} trixie-security main",
    ]


def kept_downloads(tree, cache, **given):
    """Run the element with a program in mmdebstrap's place that runs the hooks, and give the folders of the cache."""
    tree.program("sudo", 'exec "$@"')
    run = f'sh -c "${{each#*=}}" - {tree.root}'
    tree.program("mmdebstrap", f'for each in "$@"; do case $each in --*-hook=*) {run} ;; esac; done')
    common = {"ARCH": "amd64", "DIB_RELEASE": "trixie", "DIB_DEBIAN_COMPONENTS": "main", "DIB_IMAGE_CACHE": str(cache)}
    common |= {"DIB_DISTRIBUTION_MIRROR": "http://mirror.example.com/debian"}
    common |= {"DIB_DEBIAN_SECURITY_MIRROR": "http://mirror.example.com/security"}
    script = FOLDER / "amphora-debian/root.d/08-amphora-debian"
    subprocess.run([script], env=tree.environment | common | given, check=True, capture_output=True)
    return {path.name for path in (cache / "apt").glob("*")}


def test_what_was_downloaded_is_used_again_where_the_same_mirrors_and_keys_are_believed(tree):
    """apt installs what lies in its folder for archives by its name and size alone."""
    keys, others = tree.file("one.gpg", "keys"), tree.file("other.gpg", "other keys")
    cache = tree.folder / "one's cache"
    given = {"DIB_APT_KEYRING": str(keys)}
    assert kept_downloads(tree, cache, **given, DIB_APT_LOCAL_CACHE="0") == set()
    first = kept_downloads(tree, cache, **given)
    assert len(first) == 1
    assert kept_downloads(tree, cache, **given) == first
    assert len(kept_downloads(tree, cache, DIB_APT_KEYRING=str(others))) == 2
    assert len(kept_downloads(tree, cache, **given, DIB_DISTRIBUTION_MIRROR="http://other.example.com/debian")) == 3
    assert len(kept_downloads(tree, cache)) == 4
    [unused] = first
    os.utime(cache / "apt" / unused, (0, 0))
    assert unused not in kept_downloads(tree, cache)


def test_only_what_is_installed_is_kept_and_only_what_is_whole_is_taken(tree):
    archives, cache = tree.root / "var/cache/apt/archives", tree.folder / "cache"
    about = {"Package": "a", "Status": "install ok installed", "Architecture": "all", "Version": "1:2-3"}
    about |= {"Maintainer": "m", "Description": "d"}
    tree.file("var/lib/dpkg/status", "".join(f"{name}: {value}\n" for name, value in about.items()))
    tree.file("var/cache/apt/archives/a_1%3a2-3_all.deb", "new")
    tree.file("var/cache/apt/archives/a_1%3a2-2_all.deb", "old")
    [folder] = kept_downloads(tree, cache)
    kept = cache / "apt" / folder
    assert {path.name for path in kept.iterdir()} == {"a_1%3a2-3_all.deb", "SHA256SUMS"}

    hook = FOLDER / "amphora-debian/root.d/amphora-debian/downloads"
    shutil.rmtree(archives)
    subprocess.run([hook, "take", kept, tree.root], check=True)
    assert [path.name for path in archives.iterdir()] == ["a_1%3a2-3_all.deb"]
    shutil.rmtree(archives)
    (kept / "a_1%3a2-3_all.deb").write_text("NEW")
    subprocess.run([hook, "take", kept, tree.root], check=True)
    assert list(archives.iterdir()) == []


def test_without_a_mirror_nothing_is_unpacked_and_the_variable_is_named(tree):
    """No mirror is anybody's but the building machine's: the element knows none of its own."""
    tree.program("mmdebstrap", "exit 0")
    result = tree.run("amphora-debian/root.d/08-amphora-debian", check=False, ARCH="amd64", DIB_RELEASE="trixie")
    assert result.returncode == 1
    assert "DIB_DISTRIBUTION_MIRROR: is not set" in result.stderr
    assert not tree.called()


@pytest.mark.parametrize("ubuntu", [True, False])
def test_the_initial_ram_disk_does_not_wait_for_udev_which_it_has_not(tree, ubuntu):
    tree.file("usr/share/initramfs-tools/hook-functions", "manual_add_modules() { :; }\n")
    waiting = tree.root / "disk/sbin/wait-for-root"
    if ubuntu:
        tree.file("disk/sbin/wait-for-root", "#!/bin/sh\nsleep 30\n", 0o755)
    tree.file("disk/usr/bin/udevadm")
    tree.run("amphora-boot/root.d/amphora-boot/hooks/amphora", DESTDIR=str(tree.root / "disk"))
    assert not (tree.root / "disk/usr/bin/udevadm").exists()
    assert waiting.exists() == ubuntu
    if ubuntu:
        assert subprocess.run([waiting], capture_output=True, text=True, check=True).stdout == "ext4\n"


def test_a_root_password_is_on_no_command_line_and_opens_ssh(tree):
    tree.program("chpasswd", f"cat >{tree.folder}/stdin")
    result = tree.run(
        "root-passwd/post-install.d/99-root-passwd", AMPHORA_ROOT_PASSWORD="canary-5", DIB_DEBUG_TRACE="1"
    )
    assert (tree.folder / "stdin").read_text() == "root:canary-5\n"
    assert not [call for call in tree.called() if "canary-5" in call]
    assert "canary-5" not in result.stderr.rpartition("set +x")[2]
    assert "PermitRootLogin yes" in tree.text("etc/ssh/sshd_config.d/10-root-passwd.conf")


def test_no_root_password_is_an_error(tree):
    tree.program("chpasswd")
    assert tree.run("root-passwd/post-install.d/99-root-passwd", check=False).returncode == 1
    assert not tree.called()


RSYSLOG = "#include <tunables/global>\n\nprofile rsyslogd /usr/sbin/rsyslogd {\n  capability syslog,\n}\n"
DHCLIENT = "#include <tunables/global>\n\n/usr/sbin/dhclient {\n  capability net_raw,\n}\n"
APPARMOR = "amphora-apparmor/post-install.d/10-amphora-apparmor"


@pytest.fixture
def profiles(tree):
    tree.program("systemctl")
    tree.file("etc/apparmor.d/usr.sbin.rsyslogd", RSYSLOG)
    tree.file("etc/apparmor.d/usr.sbin.dhclient", DHCLIENT)
    tree.file("etc/apparmor.d/firefox", "profile firefox {\n}\n")
    tree.file("etc/apparmor.d/abstractions/base", "")
    tree.run(APPARMOR)
    return tree.root / "etc/apparmor.d"


def test_only_profiles_of_an_amphoras_programs_are_compiled_at_its_start(profiles):
    assert sorted(path.name for path in profiles.iterdir() if path.is_file()) == [
        "usr.sbin.dhclient",
        "usr.sbin.rsyslogd",
    ]
    assert (profiles / "abstractions/base").is_file()


def test_confined_programs_may_be_reached_from_within_a_namespace(profiles):
    flags = "flags=(attach_disconnected) {"
    assert f"profile rsyslogd /usr/sbin/rsyslogd {flags}" in (profiles / "usr.sbin.rsyslogd").read_text()
    assert f"/usr/sbin/dhclient {flags}" in (profiles / "usr.sbin.dhclient").read_text()


def test_rsyslog_waits_for_its_profile_where_it_has_one(profiles, tree):
    when = tree.root / "etc/systemd/system/apparmor.service.d/50-amphora.conf"
    assert "Before=rsyslog.service" in when.read_text()
    (profiles / "usr.sbin.rsyslogd").unlink()
    tree.run(APPARMOR)
    assert "rsyslog" not in when.read_text()


def test_dhclient_may_write_where_the_agent_has_leases_kept(profiles):
    assert "/var/lib/dhclient/** lrw," in (profiles / "local/usr.sbin.dhclient").read_text()


def fetch(tree, tmp_path, **environment):
    hooks = tmp_path / "hooks"
    home = tmp_path / "home"
    hooks.mkdir()
    tree.run(
        "amphora-agent/extra-data.d/50-amphora-agent",
        TMP_HOOKS_PATH=str(hooks),
        HOME=str(home),
        **({"DIB_INSTALLTYPE_amphora_agent": "pypi"} | environment),
    )
    return hooks / "amphora-agent"


def test_the_chroot_gets_the_index_and_the_certificate_of_this_machines_pip(tree, tmp_path):
    (tmp_path / "ca.pem").write_text("a certificate")
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://index.example.com/simple\ncert = /here/only.pem\nfind-links = /here/wheels\n"
        "extra-index-url = file:///here/simple\n"
    )
    place = fetch(tree, tmp_path, PIP_CERT=str(tmp_path / "ca.pem"), PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    assert (place / "ca.pem").read_text() == "a certificate"
    assert (place / "pip.conf").read_text() == "[global]\nindex-url = https://index.example.com/simple\n"


def test_constraints_of_ones_own_may_be_a_file(tree, tmp_path):
    (tmp_path / "mine.txt").write_text("gunicorn==1.0\n")
    place = fetch(tree, tmp_path, DIB_REPOLOCATION_upper_constraints=f"file://{tmp_path}/mine.txt")
    assert (place / "constraints.txt").read_text() == "gunicorn==1.0\n"


def test_a_git_ref_is_built_into_a_wheel_here_and_noted(tree, tmp_path):
    tree.program("git", 'case "$*" in *rev-parse*) echo 0123abcd ;; *clone*) mkdir -p "$4" ;; esac')
    tree.program("python3", 'while [ "$1" != --wheel-dir ]; do shift; done; touch "$2/octavia-20.0.0-py3-none-any.whl"')
    place = fetch(
        tree,
        tmp_path,
        DIB_INSTALLTYPE_amphora_agent="source",
        DIB_REPOLOCATION_amphora_agent="/srv/octavia",
        DIB_REPOREF_amphora_agent="refs/changes/1",
    )
    assert (place / "octavia.gitref").read_text() == "0123abcd\n"
    assert [path.name for path in (place / "wheels").iterdir()] == ["octavia-20.0.0-py3-none-any.whl"]
    assert any("fetch --quiet origin refs/changes/1" in call for call in tree.called())


def sourced(variables):
    script = FOLDER / "amphora-agent/environment.d/20-amphora-agent.bash"
    return subprocess.run(
        ["bash", "-euc", f". {script}; echo $DIB_INSTALLTYPE_amphora_agent"],
        env={"PATH": os.environ["PATH"], **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.parametrize(
    ("variables", "kind"),
    [
        ({}, "pypi"),
        ({"DIB_REPOREF_amphora_agent": "stable/2026.1"}, "source"),
        ({"DIB_REPOLOCATION_amphora_agent": "/srv/octavia"}, "source"),
        ({"DIB_INSTALLTYPE_amphora_agent": "package"}, "package"),
    ],
    ids=str,
)
def test_the_agent_comes_from_the_index_unless_git_or_packages_are_asked(variables, kind):
    assert sourced(variables) == kind
