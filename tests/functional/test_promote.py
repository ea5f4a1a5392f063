# SPDX-License-Identifier: Apache-2.0
"""Tags that move in the real Glance: by the commands, by promoters that die anywhere, and by two at once."""

from __future__ import annotations

import json
import os
import signal
import threading
import uuid

import pytest
from keystoneauth1.session import Session
from requests.adapters import HTTPAdapter
from support.proxy import Fault, proxying

from amphora_image.choice import Rules
from amphora_image.clients.glance_tags import GlanceTags
from amphora_image.clients.session import adapter
from amphora_image.config import load
from amphora_image.errors import AmphoraImageError, CannotBootError, EmptyTagError, NoFormerError, QuotaExceededError
from amphora_image.publish.history import observe
from amphora_image.publish.lock import promotion_lock
from amphora_image.publish.promote import Pace, Promoter
from amphora_image.publish.quarantine import quarantine
from amphora_image.publish.rollback import rollback

ACTIONS = {
    "promote": lambda promoter, image_id, tag: promoter.promote(image_id, tag),
    "rollback": lambda promoter, _, tag: rollback(promoter, tag),
    "quarantine": lambda promoter, image_id, _: quarantine(promoter, image_id, reason="bad"),
}
CHANGES = r"^(PUT|PATCH|DELETE) "


@pytest.fixture
def glance(cloud, tag):
    """Glance as stock Octavia and as its administrator see it; the images are let go of at the end."""
    made = Glance(cloud, tag)
    yield made
    made.release()


class Glance:
    def __init__(self, cloud, tag):
        self.cloud, self.tag = cloud, tag
        self.made = []

    def add(self, *tags, **fields):
        self.made.append(self.cloud.newer(f"v{len(self.made) + 1}", *tags, **fields))
        return self.made[-1]

    def stock(self, tag=None):
        """Ask as Octavia's own driver does, and give the ids, the one that it boots first."""
        query = {"tag": tag or self.tag, "sort": "created_at:desc", "status": "active", "owner": self.cloud.trusted}
        found = self.cloud.octavia.image.get("/v2/images", params=query).json()["images"]
        return [one["id"] for one in found]

    def record(self, image_id):
        return self.cloud.octavia.image.get(f"/v2/images/{image_id}").json()

    def store(self, session=None, url=None):
        conf = load([str(self.cloud.ini(**({"glance__endpoint": url} if url else {})))])
        return GlanceTags(adapter(session or self.cloud.octavia.session, conf.glance, "image"), deadline_seconds=20)

    def promoter(self, store=None, *, settle_seconds=0.05):
        pace = Pace(deadline_seconds=20, settle_seconds=settle_seconds)
        return Promoter(store or self.store(), rules=Rules(owner=self.cloud.trusted), by="op (u1)", pace=pace)

    def release(self):
        self.cloud.unprotect(*self.made)


@pytest.fixture
def told(cloud, command):
    """Run a command that gives JSON; ``home`` names whose locks it takes part in."""

    def call(*arguments, code=0, home=".", ini=None):
        environ = {"XDG_STATE_HOME": str(cloud.folder / home)}
        ended = command("--config-file", ini or cloud.ini(), *arguments, "-f", "json", environ=environ)
        assert ended.code == code, ended.stderr
        return json.loads(ended.holds_none_of(cloud.secrets).stdout or "null"), ended.stderr

    return call


def test_a_tag_moves_goes_back_and_leaves_a_bad_image_and_all_of_it_is_told(glance, told):
    old, new = glance.add(glance.tag), glance.add()

    done, _ = told("promote", f"glance://{new}", "--tag", glance.tag, "--reason", "new agent")
    assert (done["image_id"], done["former_id"], done["reason"], done["changed"]) == (new, old, "new agent", True)
    assert done["by"].startswith("octavia (")
    assert glance.stock() == [new]
    assert (glance.record(new)["protected"], glance.record(old)["protected"]) == (True, True)
    again, words = told("promote", new, "--tag", glance.tag)
    assert (again["changed"], words.startswith("nothing to do: ")) == (False, True)

    assert told("rollback", "--tag", glance.tag)[0]["image_id"] == old
    assert glance.stock() == [old]
    glance.promoter().promote(new, glance.tag)
    done, _ = told("quarantine", new, "--reason", "CVE-2026-1")
    assert ([one["image_id"] for one in done["moved"]], done["emptied"]) == ([old], [])
    assert (glance.stock(), glance.record(new)["tags"], glance.record(new)["os_hidden"]) == ([old], [], True)

    rows, _ = told("history", "--tag", glance.tag)
    assert [(row["number"], row["action"], row["from"], row["to"]) for row in rows] == [
        (4, "quarantine", new, old),
        (3, "promote", old, new),
        (2, "rollback", new, old),
        (1, "promote", old, new),
    ]
    assert rows[-1]["reason"] == "new agent"
    assert told("history", "--tag", "nobody-has-it") == ([], "no promotion to tag 'nobody-has-it' is known\n")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["promote", "amphora-2026.1", "--tag", "t"], 2, "give the id"),
        (["rollback", "--tag", "nobody-has-it"], 4, "none is known"),
    ],
)
def test_what_cannot_be_done_is_told_in_one_line(told, arguments, code, words):
    (line,) = told(*arguments, code=code)[1].splitlines()
    assert words in line


