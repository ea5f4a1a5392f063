# SPDX-License-Identifier: Apache-2.0
"""Which image is chosen, on a real Glance."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import pytest
from support.cloud import until
from support.wire import Wire

from amphora_image.config.policy import Wanted
from amphora_image.errors import (
    ConfigurationError,
    InvalidReferenceError,
    NoImageError,
    NothingWantedError,
    ServiceUnavailableError,
)
from amphora_image.reference import IdReference, Reference, TagReference

LONGEST = 255
TAGS = {
    "a space inside": "{} b",
    "outer spaces": " {} ",
    "only outer space behind": "{} ",
    "unicode": "{} ünï ☃ 負荷",
    "a number sign": "{}#b",
    "a question mark": "{}?owner=b",
    "a per cent sign": "{}%",
    "what looks percent-encoded": "{}%2Fb",
    "single and double quotes": "{}'b\"c",
    "a slash": "{}/b",
    "an ampersand and a plus": "{}&b=+c",
    "a colon, as a URL has": "http://{}",
    "255 characters": "{:x<255}",
    "255 characters outside ASCII": "{:☃<255}",
}
#: Nothing listens there: port 9 (discard) is reserved, and so in no range that the sandbox takes ports from.
NOWHERE = "http://127.0.0.1:9"


def wanted(tag, owner=None):
    return Wanted(TagReference(tag, owner), "the test")


def resolve(runtime, tag, **kwargs):
    return runtime.resolver.resolve(wanted(tag), runtime.policy, **kwargs)


def reasons(runtime, tag):
    """Give, by image id, why each candidate was not chosen; empty for the winner."""
    return {
        verdict.candidate.id: verdict.reason
        for verdict in runtime.resolver.explain(wanted(tag), runtime.policy).verdicts
    }


# Tags as people write them


@pytest.mark.parametrize("pattern", TAGS.values(), ids=TAGS)
def test_a_tag_of_any_form_resolves_to_the_image_that_carries_it_to_the_letter(cloud, open_runtime, tag, pattern):
    """Tags with spaces, unicode, `#`, `?`, `%`, quotes, a slash, 255 characters resolve right (real Glance)."""
    odd, runtime = pattern.format(tag), open_runtime()
    image_id = cloud.upload("odd", odd)
    cloud.upload("the same but for outer spaces" if odd != odd.strip() else "other", odd.strip()[:-1])

    image = resolve(runtime, odd)

    assert (image.id, image.tags) == (image_id, (odd,))
    text = str(TagReference(odd))
    assert runtime.resolver.resolve(Wanted(Reference.parse(text), text), runtime.policy).id == image_id
    assert reasons(runtime, odd) == {image_id: ""}


@pytest.mark.parametrize(
    ("refused", "reason"),
    [("", "empty"), ("x" * (LONGEST + 1), "at most 255 characters"), ("a\0b", "NUL"), ("\U0001f40d", "U\\+FFFF")],
    ids=["empty", "longer", "NUL", "four bytes"],
)
def test_a_tag_that_glance_cannot_have_is_refused_before_any_request(open_runtime, refused, reason):
    """An empty or longer one is refused before any request."""
    runtime = open_runtime(glance__endpoint=NOWHERE, service_auth__auth_url=NOWHERE)
    wire = Wire.under(runtime.session)

    with pytest.raises(InvalidReferenceError, match=reason):
        resolve(runtime, refused)
    with pytest.raises(InvalidReferenceError):
        Reference.parse(f"glance://tag/{quote(refused, safe='')}")
    assert wire.sent == []


def test_a_tag_too_long_in_the_ini_is_refused_before_any_request(open_runtime):
    """An empty or longer one is refused before any request."""
    runtime = open_runtime(controller_worker__amp_image_tag="x" * (LONGEST + 1), service_auth__auth_url=NOWHERE)
    wire = Wire.under(runtime.session)

    with pytest.raises(InvalidReferenceError):
        runtime.policy.wanted()
    assert wire.sent == []


# Which image of those on a tag


def test_a_tag_on_nothing_is_an_error_that_says_what_to_do(open_runtime, tag):
    """Bad input, faults: tag on nothing."""
    with pytest.raises(NoImageError) as caught:
        resolve(open_runtime(), tag)

    assert caught.value.rejected == ()
    assert f"tag '{tag}'" in str(caught.value)
    assert "there is none" in str(caught.value)
    assert str(caught.value).endswith("or name its id")


def test_of_ten_images_on_a_tag_the_newest_wins_in_one_request(cloud, open_runtime, tag):
    """Bad input, faults: tag on ten images."""
    for number in range(9):
        cloud.upload(f"v{number}", tag)
    newest = cloud.newer("v9", tag)
    runtime = open_runtime(controller_worker__amp_image_owner_id=cloud.trusted)
    wire = Wire.under(runtime.session)

    image = resolve(runtime, tag)

    assert (image.id, image.name, image.owner, image.size) == (newest, "v9", cloud.trusted, 1024)
    assert (image.hash_algo, len(image.hash_value), image.disk_format) == ("sha512", 128, "raw")
    assert wire.count("GET", "/v2/images") == 1
    told = reasons(runtime, tag)
    assert len(told) == 10
    assert [each for each, reason in told.items() if not reason] == [newest]
    assert sum(reason == f"older than {newest}" for reason in told.values()) == 9


@pytest.mark.parametrize("state", ["queued", "deactivated", "hidden", "deleted"])
def test_a_tag_on_an_image_that_cannot_be_booted_is_an_error_that_says_why(cloud, open_runtime, tag, state):
    """Bad input, faults: tag on a queued, deactivated, hidden or deleted one."""
    image_id = cloud.queued("unfit", tag) if state == "queued" else cloud.upload("unfit", tag)
    expected = {"queued": "its status is queued", "deactivated": "its status is deactivated", "hidden": "it is hidden"}
    if state == "deactivated":
        cloud.deactivate(image_id)
    if state == "hidden":
        cloud.hide(image_id)
    if state == "deleted":
        cloud.octavia.image.delete(f"/v2/images/{image_id}").raise_for_status()
    runtime = open_runtime()

    with pytest.raises(NoImageError) as caught:
        resolve(runtime, tag)

    if state == "deleted":
        assert caught.value.rejected == ()
    else:
        assert [each.startswith(f"{image_id} (unfit): {expected[state]}") for each in caught.value.rejected] == [True]
        assert reasons(runtime, tag)[image_id].startswith(expected[state])


@pytest.mark.parametrize("state", ["queued", "deactivated", "hidden"])
def test_a_newer_image_that_cannot_be_booted_does_not_hide_an_older_one_that_can(cloud, open_runtime, tag, state):
    good = cloud.upload("v1", tag)
    bad = cloud.queued("v2", tag) if state == "queued" else cloud.upload("v2", tag)
    if state != "queued":
        getattr(cloud, {"deactivated": "deactivate", "hidden": "hide"}[state])(bad)

    assert resolve(open_runtime(), tag).id == good


# Strangers


@pytest.mark.parametrize("visibility", ["private", "shared", "public", "community"])
def test_a_strangers_image_is_never_chosen_by_default_and_the_explanation_says_whose_it_is(
    cloud, open_runtime, tag, visibility
):
    """Bad input, faults: a stranger's private, accepted-shared and public image; CVE-2019-3895."""
    ours = cloud.upload("v1", tag)
    foreign = strangers_image(cloud, tag, visibility)
    runtime = open_runtime()

    assert resolve(runtime, tag).id == ours
    told = reasons(runtime, tag)
    assert told[ours] == ""
    assert told[foreign] == f"its owner is project {cloud.foreign} ({visibility}), not the trusted {cloud.trusted}"

    cloud.untag(ours, tag)
    with pytest.raises(NoImageError) as caught:
        resolve(runtime, tag)
    assert f"{foreign} (evil): its owner is project {cloud.foreign}" in str(caught.value)


