# SPDX-License-Identifier: Apache-2.0
"""Load balancers by Octavia's API, with our compute driver: which image their amphorae boot, from creation to deletion.

One sandbox is started twice: with the tag and anti-affinity, and without either, where ``[amphora_image]`` counts.
"""

from __future__ import annotations

import configparser

import pytest
from support.balancers import (
    AMPHORAE,
    LOAD_BALANCERS,
    amphorae,
    balancing,
    begin,
    flavor_of,
    hup,
    load_balancer,
    logged,
    made,
    nothing_is_left,
    roots,
    things,
    unmake,
    zone_of,
)
from support.cloud import Cloud, Users, until
from support.proxy import Fault, proxying

from amphora_image.sandbox import Sandbox

TAG, ZONE_TAG, OTHER_TAG = "amphora", "amphora-zone", "amphora-other"
LOOK_UP = r"^GET /v2/images\?"
WITH, WITHOUT = "anti-affinity", "no anti-affinity"
#: What Octavia's local.conf says, by the name of the start.
OPTIONS = {
    WITH: {"controller_worker": {"amp_image_tag": TAG}, "nova": {"enable_anti_affinity": "true"}},
    WITHOUT: {
        "controller_worker": {"amp_image_tag": ""},
        "nova": {"enable_anti_affinity": "false"},
        "amphora_image": {"image_ref": f"glance://tag/{TAG}", "zone_image_tags": f"nova:{ZONE_TAG}"},
    },
}


@pytest.fixture(scope="module")
def glance():
    """A proxy before Glance, whose own port is known once the sandbox is up."""
    with proxying("http://127.0.0.1:0") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    sandbox = Sandbox(tmp_path_factory.mktemp("end-to-end") / "sandbox")
    yield sandbox
    sandbox.down(remove=True)


@pytest.fixture(scope="module", params=[WITH, WITHOUT])
def box(request, root, glance):
    """The sandbox, with Octavia started as the parameter says."""
    root.down()
    write_local(root, {**OPTIONS[request.param], "glance": {"endpoint": glance.url}})
    root.up(deadline_seconds=300, with_=("octavia",))
    root.anti_affinity = request.param == WITH
    return root


def write_local(sandbox, options):
    parser = configparser.RawConfigParser()
    parser.read_dict(options)
    path = sandbox.layout.config / "octavia" / "local.conf"
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as out:
        parser.write(out)


@pytest.fixture(scope="module")
def people(box):
    users = Users(box.access())
    yield users
    for name in ("octavia", "admin"):
        users(name).session.session.close()


@pytest.fixture
def cloud(box, people, glance, tmp_path):
    """The cloud, with an image that amphorae are made of; every test must leave no server, port or server group."""
    cloud = Cloud(box.access(), tmp_path, people)
    glance.upstream = cloud.octavia.session.get_endpoint(service_type="image", interface="public")
    glance.calm()
    cloud.first = cloud.newer("v1", TAG)
    yield cloud
    nothing_is_left(cloud)
    cloud.delete_all()


@pytest.fixture
def admin(cloud):
    return balancing(cloud.admin)


@pytest.fixture(scope="module")
def pair(box, people):
    """An Octavia flavor that makes a load balancer of two."""
    return flavor_of(balancing(people("admin")), f"pair {box.anti_affinity}", loadbalancer_topology="ACTIVE_STANDBY")


def images_of(cloud, admin, balancer):
    """The images of a load balancer's amphorae, by Octavia and by Nova alike; each amphora has an ACTIVE server."""
    found = amphorae(admin, balancer)
    servers = {one["id"]: one for one in things(cloud)["servers"]}
    assert {one["status"] for one in found} == {"ALLOCATED"}
    assert {servers[one["compute_id"]]["status"] for one in found} == {"ACTIVE"}
    images = [one["image_id"] for one in found]
    assert [servers[one["compute_id"]]["image"]["id"] for one in found] == images
    return images


def groups(cloud):
    """The policies of each server group; all servers must be members of one, where there is any."""
    found = things(cloud)
    members = [member for group in found["groups"] for member in group["members"]]
    assert sorted(members) == sorted(one["id"] for one in found["servers"] if found["groups"])
    return [group["policies"] for group in found["groups"]]


def tag_moves(cloud, glance):
    """Let the tag move to a newer image after the next look-up is answered and before the driver gets the answer."""
    moved = []
    glance.order(Fault(LOOK_UP, forward=True, status=None, then=lambda: moved.append(cloud.newer("moved", TAG))))
    return moved


def fail_over(admin, path, watched):
    """Have something failed over and give the load balancer after it."""
    answer = admin.put(f"{path}/failover")
    assert answer.status_code == 202, answer.text
    balancer = made(admin, f"{LOAD_BALANCERS}/{watched['id']}")
    assert balancer["provisioning_status"] == "ACTIVE"
    return balancer


def test_an_amphora_boots_the_tags_winner(box, cloud, admin):
    """Issue: "create a load balancer (SINGLE … with and without anti-affinity) → amphorae ACTIVE, `image_id` in the
    amphora record is the winner of the tag"."""
    winner = cloud.newer("v2", TAG)
    with load_balancer(admin, box.access()) as balancer:
        assert balancer["provisioning_status"] == "ACTIVE"
        assert images_of(cloud, admin, balancer) == [winner]