def test_what_may_not_be_booted_is_not_promoted(glance):
    """Faults: *promote of a deactivated, hidden, foreign or vanished image*."""
    holder = glance.add(glance.tag)
    deactivated, hidden, foreign = glance.add(), glance.add(), glance.add(by=glance.cloud.demo, visibility="private")
    glance.cloud.deactivate(deactivated)
    glance.cloud.hide(hidden)
    wrong = {
        deactivated: "deactivated, not active",
        hidden: "it is hidden",
        foreign: "its owner is project",
        glance.cloud.queued("v"): "queued, not active",
        str(uuid.uuid4()): "does not exist",
    }

    for image_id, reason in wrong.items():
        with pytest.raises(CannotBootError, match=reason):
            glance.promoter().promote(image_id, glance.tag)
    assert glance.stock() == [holder]


def test_a_full_quota_of_tags_or_properties_is_told_and_the_tag_stays(glance):
    """Faults: *tag and property quotas reached*."""
    holder = glance.add(glance.tag)
    full_of_tags = glance.add(*(f"t{number}" for number in range(128)))
    full_of_properties = glance.add(**{f"p{number}": "x" for number in range(128)})

    for image_id in (full_of_tags, full_of_properties):
        with pytest.raises(QuotaExceededError, match="limit has been exceeded"):
            glance.promoter().promote(image_id, glance.tag)
    assert glance.stock() == [holder]


class Deadly(HTTPAdapter):
    """Ends this process by SIGKILL once so many requests that change something have been answered."""

    left = 0

    def send(self, request, *args, **kwargs):
        answer = super().send(request, *args, **kwargs)
        if request.method != "GET":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return answer


def killed_after(changes, glance, act):
    """Run ``act`` with a promoter in a process of its own that dies after so many changes; tell whether it did."""
    glance.cloud.octavia.session.get_token()  # before the fork, so that the child sends no request for one
    child = os.fork()
    if child == 0:
        try:
            session = Session(auth=glance.cloud.octavia.session.auth)
            deadly = Deadly()
            deadly.left = changes
            session.session.mount("http://", deadly)
            act(glance.promoter(glance.store(session)))
            os._exit(0)
        except BaseException:  # noqa: BLE001 - whatever it is, no second pytest may go on here
            os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("name", ACTIONS)
def test_after_a_kill_at_each_boundary_the_same_command_again_finishes(glance, name):
    """The issue: *after a kill -9 at each request boundary … the next run of the same command ends with … one holder*.

    A boundary between two reads is that after the change before them.
    """
    first, second, third = glance.add(), glance.add(), glance.add()
    target = {"promote": third, "rollback": second, "quarantine": third}[name]
    held = {"promote": third, "rollback": first, "quarantine": second}[name]

    for changes in range(1, 12):
        tag = f"{glance.tag}-{changes}"
        if name == "quarantine" and changes > 1:
            third = target = glance.add()
        for image_id in (first, second, third)[: {"promote": 2, "rollback": 2, "quarantine": 3}[name]]:
            glance.promoter(settle_seconds=0).promote(image_id, tag)

        def act(promoter, image_id=target, tag=tag):
            ACTIONS[name](promoter, image_id, tag)

        died = killed_after(changes, glance, act)
        assert glance.stock(tag), f"no holder after {changes} changes"
        act(glance.promoter())
        assert glance.stock(tag) == [held], f"after {changes} changes"
        assert glance.record(held)["protected"]
        if not died:
            break
    assert not died
    assert changes > 3


