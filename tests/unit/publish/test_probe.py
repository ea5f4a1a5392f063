# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import pytest
from fakes.glance_import import FakeImports

from amphora_image.errors import ServiceUnavailableError
from amphora_image.publish.leftovers import PUBLISHER, mark
from amphora_image.publish.probe import Prober
from amphora_image.publish.wait import Limits, Waiter

URL = "http://images.example.org/small"


@pytest.fixture
def imports():
    return FakeImports()


@pytest.fixture
def prober(imports):
    return Prober(imports, Waiter(imports, limits=Limits(), sleep=lambda _: None))


def works(findings):
    return {each.name: each.works for each in findings if each.kind != "store"}


def test_each_method_is_tried_and_nothing_is_left(prober, imports):
    """The issue: "`--probe` imports a few bytes by each method with a deadline and removes them"."""
    tried = {"upload": True, "glance-direct": True, "web-download": True, "copy-image": True}
    assert works(prober.probe(URL)) == {**tried, "amphora_image_verify": False}
    assert works(prober.probe(None)) == {**tried, "web-download": None, "amphora_image_verify": False}
    assert not imports.images


def test_who_only_looks_makes_nothing(prober, imports):
    assert set(works(prober.look()).values()) == {None}
    assert not imports.made_with


@pytest.mark.parametrize("fault", [ServiceUnavailableError("Glance", "down"), KeyboardInterrupt()])
def test_what_does_not_work_is_told_and_an_interrupt_leaves_nothing(prober, imports, fault):
    imports.faults["stage"] = fault
    if isinstance(fault, KeyboardInterrupt):
        with pytest.raises(KeyboardInterrupt):
            prober.probe(None)
    else:
        (direct,) = (each for each in prober.probe(None) if each.name == "glance-direct")
        assert (direct.works, direct.detail) == (False, str(fault))
    assert not imports.images


def test_what_a_killed_probe_left_is_removed_and_what_a_running_one_makes_is_not(prober, imports):
    """The issue: "no half image … of ours that it does not report or remove"."""
    prober.probe(None)
    values = imports.made_with[0]
    ended, running = imports.create(values), imports.create(values)
    imports.images[ended.id] = replace(ended, properties={PUBLISHER: mark().rpartition(" ")[0] + " 1"})
    prober.probe(None)
    assert list(imports.images) == [running.id]
