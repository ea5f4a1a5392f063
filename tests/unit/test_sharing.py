# SPDX-License-Identifier: Apache-2.0
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from amphora_image.sharing import PairMemory, SharedLookups


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


def test_the_second_of_a_pair_gets_the_decision_of_the_first_and_the_third_decides_afresh():
    pairs, decisions = PairMemory(lambda: 0.0), iter("abc")
    assert pairs.first("group", 600, lambda: next(decisions)) == ("a", False)
    assert pairs.first("group", 600, lambda: next(decisions)) == ("a", True)
    assert pairs.first("group", 600, lambda: next(decisions)) == ("b", False)


def test_a_decision_is_not_reused_after_the_window():
    now = [0.0]
    pairs, decisions = PairMemory(lambda: now[0]), iter("abc")
    pairs.first("group", 600, lambda: next(decisions))
    now[0] = 600.0
    assert pairs.first("group", 600, lambda: next(decisions)) == ("b", False)


def test_a_forgotten_decision_is_not_reused():
    pairs, decisions = PairMemory(lambda: 0.0), iter("abc")
    pairs.first("group", 600, lambda: next(decisions))
    pairs.failed("group")
    assert pairs.first("group", 600, lambda: next(decisions)) == ("b", False)


def test_the_second_waits_while_the_first_decides():
    pairs, desk = PairMemory(lambda: 0.0), Desk()
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pairs.first, "group", 600, desk.answer)
        assert desk.arrived.acquire(timeout=10)
        second = pool.submit(pairs.first, "group", 600, desk.answer)
        wait_until(lambda: not pairs._open)
        desk.release.release()
        assert (first.result(), second.result()) == ((1, False), (1, True))


def test_where_the_first_could_not_decide_the_second_does():
    pairs, desk = PairMemory(lambda: 0.0), Desk()

    def fail():
        desk.answer()
        raise LookupError("ordered")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(pairs.first, "group", 600, fail)
        assert desk.arrived.acquire(timeout=10)
        second = pool.submit(pairs.first, "group", 600, lambda: "mine")
        wait_until(lambda: not pairs._open)
        desk.release.release()
        with pytest.raises(LookupError):
            first.result()
        assert second.result() == ("mine", False)


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