def test_glance_goes_away_at_each_change_and_comes_back(glance):
    """Faults: *Glance restarted in the middle*: a change is done and its answer lost, then nobody answers for a while."""
    holder = glance.add(glance.tag)
    endpoint = glance.cloud.octavia.session.get_endpoint(service_type="image", interface="public")
    with proxying(endpoint) as proxy:
        for _ in range(3):
            new = glance.add()
            proxy.calm()
            gone = [Fault(CHANGES, status=0, forward=True), Fault("^GET", status=503), Fault("^GET", status=0)]
            proxy.order(*gone, Fault(CHANGES, status=0), Fault(CHANGES, status=0, forward=True))
            done = glance.promoter(glance.store(url=proxy.url)).promote(new, glance.tag)
            assert (done.former_id, glance.stock()) == (holder, [new])
            holder = new


def test_two_promoters_without_a_common_lock_leave_one_holder_and_the_overtaken_one_ends_with_3(glance, told):
    """Faults: *two promoters at once*."""
    glance.add(glance.tag)
    mine, theirs = glance.add(), glance.add()
    endpoint = glance.cloud.octavia.session.get_endpoint(service_type="image", interface="public")
    with proxying(endpoint) as proxy:
        ini = glance.cloud.ini(glance__endpoint=proxy.url)

        def overtake():
            told("promote", theirs, "--tag", glance.tag, home="theirs")

        proxy.order(Fault(f"^PUT .*{mine}/tags", status=None, forward=True, then=overtake))
        _, words = told("promote", mine, "--tag", glance.tag, home="mine", ini=ini, code=3)
    assert f"was overtaken by that of image {theirs} by octavia" in words
    assert glance.stock() == [theirs]


def test_two_promoters_who_share_a_coordinator_come_one_after_the_other(glance, told, tmp_path):
    """Faults: *two promoters at once*."""
    glance.add(glance.tag)
    ids, outcomes = [glance.add(), glance.add()], []

    def promote(image_id):
        ini = glance.cloud.ini(amphora_image__promotion_lock_url=f"file://{tmp_path}/locks")
        outcomes.append(told("promote", image_id, "--tag", glance.tag, ini=ini, home=image_id)[0]["image_id"])

    both = [threading.Thread(target=promote, args=[one]) for one in ids]
    for one in both:
        one.start()
    for one in both:
        one.join(120)

    *_, first, second = observe(glance.store(), glance.tag, glance.cloud.trusted).entries
    assert sorted(outcomes) == sorted(ids)
    assert (glance.stock(), second.former) == ([second.to], first.to)


def test_a_lock_that_is_held_is_told_as_something_to_try_again(glance, told, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(glance.cloud.folder / "home"))
    ini = glance.cloud.ini(amphora_image__promotion_lock_wait_seconds="0")
    with promotion_lock("", wait_seconds=0):
        _, words = told("promote", glance.add(), "--tag", glance.tag, ini=ini, home="home", code=6)
    assert "another promotion holds the lock" in words


def test_a_coordinator_that_nobody_has_is_told_with_the_option(glance, told):
    ini = glance.cloud.ini(amphora_image__promotion_lock_url="nonsense://x")

    _, words = told("promote", glance.add(), "--tag", glance.tag, ini=ini, code=2)
    assert words.count("\n") == 1
    assert "set [amphora_image] promotion_lock_url" in words


def test_stock_octavia_finds_an_image_at_every_moment(glance):
    images = [glance.add(glance.tag), glance.add(), glance.add()]
    empty, over = [], threading.Event()

    def watch():
        while not over.is_set():
            if not glance.stock():
                empty.append(1)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        promoter = glance.promoter()
        promoter.promote(images[1], glance.tag)
        promoter.promote(images[2], glance.tag)
        rollback(promoter, glance.tag)
        quarantine(promoter, images[1], reason="bad")
    finally:
        over.set()
        watching.join(60)
    assert (empty, glance.stock()) == ([], [images[0]])


def test_rollback_and_quarantine_say_what_is_missing(glance):
    old, new = glance.add(), glance.add()
    promoter = glance.promoter()
    promoter.promote(old, glance.tag)
    promoter.promote(new, glance.tag)
    glance.cloud.deactivate(old)

    with pytest.raises(NoFormerError, match="its status is deactivated"):
        rollback(promoter, glance.tag)
    with pytest.raises(EmptyTagError, match="leave-empty") as caught:
        quarantine(promoter, new, reason="bad")
    assert isinstance(caught.value, AmphoraImageError)
    assert glance.stock() == [new]
