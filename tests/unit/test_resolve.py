# SPDX-License-Identifier: Apache-2.0
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from fakes.glance import FakeImages

from amphora_image.config.policy import Policy, Wanted
from amphora_image.errors import NoImageError, NoOwnerError, PinAlgorithmError, ServiceUnavailableError
from amphora_image.reference import IdReference, Pin, TagReference
from amphora_image.resolve import Resolver
from amphora_image.sharing import PairedBuild

WANTED = Wanted(TagReference("amphora"), "the build's argument")
POLICY = Policy()


@pytest.fixture
def images():
    return FakeImages()


@pytest.fixture
def resolver(images):
    return Resolver(images, lambda: "ours", clock=lambda: 0.0)


def test_one_request_finds_the_newest_and_says_what_it_was_chosen_by(images, resolver):
    images.add("v1", "amphora")
    newest = images.add("v2", "amphora", minutes=1)
    image = resolver.resolve(WANTED, POLICY)
    assert (image.id, image.name) == (newest.id, "v2")
    assert image.chosen_by == "tag 'amphora' (the build's argument)"
    assert images.requests == ["list amphora"]


def test_the_owner_is_the_services_project_where_none_is_configured(images, resolver):
    ours = images.add("ours", "amphora")
    images.add("theirs", "amphora", minutes=1, owner="theirs")
    assert resolver.resolve(WANTED, POLICY).id == ours.id


@pytest.mark.parametrize(
    ("reference_owner", "build_owner", "option_owner", "trust_any", "winner"),
    [
        ("a", "b", "c", True, "a"),
        (None, "b", "c", True, "b"),
        (None, None, "c", True, "c"),
        (None, None, "", True, "newest"),
        (None, None, "", False, "ours"),
        (None, "", "", False, "ours"),
    ],
)
def test_the_nearest_owner_counts(images, resolver, reference_owner, build_owner, option_owner, trust_any, winner):
    for minutes, owner in enumerate(["ours", "a", "b", "c", "newest"]):
        images.add(owner, "amphora", minutes=minutes, owner=owner)
    wanted = Wanted(TagReference("amphora", reference_owner), "test")
    policy = Policy(owner=option_owner, trust_any_owner=trust_any)
    assert resolver.resolve(wanted, policy, owner=build_owner).name == winner


def test_without_project_and_owner_nothing_is_looked_up(images):
    with pytest.raises(NoOwnerError):
        Resolver(images, lambda: None).resolve(WANTED, POLICY)
    assert not images.requests


def test_denied_images_are_passed_over_page_after_page():
    images = FakeImages(page_images=1)
    good = images.add("good", "amphora")
    denied = [images.add("denied", "amphora", minutes=minutes).id for minutes in (1, 2)]
    image = Resolver(images, lambda: "ours").resolve(WANTED, Policy(denied_image_ids=frozenset(denied)))
    assert image.id == good.id
    assert images.requests == ["list amphora"] * 3


def test_when_none_may_be_booted_the_error_says_why_of_each(images, resolver):
    images.add("half", "amphora", status="queued")
    images.add("foreign", "amphora", owner="theirs", visibility="public")
    with pytest.raises(NoImageError) as caught:
        resolver.resolve(WANTED, POLICY)
    assert "(half): its status is queued, not active" in str(caught.value)
    assert "(foreign): its owner is project theirs (public), not the trusted ours" in str(caught.value)


def test_an_image_that_was_tagged_between_look_up_and_explanation_is_booted(images, resolver):
    late = images.add("late", "amphora")
    images.bootable = lambda _tag, _owner: iter([[]])
    assert resolver.resolve(WANTED, POLICY).id == late.id


def test_the_deprecated_id_is_the_fallback_and_each_use_is_warned_of(images, resolver, caplog):
    spare = images.add("spare")
    images.add("half", "amphora", status="queued")
    policy = Policy(deprecated_id=spare.id)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            image = resolver.resolve(WANTED, policy)
    assert image.id == spare.id
    assert image.chosen_by == ("[controller_worker] amp_image_id, as fallback for tag 'amphora' (the build's argument)")
    assert len(caplog.records) == 2
    assert "(half): its status is queued, not active" in caplog.text


