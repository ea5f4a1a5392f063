# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from fakes.glance import FakeImages

from amphora_image.clients.translate import retried
from amphora_image.config.policy import Policy, Wanted
from amphora_image.errors import ServiceUnavailableError
from amphora_image.reference import TagReference
from amphora_image.resolve import Resolver
from amphora_image.trail import note_request, recorded


def test_a_trail_tells_requests_and_retries_of_its_own_context_only():
    faults = [ServiceUnavailableError("Glance", "503")] * 2

    def call():
        if faults:
            raise faults.pop()
        note_request("req-1")

    with recorded() as trail:
        retried(call, deadline_seconds=60, sleep=lambda _: None)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(note_request, "req-of-another-thread").result()
    note_request("req-after")
    assert str(trail) == "look-up its own, retries 2, requests req-1"


def test_a_failure_is_no_retry():
    with recorded() as trail, pytest.raises(ServiceUnavailableError):
        retried(lambda: (_ for _ in ()).throw(ServiceUnavailableError("Glance", "503")), deadline_seconds=0)
    assert trail.retries == 0


def test_a_build_that_joins_anothers_look_up_says_so():
    images = FakeImages()
    images.add("v1", "amphora")
    resolver = Resolver(images, lambda: "ours")
    images.answering.clear()

    def build():
        with recorded() as trail:
            resolver.resolve(Wanted(TagReference("amphora"), "test"), Policy())
        return trail.shared

    with ThreadPoolExecutor(5) as pool:
        builds = [pool.submit(build) for _ in range(5)]
        while sum(line.users for line in resolver._lookups._lines.values()) < 5:
            threading.Event().wait(0.005)
        images.answering.set()
        shared = [one.result() for one in builds]
    assert shared.count(False) == 2  # the first, and the one that sent for the others
