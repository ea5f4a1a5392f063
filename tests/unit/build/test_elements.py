# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import json
import os
import re

import pytest
import yaml

from amphora_image.build.elements import FOLDER, SYSTEMS, Composition

ELEMENTS = sorted(path.name for path in FOLDER.iterdir() if path.is_dir() and path.name != "__pycache__")
FILES = [path for name in ELEMENTS for path in sorted((FOLDER / name).rglob("*")) if path.is_file()]
HOOKS = re.compile(r"/(root|extra-data|pre-install|install|post-install|finalise|cleanup)\.d/[0-9]{2}-[a-z-]+$")
#: What diskimage-builder's own elements have that ours depend on.
THEIRS = {"dpkg", "install-static", "modprobe", "package-installs", "pip-cache", "pkg-map", "sysprep"}
#: Octavia's elements, by which existing pipelines name them in DIB_ELEMENTS.
OCTAVIAS = {
    "amphora-agent", "amphora-apparmor", "amphora-fips", "amphora-selinux", "certs-ramfs", "cpu-pinning",
    "disable-makecache", "haproxy-octavia", "ipvsadmin", "keepalived-octavia", "no-resolvconf", "octavia-lib",
    "rebind-sshd", "remove-default-ints", "remove-sshd", "root-passwd", "sos",
}  # fmt: skip


def text_of(path):
    return path.read_text(encoding="utf-8")


def test_every_element_of_octavia_has_one_of_the_same_name():
    assert set(ELEMENTS) >= OCTAVIAS


def needed_by(element):
    file = FOLDER / element / "element-deps"
    return set(text_of(file).split()) if file.is_file() else set()


def test_an_element_depends_on_elements_that_there_are():
    assert set().union(*map(needed_by, ELEMENTS)) <= {*ELEMENTS, *THEIRS}


def test_an_element_that_brings_packages_or_files_depends_on_what_installs_them():
    installers = {"package-installs.yaml": "package-installs", "static": "install-static", "pkg-map": "pkg-map"}
    missing = [
        (element, installer)
        for element in ELEMENTS
        for name, installer in installers.items()
        if (FOLDER / element / name).exists() and installer not in needed_by(element)
    ]
    assert missing == [("amphora-debian", "package-installs")]  # which has it through dpkg


def test_a_readme_says_every_variable_that_its_element_reads():
    common = {"DIB_DEBUG_TRACE", "DIB_INIT_SYSTEM", "DIB_MANIFEST_IMAGE_DIR", "DIB_MANIFEST_SAVE_DIR"}
    for element in ELEMENTS:
        code = "".join(text_of(path) for path in FILES if f"/{element}/" in str(path) and path.suffix != ".rst")
        told = text_of(FOLDER / element / "README.rst")
        read = set(re.findall(r"\b(?:DIB|AMPHORA)_[A-Za-z_]*[A-Za-z]\b", code)) - common
        assert not {name for name in read if name not in told}, element


def test_a_hook_can_be_run_and_stops_at_the_first_error():
    hooks = [path for path in FILES if HOOKS.search(str(path))]
    assert len(hooks) > 20
    for path in hooks:
        assert os.access(path, os.X_OK), path
        assert text_of(path).startswith("#!/bin/bash\n"), path
        assert "\nset -eu\nset -o pipefail\n" in text_of(path), path


def test_what_is_sourced_for_the_environment_is_not_run():
    sourced = [path for path in FILES if path.parent.name == "environment.d"]
    assert sourced
    assert not [path for path in sourced if os.access(path, os.X_OK) or path.suffix != ".bash"]


def test_each_program_that_the_image_gets_can_be_run():
    programs = [path for path in FILES if "/static/usr/local/" in str(path) or path.name == "ping-wrapper.sh"]
    assert len(programs) >= 4
    assert not [path for path in programs if not os.access(path, os.X_OK)]


def test_lists_of_packages_can_be_read():
    for path in FILES:
        if path.name == "package-installs.yaml":
            assert yaml.safe_load(text_of(path))
        if path.name == "pkg-map":
            assert json.loads(text_of(path)).keys() <= {"default", "distro", "family", "release"}


def test_a_unit_that_is_enabled_is_in_an_element_or_in_a_package():
    ours = {path.name for path in FILES if path.parent.name == "system"}
    assert {"amphora-agent.service", "prometheus-proxy.service", "certs-ramfs.service", "amphora-ssh.service"} <= ours


def test_what_can_wait_starts_when_the_agent_has_said_that_it_answers():
    unit = text_of(FOLDER / "amphora-agent/static/usr/lib/systemd/system/amphora-agent.service")
    later = set(" ".join(re.findall("^Before=(.*)$", unit, re.MULTILINE)).split())
    assert "\nType=notify\n" in unit
    assert {"cloud-config.service", "systemd-logind.service"} <= later
    assert "After=" not in unit
    assert not later & {"apparmor.service", "certs-ramfs.service", "rsyslog.service"}  # which it asks for itself


def test_an_agents_dependencies_are_pinned_each_once():
    lines = text_of(FOLDER / "amphora-agent/install.d/amphora-agent/constraints.txt").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    names = [pin.partition("==")[0] for pin in pins]
    assert len(names) == len(set(names))
    assert {"octavia", "octavia-lib", "pyroute2", "gunicorn"} <= set(names)


def test_the_agents_pinned_version_is_the_one_that_is_installed_by_default():
    lines = text_of(FOLDER / "amphora-agent/install.d/amphora-agent/constraints.txt").splitlines()
    pinned = next(line for line in lines if line.startswith("octavia==")).partition("==")[2]
    assert f"DIB_AMPHORA_AGENT_VERSION:-{pinned}}}" in text_of(
        FOLDER / "amphora-agent/environment.d/20-amphora-agent.bash"
    )


@pytest.mark.parametrize("name", SYSTEMS)
def test_an_amphora_of_any_system_names_that_system_first_and_then_the_amphora(name):
    elements = Composition(system=SYSTEMS[name]).elements()
    assert elements[:2] == (SYSTEMS[name].element, "amphora")
    assert set(elements[1:]) <= {*ELEMENTS, "selinux-permissive"}


def test_a_debian_amphora_has_apparmor_and_nothing_that_was_not_asked():
    assert Composition(system=SYSTEMS["debian"]).elements() == ("amphora-debian", "amphora", "amphora-apparmor")


def test_what_is_asked_is_added():
    composition = Composition(
        system=SYSTEMS["rocky"], ssh=False, enforcing=True, cpu_pinning=True, fips=True, root_account=True
    )
    assert {"amphora-selinux", "cpu-pinning", "remove-sshd", "amphora-fips", "root-passwd"} <= set(
        composition.elements()
    )
    assert "selinux-permissive" not in composition.elements()