@pytest.mark.parametrize("visibility", ["private", "shared", "public"])
def test_a_strangers_image_is_chosen_where_every_owner_is_trusted(cloud, open_runtime, tag, visibility):
    foreign = strangers_image(cloud, tag, visibility)

    image = resolve(open_runtime(amphora_image__trust_any_owner="true"), tag)

    assert (image.id, image.owner) == (foreign, cloud.foreign)


def test_a_strangers_private_image_is_not_even_seen_by_a_service_that_is_no_admin(cloud, open_runtime, tag):
    cloud.upload("v1", tag)
    runtime = open_runtime("demo", amphora_image__trust_any_owner="true")

    with pytest.raises(NoImageError, match="there is none"):
        resolve(runtime, tag)


@pytest.mark.parametrize("place", ["reference", "option", "argument"])
def test_another_owner_is_trusted_where_he_is_named(cloud, open_runtime, tag, place):
    """`glance://tag/X?owner=…`, `amp_image_owner_id`, and the build's own argument."""
    foreign = cloud.upload("v1", tag, by=cloud.demo)
    cloud.newer("v2", tag)
    runtime = open_runtime(controller_worker__amp_image_owner_id=cloud.foreign if place == "option" else "")
    reference = Reference.parse(
        f"glance://tag/{tag}?owner={cloud.foreign}" if place == "reference" else f"glance://tag/{tag}"
    )

    image = runtime.resolver.resolve(
        Wanted(reference, "the test"), runtime.policy, owner=cloud.foreign if place == "argument" else None
    )

    assert image.id == foreign


