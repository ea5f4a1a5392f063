# SPDX-License-Identifier: Apache-2.0
"""``diskimage-create.sh``: the options, variables and exit codes of Octavia's script, in front of ``amphora-image build``.

The issue: "with every option, environment variable and exit code (1 usage, help, version or something missing; 2 unknown
host; 3 bad value) of Octavia's script, so that existing pipelines run unchanged".
"""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).parents[2] / "diskimage-create.sh"
#: Writes its arguments and the variables of interest, and makes the output.
COMMAND = """#!/bin/sh
printf '%s\\n' "$@" >"$CALLS"
env | grep -E '^(DIB_|ELEMENTS_PATH|AMPHORA_)' | sort >"$CALLS.environment"
while [ $# -gt 0 ]; do
    if [ "$1" = --output ]; then echo image >"$2"; fi
    shift
done
exit "${AMPHORA_STATUS:-0}"
"""


class Door:
    """The script in a folder of its own, on a host of the test's choice, in front of a command that notes its calls."""

    def __init__(self, folder):
        self.folder = folder
        self.bin = folder / "bin"
        self.host = folder / "host"
        self.calls = folder / "calls"
        for path in (self.bin, self.host / "etc"):
            path.mkdir(parents=True)
        (self.host / "etc/os-release").write_text('NAME="Debian GNU/Linux"\nVERSION_ID="13"\n')
        self.script = folder / "diskimage-create.sh"
        self.script.write_text(SCRIPT.read_text().replace("/etc/", f"{self.host}/etc/"))
        self.command = self.bin / "amphora-image"
        self.command.write_text(COMMAND)
        self.command.chmod(0o755)

    def run(self, *arguments, path=None, **environment):
        return subprocess.run(
            ["/bin/bash", self.script, *arguments],
            cwd=self.folder,
            env={
                "PATH": path or f"{self.bin}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "CALLS": str(self.calls),
                **environment,
            },
            capture_output=True,
            text=True,
            check=False,
        )

    def program(self, name, text):
        """Put a program of the test's own in front of the machine's."""
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def as_somebody(self):
        """Have the script be called by who is not root, with a sudo that notes what it is called for."""
        self.program("id", '[ "$1" = -u ] && echo 1000 || echo 1001')
        self.program("sudo", 'echo "$@" >>"$CALLS.sudo"\n[ "$1" = chown ] && exit\nshift\nexec "$@"')

    def options(self):
        """Give the last call's options, as a mapping; one without a value is mapped to an empty text."""
        words = self.calls.read_text().splitlines()
        assert words.pop(0) == "build"
        pairs = zip(words, [*words[1:], "--"], strict=True)
        return {word: "" if after.startswith("--") else after for word, after in pairs if word.startswith("--")}

    def environment(self):
        lines = (self.folder / "calls.environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)


@pytest.fixture
def door(tmp_path):
    return Door(tmp_path)


@pytest.mark.parametrize("arguments", [["-h"], ["-v"], ["-z"], ["surplus"], ["-o"]], ids=str)
def test_help_version_and_misuse_end_with_1(door, arguments):
    assert door.run(*arguments).returncode == 1
    assert not door.calls.exists() or door.calls.read_text() == "--version\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-a", "sparc"],
        ["-b", "nginx"],
        ["-i", "plan9"],
        ["-o", "/nowhere/at/all.qcow2"],
        ["-s", "2.5"],
        ["-s", "two"],
        ["-t", "iso"],
    ],
    ids=str,
)
def test_a_bad_value_ends_with_3(door, arguments):
    result = door.run(*arguments)
    assert result.returncode == 3
    assert result.stdout.startswith("Error: ")


def test_an_unknown_host_ends_with_2(door):
    (door.host / "etc/os-release").unlink()
    assert door.run().returncode == 2


def test_an_old_host_of_red_hats_family_is_known_without_os_release(door):
    (door.host / "etc/os-release").unlink()
    (door.host / "etc/system-release").write_text("CentOS Linux release 7\n")
    assert door.run().returncode == 0


def test_a_missing_command_ends_with_1(door):
    door.command.unlink()
    result = door.run(path="/usr/bin:/bin")
    assert result.returncode == 1
    assert "amphora-image is not installed" in result.stdout


def test_a_build_that_fails_ends_with_1(door):
    result = door.run(AMPHORA_STATUS="6")
    assert result.returncode == 1
    assert "Successfully" not in result.stdout


