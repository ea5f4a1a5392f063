# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import ast
import configparser
import fnmatch
import importlib
import io
import os
import pathlib
import re
import sys
from importlib import metadata

import pytest
from docutils.core import publish_doctree

ROOT = pathlib.Path(__file__).parents[2]
PACKAGE = ROOT / "amphora_image"
SETUP = configparser.ConfigParser(delimiters=["="])
SETUP.optionxform = str
SETUP.read(ROOT / "setup.cfg")

#: What an import is called → what is installed for it, where the names differ.
DISTRIBUTIONS = {
    "cyclonedx": "cyclonedx-python-lib",
    "packageurl": "packageurl-python",
    "diskimage_builder": "diskimage-builder",
    "oslo_config": "oslo.config",
    "oslo_upgradecheck": "oslo.upgradecheck",
    "oslo_utils": "oslo.utils",
    "novaclient": "python-novaclient",
    "oslo_db": "oslo.db",
    "openstack": "openstacksdk",
    "yaml": "PyYAML",
}

#: What we write: folders, and what lies beside them. Not what git ignores and what tools leave.
WRITTEN = (".ci", "amphora_image", "benchmarks", "doc/adr", "doc/source", "etc", "examples", "releasenotes", "tests")
KINDS = {".cfg", ".conf", ".in", ".ini", ".py", ".rst", ".sample", ".svg", ".toml", ".txt", ".yaml", ""}
#: The licence itself, a file that is empty by its definition, and files of formats that have no comments.
UNMARKED = {"LICENSE", "py.typed", "element-deps", "element-provides", "pkg-map", "active_profile"}


def lines_of(section, option):
    return [line.strip() for line in SETUP[section].get(option, "").splitlines() if line.strip()]


ENTRY_POINTS = [
    pytest.param(group, line, id=f"{group}-{line.partition(' ')[0]}")
    for group in SETUP["options.entry_points"]
    # Those of Neutron and Octavia take seconds to import; every start of a sandbox and `make downstream` load them.
    if not group.startswith(("neutron.", "octavia."))
    for line in lines_of("options.entry_points", group)
]


def written_files():
    for folder in WRITTEN:
        for where, folders, names in os.walk(ROOT / folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            yield from (pathlib.Path(where, name) for name in names)
    yield from (path for path in ROOT.iterdir() if path.is_file() and not path.name.startswith(".coverage"))


@pytest.mark.parametrize(("group", "line"), ENTRY_POINTS)
def test_an_entry_point_leads_to_something(group, line):
    name, _, place = (part.strip() for part in line.partition("="))
    module, _, attribute = place.partition(":")
    assert getattr(importlib.import_module(module), attribute)
    assert name in {found.name for found in metadata.entry_points(group=group)}, "install again: pip install -e ."


def test_every_file_that_is_no_python_is_package_data():
    patterns = [
        PACKAGE.joinpath(*package.split(".")[1:], pattern)
        for package in SETUP["options.package_data"]
        for pattern in lines_of("options.package_data", package)
    ]
    others = [
        path
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and "__pycache__" not in path.parts
    ]
    assert others
    assert not [path for path in others if not any(fnmatch.fnmatch(str(path), str(one)) for one in patterns)]


def test_every_folder_with_code_is_a_package():
    folders = {path.parent for path in PACKAGE.rglob("*.py")}
    assert not [folder for folder in folders if not (folder / "__init__.py").is_file()]


def test_what_is_imported_is_declared():
    extras = [line for extra in ("build", "relation") for line in lines_of("options.extras_require", extra)]
    declared = [*lines_of("options", "install_requires"), *extras]
    required = {re.split(r"[<>=!~\[; ]", line)[0].lower() for line in declared}
    imported = {}
    for path in PACKAGE.rglob("*.py"):
        by_a_host = path.parent == PACKAGE / "drivers" / "octavia" or path.name == "glance_plugin.py"
        if "sandbox" in path.parts or by_a_host:
            continue  # the one brings its own, as an extra; the others are loaded by Octavia and Glance alone
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            imported |= {name.partition(".")[0]: path for name in names}
    foreign = {name: path for name, path in imported.items() if name not in {*sys.stdlib_module_names, PACKAGE.name}}
    assert {"keystoneauth1", "tenacity"} <= foreign.keys()
    missing = {name: path for name, path in foreign.items() if DISTRIBUTIONS.get(name, name).lower() not in required}
    assert not missing


def test_every_requirement_is_constrained():
    constrained = {
        line.partition("==")[0].strip().lower().replace("_", "-").replace(".", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    }
    required = lines_of("options", "install_requires")
    for extra in SETUP["options.extras_require"]:
        required += lines_of("options.extras_require", extra)
    names = {re.split(r"[<>=!~\[; ]", line)[0].lower().replace("_", "-").replace(".", "-") for line in required}
    assert names - constrained == set()


def test_every_file_says_its_licence():
    silent = [
        str(path.relative_to(ROOT))
        for path in written_files()
        if path.name not in UNMARKED
        and path.suffix in KINDS
        and not path.name.startswith(".git")
        and "SPDX-License-Identifier: Apache-2.0" not in path.read_text()[:300]
    ]
    assert not silent


@pytest.mark.parametrize("name", ["README.rst", "CONTRIBUTING.rst", "SCOPE.rst"])
def test_a_page_is_sound_restructuredtext(name):
    complaints = io.StringIO()
    publish_doctree(
        (ROOT / name).read_text(), source_path=str(ROOT / name), settings_overrides={"warning_stream": complaints}
    )
    assert not complaints.getvalue()