def test_a_pair_is_of_one_image_all_its_life(box, cloud, admin, pair, glance):
    """Issue: "both of a pair on one image although the tag moves between the two builds; move the tag → failover of
    the load balancer → both on the new image … delete → no server, port or server group is left"."""
    moved = tag_moves(cloud, glance)
    with load_balancer(admin, box.access(), flavor_id=pair) as balancer:
        assert balancer["provisioning_status"] == "ACTIVE"
        assert images_of(cloud, admin, balancer) == [cloud.first, cloud.first]
        assert {one["role"] for one in amphorae(admin, balancer)} == {"MASTER", "BACKUP"}
        assert groups(cloud) == ([["soft-anti-affinity"]] if box.anti_affinity else [])
        (second,) = moved
        old = {one["compute_id"] for one in amphorae(admin, balancer)}

        # Of the whole load balancer, while the tag moves once more.
        moved = tag_moves(cloud, glance)
        fail_over(admin, f"{LOAD_BALANCERS}/{balancer['id']}", balancer)
        assert images_of(cloud, admin, balancer) == [second, second]
        (third,) = moved
        until(lambda: not old & {one["id"] for one in things(cloud)["servers"]}, seconds=90, what="the old are deleted")

        # Of one amphora, to see whether the image is any good.
        tried, kept = amphorae(admin, balancer)
        fail_over(admin, f"{AMPHORAE}/{tried['id']}", balancer)
        assert sorted(images_of(cloud, admin, balancer)) == sorted([second, third])
        assert kept["id"] in {one["id"] for one in amphorae(admin, balancer)}

        # It was not: what one build decided before is not carried into a failover.
        cloud.untag(third, TAG)
        fail_over(admin, f"{LOAD_BALANCERS}/{balancer['id']}", balancer)
        assert images_of(cloud, admin, balancer) == [second, second]


@pytest.mark.parametrize("box", [WITH], indirect=True)
def test_a_flavors_tag_wins_over_the_configured_one(box, cloud, admin):
    """Issue: "a flavor's `amp_image_tag` wins"."""
    own = cloud.upload("own", "amphora-of-the-flavor")
    flavor = flavor_of(admin, "own tag", amp_image_tag="amphora-of-the-flavor")
    cloud.newer("v2", TAG)
    with load_balancer(admin, box.access(), flavor_id=flavor) as balancer:
        assert images_of(cloud, admin, balancer) == [own]


@pytest.mark.parametrize("box", [WITH], indirect=True)
def test_a_compute_flavor_is_looked_for_in_nova_and_booted_with(box, cloud, admin):
    """Issue: "The driver binds all of Octavia's call sites": its API has a flavor validated by the compute driver."""
    flavor = flavor_of(admin, "own compute flavor", compute_flavor=cloud.access.flavor_id)
    with load_balancer(admin, box.access(), flavor_id=flavor) as balancer:
        assert [one["compute_flavor"] for one in amphorae(admin, balancer)] == [cloud.access.flavor_id]
    with pytest.raises(AssertionError, match=r"Nova flavor 00000000.* not found"):
        flavor_of(admin, "no compute flavor", compute_flavor="00000000-0000-4000-8000-000000000000")


@pytest.mark.parametrize("box", [WITH], indirect=True)
def test_several_at_once_all_boot_the_winner_and_leave_nothing(box, cloud, admin, pair):
    paths = [begin(admin, box.access(), **({"flavor_id": pair} if number % 2 else {})) for number in range(5)]
    try:
        balancers = [made(admin, path) for path in paths]
        assert {one["provisioning_status"] for one in balancers} == {"ACTIVE"}
        assert [images_of(cloud, admin, one) for one in balancers] == [
            [cloud.first] * (2 if number % 2 else 1) for number in range(5)
        ]
    finally:
        unmake(admin, *paths)


@pytest.mark.parametrize("box", [WITHOUT], indirect=True)
def test_a_zone_has_its_own_tag(box, cloud, admin):
    """Issue: "`zone_image_tags`"."""
    own = cloud.upload("own", ZONE_TAG)
    cloud.newer("v2", TAG)
    zone = zone_of(admin, "zone", compute_zone="nova")
    with load_balancer(admin, box.access(), availability_zone=zone) as balancer:
        assert images_of(cloud, admin, balancer) == [own]


@pytest.mark.parametrize("box", [WITHOUT], indirect=True)
def test_a_changed_reference_counts_after_sighup(box, cloud, admin, glance):
    """Issue: "a changed `[amphora_image] image_ref` is used after SIGHUP"."""
    other = cloud.upload("other", OTHER_TAG)
    cloud.newer("v2", TAG)
    before = roots(box)
    changed = {**OPTIONS[WITHOUT], "amphora_image": {"image_ref": f"glance://tag/{OTHER_TAG}"}}
    write_local(box, {**changed, "glance": {"endpoint": glance.url}})
    hup({"octavia": before["octavia"]})
    until(
        lambda: logged(box, "octavia", r"Options that changed: .*\[amphora_image\] image_ref"),
        seconds=60,
        what="the change is taken over",
    )
    with load_balancer(admin, box.access()) as balancer:
        assert images_of(cloud, admin, balancer) == [other]
    assert roots(box) == before
