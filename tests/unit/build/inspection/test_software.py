# SPDX-License-Identifier: Apache-2.0
from fakes.file_system import tree

from amphora_image.build.inspection.report import Package, Software
from amphora_image.build.inspection.software import agent_of, haproxy_of, pip_packages

VENV = "opt/amphora-agent-venv/lib/python3.11/site-packages"


def packages(**versions):
    return tuple(Package(name=name.replace("_", "-"), version=of, architecture="all") for name, of in versions.items())


def test_the_agent_that_pip_has_installed_is_found_in_its_environment():
    files = tree(
        {f"{VENV}/octavia-19.0.1.dev3.dist-info/METADATA": "", f"{VENV}/octavia_lib-3.12.0.dist-info/METADATA": ""}
    )
    assert agent_of(files, ()) == Software(version="19.0.1.dev3", origin=f"/{VENV}/octavia-19.0.1.dev3.dist-info")


def test_all_that_pip_has_installed_is_told_and_what_a_distribution_has_is_not():
    files = tree(
        {
            f"{VENV}/octavia-19.0.0.dist-info/METADATA": "",
            f"{VENV}/Octavia_Lib-3.12.0-py3.11.egg-info/PKG-INFO": "",
            "usr/lib/python3/dist-packages/cloud_init-25.1.dist-info/METADATA": "",
        }
    )
    assert [(one.name, one.version) for one in pip_packages(files)] == [
        ("octavia-lib", "3.12.0"),
        ("octavia", "19.0.0"),
    ]


def test_the_agent_of_a_distribution_is_found():
    found = agent_of(tree({"etc/x": ""}), packages(amphora_agent="14.0.0-1"))
    assert found == Software(version="14.0.0-1", origin="package amphora-agent")


def test_haproxy_is_found_by_its_package_or_as_a_program():
    assert haproxy_of(tree({"etc/x": ""}), packages(haproxy="2.6")) == Software(version="2.6", origin="package haproxy")
    assert haproxy_of(tree({"usr/sbin/haproxy": "x"}), ()) == Software(version="", origin="/usr/sbin/haproxy")


def test_an_image_without_them_has_none():
    assert agent_of(tree({"etc/x": ""}), None) is None
    assert haproxy_of(tree({"etc/x": ""}), None) is None