def strangers_image(cloud, tag, visibility):
    if visibility == "public":  # who may not publish asks an admin to
        image_id = cloud.upload("evil", tag, by=cloud.demo)
        patch = [{"op": "replace", "path": "/visibility", "value": "public"}]
        headers = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
        cloud.admin.image.patch(f"/v2/images/{image_id}", json=patch, headers=headers).raise_for_status()
        return image_id
    image_id = cloud.upload("evil", tag, by=cloud.demo, visibility=visibility)
    if visibility == "shared":
        cloud.share(image_id, by=cloud.demo, to=cloud.octavia)
    return image_id


# What is wanted


def test_the_first_option_that_is_set_counts(cloud, open_runtime, tag):
    ids = {name: cloud.upload(name, f"{tag}-{name}") for name in ("argument", "tag", "zone", "ref", "id")}
    options = {
        "controller_worker__amp_image_tag": f"{tag}-tag",
        "amphora_image__zone_image_tags": f"z:{tag}-zone",
        "amphora_image__image_ref": f"glance://tag/{tag}-ref",
        "controller_worker__amp_image_id": ids["id"],
    }
    chosen = []
    for left_out in [None, *options]:
        if left_out:
            options[left_out] = ""
        runtime = open_runtime(**options)
        for argument in ("", f"{tag}-argument"):
            try:
                asked = runtime.policy.wanted(image_tag=argument, zone="z")
            except NothingWantedError as error:
                chosen.append(str(error))
            else:
                image = runtime.resolver.resolve(asked, runtime.policy)
                chosen.append(image.name)
                assert image.id == ids[image.name]

    assert chosen[:8] == ["tag", "argument", "zone", "argument", "ref", "argument", "id", "argument"]
    assert "set [controller_worker] amp_image_tag" in chosen[8]


def test_the_tag_of_a_zone_is_not_used_in_another(open_runtime, tag):
    runtime = open_runtime(controller_worker__amp_image_tag="", amphora_image__zone_image_tags=f"z:{tag}")

    assert runtime.policy.wanted(zone="z").reference == TagReference(tag)
    with pytest.raises(NothingWantedError):
        runtime.policy.wanted(zone="y")


@pytest.mark.parametrize("form", ["{}", "glance://{}"])
def test_image_ref_may_name_an_image_by_its_id(cloud, open_runtime, tag, form):
    image_id = cloud.upload("v1", tag)
    runtime = open_runtime(controller_worker__amp_image_tag="", amphora_image__image_ref=form.format(image_id))

    image = runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy)

    assert (image.id, image.chosen_by) == (image_id, f"image id {image_id} ([amphora_image] image_ref)")


def test_a_bare_word_in_the_ini_is_an_error_that_suggests_the_right_form(open_runtime):
    with pytest.raises(ConfigurationError) as caught:
        open_runtime(controller_worker__amp_image_tag="", amphora_image__image_ref="my amphora")
    assert str(caught.value).endswith("write glance://tag/my%20amphora for a tag")


def test_a_denied_image_is_not_chosen_by_tag_nor_by_id(cloud, open_runtime, tag):
    older = cloud.upload("v1", tag)
    denied = cloud.newer("v2", tag)
    runtime = open_runtime(amphora_image__denied_image_ids=f"{denied},6b3c2a1e-0000-0000-0000-000000000000")

    assert resolve(runtime, tag).id == older
    assert reasons(runtime, tag)[denied] == "it is listed in [amphora_image] denied_image_ids"
    with pytest.raises(NoImageError, match="denied_image_ids"):
        runtime.resolver.resolve(Wanted(IdReference(denied), "the test"), runtime.policy)


# The deprecated id