def test_without_options_it_builds_what_octavias_script_builds(door):
    result = door.run()
    assert result.returncode == 0
    assert door.options() == {
        "--os": "ubuntu-minimal",
        "--type": "qcow2",
        "--size": "2G",
        "--output": f"{door.folder}/amphora-x64-haproxy.qcow2",
        "--overwrite": "",
        "--cache-dir": f"{door.folder}/.cache/image-create",
        "--work-dir": str(door.folder),
    }
    variables = door.environment()
    assert variables["DIB_UBUNTU_KERNEL"] == "linux-image-virtual"
    assert variables["DIB_CLOUD_INIT_DATASOURCES"] == "ConfigDrive"
    assert variables["DIB_OCTAVIA_AMP_USE_NFTABLES"] == "True"
    assert variables["DIB_GRUB_TIMEOUT"] == "0"
    assert f"Amphora image size: {door.folder}/amphora-x64-haproxy.qcow2 6" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "options"),
    [
        (["-a", "aarch64"], {"--arch": "arm64"}),
        (["-a", "ppc64le"], {"--arch": "ppc64le"}),
        (["-b", "haproxy"], {"--os": "ubuntu-minimal"}),
        (["-c", "/tmp/cache-of-images"], {"--cache-dir": "/tmp/cache-of-images"}),
        (["-i", "debian", "-d", "bookworm"], {"--os": "debian", "--release": "bookworm"}),
        (["-i", "ubuntu"], {"--os": "ubuntu-minimal"}),
        (["-i", "centos"], {"--os": "centos-minimal"}),
        (["-i", "rocky"], {"--os": "rocky"}),
        (["-e"], {"--enforcing": ""}),
        (["-l", "build.log"], {"--log-file": "build.log"}),
        (["-m"], {"--cpu-pinning": ""}),
        (["-n"], {"--no-ssh": ""}),
        (["-f"], {"--no-tmpfs": ""}),
        (["-s", "3", "-t", "raw"], {"--size": "3G", "--type": "raw"}),
        (["-t", "vhd"], {"--type": "vhd"}),
        (["-x"], {"--trace": ""}),
        (["-y"], {"--fips": ""}),
    ],
    ids=str,
)
def test_an_option_is_passed_on(door, arguments, options):
    assert door.run(*arguments).returncode == 0
    assert door.options().items() >= options.items()


def test_the_type_is_the_end_of_the_outputs_name(door):
    door.run("-o", "amphora", "-t", "raw")
    assert door.options()["--output"] == f"{door.folder}/amphora.raw"


def test_a_folder_to_work_in_is_made(door):
    door.run("-w", "work/here")
    assert door.options()["--work-dir"] == "work/here"
    assert (door.folder / "work/here").is_dir()


def test_a_git_ref_brings_its_constraints(door):
    door.run("-g", "stable/2026.1")
    variables = door.environment()
    assert variables["DIB_REPOREF_amphora_agent"] == "stable/2026.1"
    assert variables["DIB_REPOLOCATION_upper_constraints"].endswith("/branch/stable/2026.1/upper-constraints.txt")


def test_a_variable_counts_more_than_the_ref(door):
    door.run("-g", "master", DIB_REPOREF_amphora_agent="mine", DIB_REPOLOCATION_upper_constraints="/mine.txt")
    variables = door.environment()
    assert variables["DIB_REPOREF_amphora_agent"] == "mine"
    assert variables["DIB_REPOLOCATION_upper_constraints"] == "/mine.txt"


def test_a_root_password_is_handed_on_where_no_list_of_processes_and_no_manifest_shows_it(door):
    result = door.run("-r", "canary-7")
    assert door.options()["--root-password"] == ""
    assert "canary-7" not in door.calls.read_text()
    assert [name for name, value in door.environment().items() if value == "canary-7"] == ["AMPHORA_ROOT_PASSWORD"]
    assert "NOT FOR PRODUCTION USAGE" in result.stdout


def test_packages_of_the_distribution_are_asked_of_the_elements(door):
    door.run("-p")
    assert door.environment()["DIB_INSTALLTYPE_amphora_agent"] == "package"


@pytest.mark.parametrize("system", ["rhel", "fedora"])
def test_rhel_and_fedora_need_three_gigabytes(door, system):
    assert door.run("-i", system, "-s", "2", DIB_LOCAL_IMAGE="/rhel.qcow2").returncode == 1
    assert door.run("-i", system, "-s", "3", DIB_LOCAL_IMAGE="/rhel.qcow2").returncode == 0


def test_rhel_needs_an_image_of_ones_own(door):
    assert door.run("-i", "rhel", "-s", "3").returncode == 1


