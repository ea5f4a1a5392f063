# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amphora_image.models import Image
from amphora_image.sharing import PairedBuild, PairMemory, SharedLookups


class Desk:
    """Answers look-ups with their number, each only when it is let go."""

    def __init__(self):
        self.sent = 0
        self.arrived = threading.Semaphore(0)
        self.release = threading.Semaphore(0)

    def answer(self):
        self.sent += 1
        number = self.sent
        self.arrived.release()
        assert self.release.acquire(timeout=10)
        return number


def wait_until(condition):
    for _ in range(2000):
        if condition():
            return
        threading.Event().wait(0.005)
    raise AssertionError("it never became so")


def waiting_on(lookups, key):
    line = lookups._lines.get(key)
    return line.users if line else 0


def test_a_lone_look_up_is_sent_at_once():
    assert SharedLookups()("key", lambda: 7) == 7


def test_those_who_come_while_one_is_on_the_wire_share_the_next():
    lookups, desk = SharedLookups(), Desk()
    with ThreadPoolExecutor(50) as pool:
        first = pool.submit(lookups, "key", desk.answer)
        assert desk.arrived.acquire(timeout=10)
        late = [pool.submit(lookups, "key", desk.answer) for _ in range(49)]
        wait_until(lambda: waiting_on(lookups, "key") == 50)
        desk.release.release(2)
        assert first.result() == 1
        assert {one.result() for one in late} == {2}
    assert desk.sent == 2


def test_nobody_gets_an_answer_that_was_asked_for_before_he_came():
    lookups, desk = SharedLookups(), Desk()
    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(lookups, "key", desk.answer)
        assert desk.arrived.acquire(timeout=10)
        second = pool.submit(lookups, "key", desk.answer)
        wait_until(lambda: waiting_on(lookups, "key") == 2)
        desk.release.release()
        assert desk.arrived.acquire(timeout=10)  # the second is on the wire: the third may not join it
        third = pool.submit(lookups, "key", desk.answer)
        wait_until(lambda: lookups._lines["key"].waiting is not None)
        desk.release.release(2)
        assert (first.result(), second.result(), third.result()) == (1, 2, 3)


def test_keys_do_not_wait_for_each_other():
    lookups, desk = SharedLookups(), Desk()
    with ThreadPoolExecutor(1) as pool:
        stuck = pool.submit(lookups, "a", desk.answer)
        assert desk.arrived.acquire(timeout=10)
        assert lookups("b", lambda: "free") == "free"
        desk.release.release()
        assert stuck.result() == 1


def test_an_error_reaches_every_joiner_and_spoils_nothing_later():
    lookups, desk = SharedLookups(), Desk()

    def fail():
        desk.answer()
        raise LookupError("ordered")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(lookups, "key", desk.answer)
        assert desk.arrived.acquire(timeout=10)
        joined = [pool.submit(lookups, "key", fail) for _ in range(2)]
        wait_until(lambda: waiting_on(lookups, "key") == 3)
        desk.release.release(2)
        assert first.result() == 1
        for one in joined:
            with pytest.raises(LookupError):
                one.result()
    assert lookups("key", lambda: "fine") == "fine"


def test_nothing_is_kept_when_nobody_waits():
    lookups = SharedLookups()
    lookups("key", lambda: 1)
    assert not lookups._lines


def settled(pairs, build, image_id, wanted="wanted"):
    other = pairs.settle(build, wanted, Image(id=image_id, chosen_by="test"), 600)
    return other and other.id


def of_operation(name, names, group=None):
    """A build whose operation can be asked for, and how often it was."""
    asked = []

    def siblings():
        asked.append(name)
        return names

    return PairedBuild(group, name, siblings), asked


def test_the_second_of_a_group_follows_the_first_and_the_third_decides_afresh():
    pairs = PairMemory(lambda: 0.0)
    assert [settled(pairs, PairedBuild("group"), image) for image in "abc"] == [None, "a", None]
    assert settled(pairs, PairedBuild("group"), "d") == "c"


def test_two_of_a_group_that_agree_are_a_pair_too():
    pairs = PairMemory(lambda: 0.0)
    assert [settled(pairs, PairedBuild("group"), image) for image in "aab"] == [None, None, None]


def test_builds_of_other_groups_or_for_something_else_decide_each_on_its_own():
    pairs = PairMemory(lambda: 0.0)
    assert settled(pairs, PairedBuild("group"), "a") is None
    assert settled(pairs, PairedBuild("other"), "b") is None
    assert settled(pairs, PairedBuild("group"), "b", "something else") is None