def test_the_deprecated_id_counts_alone_without_a_warning_of_a_fallback(cloud, open_runtime, tag, warnings_told):
    image_id = cloud.upload("v1", tag)
    runtime = open_runtime(controller_worker__amp_image_tag="", controller_worker__amp_image_id=image_id)

    image = runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy)

    assert (image.id, image.chosen_by) == (image_id, f"image id {image_id} ([controller_worker] amp_image_id)")
    assert warnings_told() == []


def test_the_deprecated_id_is_the_fallback_with_a_warning_each_time_that_lists_the_rejected(
    cloud, open_runtime, tag, warnings_told
):
    spare = cloud.upload("spare")
    rejected = [cloud.queued("queued", tag), cloud.upload("evil", tag, by=cloud.demo)]
    runtime = open_runtime(controller_worker__amp_image_tag=tag, controller_worker__amp_image_id=spare)

    for _ in range(2):
        image = runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy)
        assert image.id == spare
        assert "as fallback for" in image.chosen_by

    assert len(warnings_told()) == 2
    for told in warnings_told():
        assert all(each in told for each in rejected)
        assert f"Falling back to the deprecated image id {spare}" in told


def test_the_deprecated_id_is_not_the_fallback_where_the_tag_has_an_image(cloud, open_runtime, tag, warnings_told):
    spare, tagged = cloud.upload("spare"), cloud.upload("v1", tag)
    runtime = open_runtime(controller_worker__amp_image_tag=tag, controller_worker__amp_image_id=spare)

    assert runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy).id == tagged
    assert warnings_told() == []


def test_the_deprecated_id_is_never_used_after_a_look_up_that_failed(cloud, open_runtime, tag, warnings_told):
    spare = cloud.upload("spare")
    runtime = open_runtime(
        controller_worker__amp_image_tag=tag,
        controller_worker__amp_image_id=spare,
        glance__endpoint=NOWHERE,
        amphora_image__retry_deadline_seconds="1",
    )

    with pytest.raises(ServiceUnavailableError, match="Glance gave no usable answer"):
        runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy)
    assert warnings_told() == []


@pytest.mark.parametrize("state", ["foreign", "hidden", "deactivated", "denied", "absent"])
def test_the_deprecated_id_passes_the_same_rules_itself(cloud, open_runtime, tag, state):
    unfit = cloud.upload("unfit", by=cloud.demo if state == "foreign" else None)
    if state in {"hidden", "deactivated"}:
        getattr(cloud, {"deactivated": "deactivate", "hidden": "hide"}[state])(unfit)
    if state == "absent":
        cloud.octavia.image.delete(f"/v2/images/{unfit}").raise_for_status()
    runtime = open_runtime(
        controller_worker__amp_image_tag=tag,
        controller_worker__amp_image_id=unfit,
        amphora_image__denied_image_ids=unfit if state == "denied" else "",
    )

    with pytest.raises(NoImageError, match=unfit):
        runtime.resolver.resolve(runtime.policy.wanted(), runtime.policy)


# Freshness


def test_fifty_resolves_at_once_share_at_most_five_look_ups(cloud, open_runtime, tag):
    """Concurrent builds share look-ups by DESIGN's rule."""
    image_id, runtime = cloud.upload("v1", tag), open_runtime()
    resolve(runtime, tag)
    wire, together = Wire.under(runtime.session), threading.Barrier(50)

    def one(_):
        together.wait(20)
        return resolve(runtime, tag).id

    with ThreadPoolExecutor(50) as pool:
        assert set(pool.map(one, range(50))) == {image_id}
    assert 1 <= wire.count("GET", "/v2/images") <= 5


def test_no_resolve_uses_an_answer_that_was_asked_for_before_it_began(cloud, open_runtime, tag):
    """Builds join a look-up that has not yet been sent; no build uses an answer that was asked for before it began."""
    v1, runtime = cloud.upload("v1", tag), open_runtime()
    resolve(runtime, tag)
    wire = Wire.under(runtime.session)
    wire.passing.clear()

    with ThreadPoolExecutor(10) as pool:
        try:
            early = pool.submit(resolve, runtime, tag)
            until(lambda: wire.held == 1, seconds=20, what="an answer that is under way")
            v2 = cloud.newer("v2", tag)
            late = [pool.submit(resolve, runtime, tag) for _ in range(9)]
            (line,) = runtime.resolver._lookups._lines.values()
            until(lambda: line.users == 10, seconds=20, what="ten resolves that wait")
        finally:
            wire.passing.set()

        assert early.result().id == v1
        assert {each.result().id for each in late} == {v2}
    assert wire.count("GET", "/v2/images") == 2