def test_elements_of_ones_own_are_added_and_all_may_be_replaced(door):
    door.run(DIB_LOCAL_ELEMENTS="mine yours", DIB_LOCAL_ELEMENTS_PATH="/srv/elements", OCTAVIA_REPO_PATH="/srv/octavia")
    assert door.calls.read_text().count("--element\n") == 2
    assert door.environment()["ELEMENTS_PATH"] == "/srv/octavia/elements:/srv/elements"
    door.run(DIB_ELEMENTS="vm ubuntu-minimal haproxy-octavia")
    assert door.options()["--only-elements"] == "vm ubuntu-minimal haproxy-octavia"


def test_a_list_of_elements_replaces_those_of_options_as_in_octavias_script(door):
    assert door.run("-e", "-m", "-n", "-y", "-r", "canary-9", DIB_ELEMENTS="debian-minimal").returncode == 0
    assert not {"--enforcing", "--cpu-pinning", "--no-ssh", "--fips", "--root-password"} & door.options().keys()
    assert door.environment()["DIB_OCTAVIA_AMP_USE_SSH"] == "False"


def test_a_missing_sudo_ends_with_1(door):
    """The issue: "No root or sudo"."""
    for program in ("bash", "cat", "dirname", "grep", "mkdir", "readlink", "sed", "sh", "stat", "tr"):
        (door.bin / program).symlink_to(shutil.which(program))
    door.program("id", "echo 1000")
    result = door.run(path=str(door.bin))
    assert result.returncode == 1, result.stderr
    assert "sudo is not installed" in result.stdout
    assert not door.calls.exists()


def test_who_is_not_root_builds_by_sudo_and_gets_what_was_built(door):
    """The issue: "so that existing pipelines run unchanged": Octavia's is run by who may call sudo."""
    door.as_somebody()
    result = door.run("-r", "canary-8")
    assert result.returncode == 0, result.stderr
    assert door.environment()["AMPHORA_ROOT_PASSWORD"] == "canary-8"
    first, last = (door.folder / "calls.sudo").read_text().splitlines()
    assert first.startswith(f"--preserve-env env PATH={door.bin}:")
    assert f" {door.command} build --os ubuntu-minimal " in first
    assert "canary-8" not in first
    assert last == f"chown 1000:1001 {door.folder}/amphora-x64-haproxy.qcow2"


def test_who_is_not_root_gets_the_log_of_a_build_that_failed(door):
    door.as_somebody()
    (door.folder / "mine.log").touch()
    assert door.run("-l", "mine.log", AMPHORA_STATUS="1").returncode == 1
    assert "chown 1000:1001 mine.log" in (door.folder / "calls.sudo").read_text().splitlines()


def test_variables_stand_for_options_as_in_octavias_script_and_count_less(door):
    presets = {"ARCH": "arm64", "BASEOS": "rocky-container", "DIB_RELEASE": "9", "IMAGETYPE": "raw", "IMAGESIZE": "3"}
    presets |= {"OUTPUTFILENAME": f"{door.folder}/mine", "CACHEDIR": "/tmp/theirs", "WORKING_DIR": "work"}
    presets |= {"ENABLE_FULL_MAC_SECURITY": "1", "ENABLE_CPUPINNING": "1", "DISABLE_SSHD": "1", "ENABLE_FIPS": "1"}
    presets |= {"PACKAGE_INSTALL": "1", "ROOTPW": "canary-6", "DISABLE_TMP_FS": "--no-tmpfs"}
    assert door.run("-s", "4", **{f"AMP_{name}": value for name, value in presets.items()}).returncode == 0
    assert door.options() == {
        "--os": "rocky",
        "--type": "raw",
        "--size": "4G",
        "--output": f"{door.folder}/mine.raw",
        "--overwrite": "",
        "--cache-dir": "/tmp/theirs",
        "--work-dir": "work",
        "--release": "9",
        "--arch": "arm64",
        "--enforcing": "",
        "--cpu-pinning": "",
        "--fips": "",
        "--root-password": "",
        "--no-ssh": "",
        "--no-tmpfs": "",
    }
    assert door.environment()["DIB_INSTALLTYPE_amphora_agent"] == "package"
    door.run(AMP_KERNEL="linux-image-kvm", AMP_ENABLE_CPUPINNING="0")
    assert "--cpu-pinning" not in door.options()
    assert door.environment()["DIB_UBUNTU_KERNEL"] == "linux-image-kvm"


def test_a_variable_for_cloud_inits_sources_is_kept(door):
    door.run(CLOUD_INIT_DATASOURCES="ConfigDrive, OpenStack")
    assert door.environment()["DIB_CLOUD_INIT_DATASOURCES"] == "ConfigDrive, OpenStack"
