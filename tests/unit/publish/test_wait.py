# SPDX-License-Identifier: Apache-2.0
import pytest

from amphora_image.clients.glance_import import ImportTask
from amphora_image.errors import ImportFailedError, ImportStuckError, ResourceNotFoundError
from amphora_image.models import ImageRecord
from amphora_image.publish.wait import Limits, Waiter

LOCK = {"os_glance_import_task": "t1"}


def record(status, **properties):
    return ImageRecord(id="i1", status=status, properties=properties)


def task(status, message="", updated_at=""):
    return ImportTask(id="t1", status=status, message=message, updated_at=updated_at)


class Glance:
    """Gives one view after another, the last for ever, and lets a second pass with each."""

    def __init__(self, *views):
        self.views = list(views)
        self.now = 0.0
        self.moved_to = []

    def record(self, _):
        return self.views[0][0]

    def tasks(self, _):
        return [self.views[0][1]] if self.views[0][1] else []

    def sleep(self, seconds):
        self.now += seconds
        if len(self.views) > 1:
            self.views.pop(0)

    def begin(self, *_):
        pass

    def moved(self, done):
        self.moved_to.append(done)

    def end(self):
        pass

    def wait(self, *, all_must_succeed=True, **limits):
        waiter = Waiter(self, limits=Limits(**limits), progress=self, clock=lambda: self.now, sleep=self.sleep)
        return waiter.wait("i1", "importing", all_must_succeed=all_must_succeed)


def test_an_import_is_waited_for_and_its_progress_told():
    glance = Glance(
        (record("uploading", **LOCK), None),
        (record("importing", **LOCK), task("processing")),
        (record("importing", **LOCK), task("processing", "Copied 15 MiB")),
        (record("active", **LOCK), task("processing", "Copied 20 MiB")),
        (record("active", os_glance_importing_to_stores="s2"), task("processing")),
        (record("active"), task("success")),
    )
    assert glance.wait().status == "active"
    assert 15 << 20 in glance.moved_to


def test_an_import_that_fell_back_to_queued_is_told_with_the_reason_and_the_stores():
    glance = Glance(
        (record("importing", **LOCK), task("processing")),
        (record("queued", os_glance_failed_import="s1"), task("failure", "no room on s1")),
    )
    with pytest.raises(ImportFailedError, match=r"no room on s1 \(into s1\)"):
        glance.wait()


def test_a_store_that_failed_is_an_error_unless_one_store_is_enough():
    """The issue: "one of two stores failing (both values of all_stores_must_succeed)"."""
    ended = (record("active", os_glance_failed_import="s2"), task("success"))
    with pytest.raises(ImportFailedError, match="into s2"):
        Glance(ended).wait()
    assert Glance(ended).wait(all_must_succeed=False).status == "active"


def test_an_import_that_does_not_move_is_noticed_and_one_that_does_is_not():
    """The issue: "a stuck phase is noticed … a deadline for each phase"."""
    stuck = Glance((record("importing", **LOCK), task("processing", "Copied 15 MiB")))
    with pytest.raises(ImportStuckError, match="nothing new for"):
        stuck.wait(stuck_seconds=5)
    assert 5 < stuck.now < 10
    slow = [(record("importing", **LOCK), task("processing", f"Copied {n} MiB")) for n in range(50)]
    glance = Glance(*slow, (record("active"), task("success")))
    assert glance.wait(stuck_seconds=5)
    assert glance.now > 10
    with pytest.raises(ImportStuckError, match="it has taken"):
        Glance(*slow).wait(stuck_seconds=5, phase_seconds=20)


def test_an_image_that_somebody_deletes_is_told():
    """The issue: "the image deleted by another during the wait"."""
    with pytest.raises(ResourceNotFoundError, match="deleted by somebody"):
        Glance((record("importing", **LOCK), task("processing")), (None, None)).wait()
