# SPDX-License-Identifier: Apache-2.0
import logging
import threading
import time

import pytest

from amphora_image.errors import AccessDeniedError, ServiceUnavailableError
from amphora_image.relation.recorder import Recorder
from amphora_image.relation.values import Kind, Relation

RELATION = Relation(installation="u", instance_id="server", image_id="image", kind=Kind.BOOT)


def test_a_boot_is_recorded_beside_the_boot():
    """Promise: "records (installation, server, image, boot) after each boot, off the critical path"."""
    made, here = [], threading.get_ident()
    recorder = Recorder(lambda relation: made.append((relation, threading.get_ident())), "u")
    recorder.booted("server", "image")
    assert recorder.settle(30)
    assert [each for each, _ in made] == [RELATION]
    assert made[0][1] != here


def test_a_glance_that_hangs_delays_no_boot():
    released = threading.Event()
    recorder = Recorder(lambda _: released.wait(300), "u")
    began = time.monotonic()
    for _ in range(2000):  # more than may wait
        recorder.booted("server", "image")
    assert time.monotonic() - began < 60
    released.set()
    assert recorder.settle(30)


def test_what_fails_in_passing_is_tried_again():
    """Promise: "retried, never failing the boot"."""
    faults, made = [ServiceUnavailableError("Glance", "down")], []

    def record(relation):
        if faults:
            raise faults.pop()
        made.append(relation)

    recorder = Recorder(record, "u")
    recorder.booted("server", "image")
    assert recorder.settle(30)
    assert made == [RELATION]


@pytest.mark.parametrize(
    "fault",
    [AccessDeniedError("Glance", "record", "no"), RuntimeError("a defect"), ServiceUnavailableError("Glance", "x")],
)
def test_what_fails_for_good_is_told_and_the_next_boot_is_recorded(caplog, fault):
    caplog.set_level(logging.WARNING)
    faults, made = [fault], []

    def record(relation):
        if faults:
            raise faults.pop()
        made.append(relation)

    recorder = Recorder(record, "u", deadline_seconds=0)
    for server in ("lost", "server"):
        recorder.booted(server, "image")
    assert recorder.settle(30)
    assert made == [RELATION]
    assert "server lost was booted from image image is not recorded" in caplog.text


def test_a_program_that_ends_waits_no_longer_than_it_says():
    released = threading.Event()
    recorder = Recorder(lambda _: released.wait(300), "u")
    recorder.booted("server", "image")
    assert not recorder.settle(0.01)
    released.set()
    assert recorder.settle(30)
