# SPDX-License-Identifier: Apache-2.0
import hashlib
import signal
import threading
from contextlib import suppress
from types import SimpleNamespace

import pytest
from fakes.glance_import import FakeImports
from support import disks

from amphora_image.errors import ServiceUnavailableError, SourceChangedError
from amphora_image.publish.body import CheckedPass
from amphora_image.publish.fanout import Fanout, Stop
from amphora_image.publish.many import Target, publish_to_all
from amphora_image.publish.order import Order
from amphora_image.publish.publish import Publisher
from amphora_image.publish.source import FileSource, Load
from amphora_image.publish.wait import Limits, Waiter

BYTES = disks.qcow2(size=4 * 1024 * 1024)
HASH = hashlib.sha512(BYTES).hexdigest()


class Counted(FileSource):
    """Counts how often it is read."""

    readings = 0

    def open(self):
        self.readings += 1
        return super().open()


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "image.qcow2"
    path.write_bytes(BYTES)
    return Counted(path)


def target(name, imports, promote=lambda *_: None):
    def opened(stop):
        imports.stop = stop
        waiter = Waiter(imports, limits=Limits(), sleep=stop.sleep)
        return Publisher(imports, waiter, owner=lambda: "ours", promote=promote)

    return Target(name=name, open=opened)


def test_several_clouds_get_one_reading_of_the_source(source):
    """The issue: "publishes one read of the source to several in parallel"."""
    clouds = {name: FakeImports() for name in ("a", "b", "c")}
    outcomes = publish_to_all(
        [target(*each) for each in clouds.items()], Load(disk_format="qcow2", source=source), Order(name="v1")
    )
    assert [each.cloud for each in outcomes] == ["a", "b", "c"]
    assert {each.published.sha512 for each in outcomes} == {HASH}
    assert source.readings == 1


def test_several_clouds_fetch_a_url_at_the_same_time():
    """The issue: "publishes … to several in parallel"."""
    both = threading.Barrier(2)

    class Fetching(FakeImports):
        def begin(self, *arguments):
            both.wait(30)
            super().begin(*arguments)

    clouds = {name: Fetching() for name in "ab"}
    for each in clouds.values():
        each.url_bytes = BYTES
    load = Load(disk_format="qcow2", url="https://images.example.org/a")
    targets = [target(*each) for each in clouds.items()]
    outcomes = publish_to_all(targets, load, Order(name="v1", sha512=HASH))
    assert [each.published.method for each in outcomes] == ["web-download"] * 2


def test_a_cloud_that_fails_is_told_and_stops_no_other(source):
    good, late, bad = FakeImports(), FakeImports(), FakeImports()
    bad.faults["create"] = ServiceUnavailableError("Glance", "down")
    late.faults["upload"] = ServiceUnavailableError("Glance", "down")
    targets = [target("bad", bad), target("good", good), target("late", late)]
    outcomes = publish_to_all(targets, Load(disk_format="qcow2", source=source), Order(name="v1"))
    assert [each.error is None for each in outcomes] == [False, True, False]
    assert outcomes[1].published.sha512 == HASH
    assert not late.images


def test_a_slow_cloud_holds_the_reader_back_and_not_its_bytes_in_memory():
    """The issue asks for at most 64 MiB: a taker is at most eight blocks behind."""
    read = []

    class Pass:
        sha512 = "x"

        def __iter__(self):
            for number in range(100):
                read.append(number)
                yield bytes([number])

    fanout = Fanout(Pass, 2, Stop())
    lanes = [fanout.lane(), fanout.lane()]
    taken = {}

    def take(number):
        taken[number] = list(lanes[number].begin())

    quick = threading.Thread(target=take, args=(0,))
    quick.start()
    slow = iter(lanes[1].begin())
    next(slow)
    quick.join(0.2)
    assert len(read) <= 11
    assert [1, *slow] == [1, *(bytes([number]) for number in range(1, 100))]
    quick.join(5)
    assert len(taken[0]) == 100


def test_an_error_of_the_source_reaches_every_cloud(source, tmp_path):
    with (tmp_path / "image.qcow2").open("ab") as more:
        more.write(b"x")
    clouds = [FakeImports(), FakeImports()]
    targets = [target(str(number), each) for number, each in enumerate(clouds)]
    outcomes = publish_to_all(targets, Load(disk_format="qcow2", source=source), Order(name="v1"))
    assert all(isinstance(each.error, SourceChangedError) for each in outcomes)
    assert not any(each.images for each in clouds)


def test_a_second_pass_and_that_of_a_latecomer_are_their_own(source):
    def begin():
        return CheckedPass(source, "qcow2")

    fanout = Fanout(begin, 1, Stop())
    first, late = fanout.lane(), fanout.lane()
    for lane in (first, first, late):
        assert hashlib.sha512(b"".join(lane.begin())).hexdigest() == HASH
    assert source.readings == 3


def test_who_waits_ends_when_told_to():
    stop = Stop()
    stop.now()
    with pytest.raises(KeyboardInterrupt):
        stop.sleep(60)


@pytest.fixture
def interruptible():
    """Let SIGINT interrupt, which whoever runs the tests may have ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_ends_what_goes_on_in_every_cloud(source):
    """The issue: "Ctrl-C removes what was begun"; what a cloud's thread began, it removes as it ends."""
    ended, went_on, threads, both = [], [], [], threading.Barrier(2)

    def opened(stop):
        def publish(*_):
            threads.append(threading.current_thread())
            if both.wait(30) == 0:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            try:
                stop.sleep(3)
                went_on.append(1)
            except KeyboardInterrupt:
                ended.append(1)
                raise

        return SimpleNamespace(publish=publish)

    targets = [Target(name=name, open=opened) for name in ("a", "b")]
    with pytest.raises(KeyboardInterrupt):
        publish_to_all(targets, Load(disk_format="qcow2", source=source), Order(name="v1"))
    for each in threads:
        each.join(30)
    assert (len(ended), went_on) == (2, [])


class Slow(FakeImports):
    """Does what is asked, and answers one kind of request only when its user has lost patience."""

    stop: Stop

    def __init__(self, slow, both):
        super().__init__()
        self.slow, self.both = slow, both

    def upload(self, *arguments, **options):
        super().upload(*arguments, **options)
        self.answer("upload")

    def patch(self, *arguments):
        changed = super().patch(*arguments)
        self.answer("patch")
        return changed

    def answer(self, request):
        if request == self.slow:
            if self.both.wait(30) == 0:
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            with suppress(KeyboardInterrupt):
                self.stop.sleep(30)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("slow", "left"), [("upload", 0), ("patch", 1)])
def test_after_an_interrupt_no_cloud_goes_on_to_promote(source, slow, left):
    """The issue: "Ctrl-C removes what was begun", in the seconds too that Glance takes for its answer to the last byte."""
    both, promoted = threading.Barrier(2), []
    clouds = [Slow(slow, both), Slow(slow, both)]
    targets = [target(name, each, lambda *told: promoted.append(told)) for name, each in zip("ab", clouds, strict=True)]
    with pytest.raises(KeyboardInterrupt):
        publish_to_all(targets, Load(disk_format="qcow2", source=source), Order(name="v1", tag="t"))
    assert ([len(each.images) for each in clouds], promoted) == ([left, left], [])