def test_the_fallback_passes_the_same_rules(images, resolver):
    foreign = images.add("foreign", owner="theirs")
    with pytest.raises(NoImageError, match=r"\(foreign\): its owner is project theirs"):
        resolver.resolve(WANTED, Policy(deprecated_id=foreign.id))


def test_a_fallback_that_does_not_exist_is_told(images, resolver):
    missing = "00000000-0000-4000-8000-000000000000"
    with pytest.raises(NoImageError, match=f"image id {missing} .*: it does not exist"):
        resolver.resolve(WANTED, Policy(deprecated_id=missing))
    assert images.requests[-1] == f"get {missing}"


def test_after_a_failed_look_up_there_is_no_fallback(images, resolver):
    spare = images.add("spare")
    images.faults.append(ServiceUnavailableError("Glance", "503"))
    with pytest.raises(ServiceUnavailableError):
        resolver.resolve(WANTED, Policy(deprecated_id=spare.id))
    assert images.requests == ["list amphora"]


def test_an_id_is_looked_up_once_and_passes_the_rules(images, resolver):
    image = images.add("one")
    wanted = Wanted(IdReference(image.id), "image_ref")
    assert resolver.resolve(wanted, POLICY).id == image.id
    images.change(image.id, status="deactivated")
    images.requests.clear()
    with pytest.raises(NoImageError, match="deactivated"):
        resolver.resolve(wanted, POLICY)
    assert images.requests == [f"get {image.id}"]


def test_both_of_a_pair_get_one_image_though_the_tag_moves(images, resolver):
    first = images.add("v1", "amphora")
    one = resolver.resolve(WANTED, POLICY, build=PairedBuild("group"))
    second = images.add("v2", "amphora", minutes=1)
    other = resolver.resolve(WANTED, POLICY, build=PairedBuild("group"))
    assert one.id == other.id == first.id
    assert other.chosen_by.endswith(", as the other of its pair")
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == second.id


@pytest.mark.parametrize("change", [{"status": "deactivated"}, {"hidden": True}, {"owner": "theirs"}, None])
def test_the_other_of_a_pair_decides_itself_when_the_image_may_no_longer_be_booted(images, resolver, caplog, change):
    first = images.add("v1", "amphora")
    resolver.resolve(WANTED, POLICY, build=PairedBuild("group"))
    second = images.add("v2", "amphora", minutes=1)
    if change is None:
        del images.candidates[first.id]
    else:
        images.change(first.id, **change)
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == second.id
    assert "is not used again" in caplog.text


def test_a_pair_window_of_zero_resolves_each_on_its_own(images, resolver):
    policy = Policy(pair_window_seconds=0)
    images.add("v1", "amphora")
    resolver.resolve(WANTED, policy, build=PairedBuild("group"))
    second = images.add("v2", "amphora", minutes=1)
    assert resolver.resolve(WANTED, policy, build=PairedBuild("group")).id == second.id


def test_after_a_failed_boot_the_pair_decides_afresh(images, resolver):
    images.add("v1", "amphora")
    failed = PairedBuild("group")
    resolver.resolve(WANTED, POLICY, build=failed)
    resolver.boot_failed(failed)
    second = images.add("v2", "amphora", minutes=1)
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == second.id


def test_fifty_builds_at_once_share_look_ups_and_see_a_tag_that_moved(images, resolver):
    old = images.add("v1", "amphora")
    images.answering.clear()
    with ThreadPoolExecutor(50) as pool:
        builds = [pool.submit(lambda: resolver.resolve(WANTED, POLICY).id) for _ in range(50)]
        while sum(line.users for line in resolver._lookups._lines.values()) < 50:
            threading.Event().wait(0.005)
        late = images.add("v2", "amphora", minutes=1)
        images.answering.set()
        booted = [one.result() for one in builds]
    assert len(images.requests) == 2
    assert booted.count(late.id) == 49
    assert booted.count(old.id) == 1