def test_a_decision_is_not_used_again_after_the_window():
    now = [0.0]
    pairs = PairMemory(lambda: now[0])
    settled(pairs, PairedBuild("group"), "a")
    now[0] = 600.0
    assert settled(pairs, PairedBuild("group"), "b") is None


def test_a_forgotten_decision_is_not_used_again():
    pairs, failed = PairMemory(lambda: 0.0), PairedBuild("group")
    settled(pairs, failed, "a")
    pairs.failed(failed)
    assert settled(pairs, PairedBuild("group"), "b") is None


def test_of_two_that_come_at_once_one_follows_the_other():
    pairs, together = PairMemory(lambda: 0.0), threading.Barrier(2)

    def settle(image):
        together.wait(10)
        return settled(pairs, PairedBuild("group"), image)

    with ThreadPoolExecutor(2) as pool:
        assert {None} < set(pool.map(settle, "ab")) < {None, "a", "b"}


def test_whose_operation_a_build_is_of_is_asked_only_where_another_image_was_chosen():
    pairs = PairMemory(lambda: 0.0)
    first, asked_first = of_operation("one", {"one", "two"})
    second, asked_second = of_operation("two", {"one", "two"})
    alike, asked_alike = of_operation("three", {"three"})
    assert [settled(pairs, build, "a") for build in (first, alike)] == [None, None]
    assert settled(pairs, second, "b") == "a"
    assert (asked_first, asked_alike, asked_second) == ([], [], ["two"])


def test_what_is_of_another_operation_decides_afresh_though_the_group_is_the_same():
    pairs = PairMemory(lambda: 0.0)
    settled(pairs, of_operation("one", {"one"}, "group")[0], "a")
    assert settled(pairs, of_operation("two", {"two"}, "group")[0], "b") is None


def test_where_the_operation_cannot_be_told_the_group_counts():
    pairs = PairMemory(lambda: 0.0)
    settled(pairs, of_operation("one", None, "group")[0], "a")
    settled(pairs, of_operation("other", None, None)[0], "a")
    assert settled(pairs, of_operation("two", None, "group")[0], "b") == "a"
    assert settled(pairs, of_operation("four", None, None)[0], "b") is None
    assert settled(pairs, of_operation("three", None, "group")[0], "c") is None


def test_a_group_whose_operations_could_not_be_told_decides_afresh_after_a_pair_that_agreed():
    pairs = PairMemory(lambda: 0.0)
    for name in ("one", "two"):
        settled(pairs, of_operation(name, None, "group")[0], "a")
    assert settled(pairs, of_operation("three", None, "group")[0], "b") is None


def test_where_the_first_fails_it_may_follow_the_second():
    pairs, first, second = PairMemory(lambda: 0.0), PairedBuild("group"), PairedBuild("group")
    settled(pairs, first, "a")
    assert settled(pairs, second, "b") == "a"
    pairs.follow(second, Image(id="a", chosen_by="test"))
    pairs.failed(first)
    assert settled(pairs, PairedBuild("group"), "b") == "a"


def test_what_fails_while_its_operation_is_asked_for_is_not_followed():
    pairs, first = PairMemory(lambda: 0.0), PairedBuild(None, "one", lambda: None)
    settled(pairs, first, "a")

    def siblings():
        pairs.failed(first)
        return {"one"}

    assert settled(pairs, PairedBuild(None, "two", siblings), "b") is None


def test_to_delete_a_server_that_has_no_id_forgets_nothing():
    pairs = PairMemory(lambda: 0.0)
    settled(pairs, PairedBuild("group"), "a")
    pairs.gone("")
    assert settled(pairs, PairedBuild("group"), "b") == "a"


def test_an_interrupted_leader_leaves_nobody_waiting():
    lookups, desk = SharedLookups(), Desk()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(lookups, "key", desk.answer)
        assert desk.arrived.acquire(timeout=10)
        line = lookups._lines["key"]

        class Interrupted:
            def __enter__(self):
                raise KeyboardInterrupt

            def __exit__(self, *_):
                pass

        line.sending, real = Interrupted(), line.sending
        with pytest.raises(KeyboardInterrupt):
            lookups("key", desk.answer)
        line.sending = real
        assert line.waiting is None
        after = pool.submit(lookups, "key", desk.answer)
        desk.release.release(2)
        assert (first.result(), after.result(timeout=10)) == (1, 2)
