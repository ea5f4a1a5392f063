# SPDX-License-Identifier: Apache-2.0
"""Every place where the installed Octavia calls a compute driver can call ours: found in its source, bound to our methods."""

import ast
import inspect
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

with warnings.catch_warnings():  # importing Octavia loads libraries that warn of their own end
    warnings.simplefilter("ignore")
    from octavia.compute.compute_base import ComputeBase

    from amphora_image.drivers.octavia import OctaviaComputeDriver

OCTAVIA = Path(find_spec("octavia").submodule_search_locations[0])
#: What Octavia calls what it has loaded.
NAMES = {"compute", "compute_driver", "driver"}
METHODS = {name for name in vars(ComputeBase) if not name.startswith("_")}


def loads_one(text):
    return "octavia.compute.drivers" in text


def call_sites():
    """Each call of a driver's method: where it is, and how it is written."""
    for path in sorted(OCTAVIA.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        if "tests" in path.parts or not loads_one(text):
            continue
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            owner = node.func.value
            name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
            if node.func.attr in METHODS and name in NAMES:
                yield pytest.param(node, id=f"{path.relative_to(OCTAVIA)}:{node.lineno} {node.func.attr}")


SITES = list(call_sites())


def test_call_sites_are_found_in_all_that_load_a_driver():
    """Issue: "The driver binds all of Octavia's call sites": the facts name four that load one."""
    found = {site.id.partition(":")[0] for site in SITES}
    loading = {
        str(path.relative_to(OCTAVIA))
        for path in OCTAVIA.rglob("*.py")
        if "tests" not in path.parts and loads_one(path.read_text(encoding="utf-8"))
    }
    assert found == loading
    assert len(loading) >= 4
    assert METHODS - {site.values[0].func.attr for site in SITES} == {"status"}, "which has no caller"


@pytest.mark.parametrize("site", SITES)
def test_a_call_of_octavias_binds_to_our_method(site):
    method = getattr(OctaviaComputeDriver, site.func.attr)
    given = [None] * (1 + len(site.args))
    inspect.signature(method).bind(*given, **{one.arg: None for one in site.keywords})