def test_builds_with_other_rules_do_not_share_a_choice(images, resolver):
    image = images.add("v1", "amphora")
    assert resolver.resolve(WANTED, POLICY).id == image.id
    with pytest.raises(NoImageError):
        resolver.resolve(WANTED, replace(POLICY, denied_image_ids=frozenset({image.id})))


def test_an_explanation_judges_all_and_raises_nothing(images, resolver):
    images.add("foreign", "amphora", owner="theirs")
    choice = resolver.explain(WANTED, POLICY)
    assert choice.winner is None
    assert [one.candidate.name for one in choice.verdicts] == ["foreign"]
    missing = Wanted(IdReference("00000000-0000-4000-8000-000000000000"), "test")
    assert resolver.explain(missing, POLICY).verdicts == ()


def test_after_a_failed_boot_of_the_other_its_retry_still_gets_the_image_of_the_first(images, resolver):
    first = images.add("v1", "amphora")
    resolver.resolve(WANTED, POLICY, build=PairedBuild("group"))
    resolver.resolve(WANTED, POLICY, build=(failed := PairedBuild("group")))
    images.add("v2", "amphora", minutes=1)
    resolver.boot_failed(failed)
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == first.id


def test_the_image_of_a_server_that_existed_before_decides_nothing(images, resolver):
    images.add("v1", "amphora")
    resolver.resolve(WANTED, POLICY, build=(existed := PairedBuild("group")))
    resolver.booted(existed, "server-1")
    resolver.deleted("server-1")
    second = images.add("v2", "amphora", minutes=1)
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == second.id


def test_deleting_the_servers_of_an_earlier_pair_leaves_a_failovers_decision_alone(images, resolver):
    for number in (1, 2):
        images.add("v1", "amphora")
        resolver.resolve(WANTED, POLICY, build=(old := PairedBuild("group")))
        resolver.booted(old, f"old-{number}")
    chosen = images.add("v2", "amphora", minutes=1)
    new = PairedBuild("group")
    assert resolver.resolve(WANTED, POLICY, build=new).id == chosen.id
    resolver.booted(new, "new-1")
    resolver.deleted("old-1")
    images.add("v3", "amphora", minutes=2)
    assert resolver.resolve(WANTED, POLICY, build=PairedBuild("group")).id == chosen.id


PIN = Pin("sha512", "ab" * 64)


@pytest.mark.parametrize("kept", [PIN.digest, PIN.digest.upper()])
def test_the_image_that_a_reference_is_pinned_to_is_chosen(images, resolver, kept):
    image = images.add("v1", "amphora")
    images.change(image.id, hash_algo="sha512", hash_value=kept)
    assert resolver.resolve(Wanted(TagReference("amphora", pin=PIN), "test"), POLICY).id == image.id
    assert resolver.resolve(Wanted(IdReference(image.id, pin=PIN), "test"), POLICY).id == image.id


def test_another_image_than_the_pinned_is_not_booted_and_has_no_fallback(images, resolver):
    image, spare = images.add("v1", "amphora"), images.add("spare")
    images.change(image.id, hash_algo="sha512", hash_value="cd" * 64)
    with pytest.raises(NoImageError, match=rf"{image.id} \(v1\): its sha512 is cdcd.*, not the pinned abab"):
        resolver.resolve(Wanted(TagReference("amphora", pin=PIN), "test"), Policy(deprecated_id=spare.id))


@pytest.mark.parametrize(
    ("algorithm", "kept", "told"),
    [("sha256", "12", "pin it with #sha256=DIGEST"), ("sha512", None, "Glance keeps no digest of it; remove the pin")],
)
def test_a_pin_by_another_digest_than_glances_is_an_error_that_names_the_right_one(
    images, resolver, algorithm, kept, told
):
    image = images.add("v1", "amphora")
    images.change(image.id, hash_algo=algorithm, hash_value=kept)
    with pytest.raises(PinAlgorithmError, match=told):
        resolver.resolve(Wanted(TagReference("amphora", pin=PIN), "test"), POLICY)
