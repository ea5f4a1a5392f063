# SPDX-License-Identifier: Apache-2.0
"""Faults between Octavia's compute driver and the real services, for ours and for Octavia's own side by side.

After every case the set of server ids in Nova equals the set of ids that the driver returned: no leaked server.
"""

import configparser
import json
import threading
import uuid

import pytest
from support.cloud import until
from support.proxy import Fault, proxying
from support.worker import CallFailedError, result, working

OURS, STOCK = "amphora_image_driver", "compute_nova_driver"
LIST, POST = r"^GET /v2/images\?", r"^POST /v2.1/servers$"
LATER, JSON = {"Retry-After": "1"}, {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def proxies(access, users):
    session = users("octavia").session
    glance, nova = (session.get_endpoint(service_type=name, interface="public") for name in ("image", "compute"))
    with proxying(glance) as image, proxying(nova) as compute, proxying(access.auth_url) as identity:
        yield {"glance": image, "nova": compute, "keystone": identity}


@pytest.fixture(scope="module")
def conf(access, proxies, tmp_path_factory):
    """An octavia.conf whose services are reached through the proxies; deadlines are short, so that tests are."""
    parser = configparser.RawConfigParser()
    parser.read_string(access.ini("octavia"))
    parser.set("service_auth", "auth_url", proxies["keystone"].url)
    parser.set("glance", "endpoint", proxies["glance"].url)
    parser.set("nova", "endpoint", proxies["nova"].url)
    for group in ("compute", "amphora_image"):
        parser.add_section(group)
    parser.set("compute", "max_retries", "2")
    parser.set("amphora_image", "retry_deadline_seconds", "12")
    parser.set("amphora_image", "ambiguous_build_deadline_seconds", "4")
    path = tmp_path_factory.mktemp("octavia") / "octavia.conf"
    with path.open("w") as out:
        parser.write(out)
    return path


@pytest.fixture(scope="module", params=[OURS, STOCK])
def worker(request, conf):
    with working(conf, request.param) as made:
        made.name = request.param
        yield made


class Bench:
    """One case: builds by one worker, and what Nova has of them."""

    def __init__(self, worker, cloud, tag, proxies):
        self.worker, self.cloud, self.tag, self.proxies = worker, cloud, tag, proxies
        self.begun = []

    @property
    def is_ours(self):
        return self.worker.name == OURS

    def begin(self, **arguments):
        name = f"amphora-{uuid.uuid4()}"
        self.begun.append(name)
        access = self.cloud.access
        given = {
            "name": name,
            "amphora_flavor": access.flavor_id,
            "image_tag": self.tag,
            "network_ids": [access.network_id],
        }
        return self.worker.begin("build", **{**given, **arguments})

    def build(self, **arguments):
        """Give the id, or None when the build failed."""
        return self.end(self.begin(**arguments))

    @staticmethod
    def end(outcome):
        try:
            return result(outcome)
        except CallFailedError as error:
            if error.kind != "ComputeBuildException":
                raise
            return None

    def in_nova(self):
        servers = self.cloud.octavia.compute.get("/servers").json()["servers"]
        return {one["id"] for one in servers if one["name"] in self.begun}

    def image_of(self, server_id):
        return self.cloud.octavia.compute.get(f"/servers/{server_id}").json()["server"]["image"]["id"]


@pytest.fixture
def bench(worker, cloud, tag, proxies):
    yield from bench_of(worker, cloud, tag, proxies)


def bench_of(worker, cloud, tag, proxies):
    made = Bench(worker, cloud, tag, proxies)
    cloud.newer("v1", tag)
    yield made
    for proxy in proxies.values():
        proxy.calm()
    for server_id in made.in_nova():
        cloud.octavia.compute.delete(f"/servers/{server_id}")


@pytest.mark.parametrize(
    ("service", "fault", "stock_builds"),
    [
        ("glance", Fault(LIST, status=503), False),
        ("glance", Fault(LIST, status=429, headers=LATER), False),
        ("glance", Fault(LIST), False),
        ("glance", Fault(LIST, status=200), False),
        ("glance", Fault(LIST, status=401), True),
        ("glance", Fault(LIST, hold_seconds=30), False),
        ("nova", Fault(POST, status=503), False),
        ("nova", Fault(POST, status=429, headers=LATER), False),
    ],
    ids=["503", "429", "reset", "html", "token", "hang", "nova-503", "nova-429"],
)
def test_a_passing_fault_does_not_fail_a_build(bench, service, fault, stock_builds):
    """Glance 503, 429 with Retry-After, reset, HTML instead of JSON, a refused token, a look-up that hangs; Nova 503
    and 429 on the POST."""
    bench.proxies[service].order(fault)
    server_id = bench.build()
    if bench.is_ours and fault.status != 401:
        (line,) = [line for line in bench.worker.log.read_text().splitlines() if str(server_id) in line]
        assert "look-up its own, retries 1, requests req-" in line
    assert bool(server_id) == (bench.is_ours or stock_builds)
    assert bench.in_nova() == ({server_id} if server_id else set())


@pytest.mark.parametrize("status", [0, 504])
def test_a_server_whose_answer_was_lost_is_not_lost(bench, status):
    """Accepted and then the answer cut, 504 after accepting (also while a second build with the same name prefix
    runs)."""
    bench.proxies["nova"].order(Fault(POST, forward=True, status=status))
    first, second = bench.begin(), bench.begin()
    returned = {bench.end(first), bench.end(second)} - {None}
    if bench.is_ours:
        assert len(returned) == 2
        assert bench.in_nova() == returned
    else:
        assert len(returned) == 1
        assert len(bench.in_nova()) == 2, "the stock driver leaks the server whose answer was cut"


def test_a_reset_before_nova_accepted_makes_no_server(bench):
    """Reset before accepting: both fail, and ours names the server to look for."""
    bench.proxies["nova"].order(Fault(POST))
    outcome = bench.begin()
    with pytest.raises(CallFailedError) as caught:
        result(outcome)
    assert not bench.in_nova()
    assert (bench.begun[0] in str(caught.value)) == bench.is_ours


def test_an_image_that_is_deleted_between_look_up_and_boot_is_replaced_by_the_next(bench):
    """The image deleted between look-up and boot (one new look-up, then the next image)."""
    first = bench.cloud.newer("v2", bench.tag)
    second = bench.cloud.octavia.image.get("/v2/images", params={"tag": bench.tag, "name": "v1"}).json()["images"][0][
        "id"
    ]

    def delete():
        bench.cloud.octavia.image.delete(f"/v2/images/{first}")

    bench.proxies["glance"].order(Fault(LIST, forward=True, status=None, then=delete))
    server_id = bench.build()
    assert bool(server_id) == bench.is_ours
    assert bench.in_nova() == ({server_id} if server_id else set())
    if bench.is_ours:
        assert bench.image_of(server_id) == second
        assert bench.proxies["glance"].count(LIST) == 2


def test_keystone_may_be_down_between_two_builds(bench):
    """Keystone down between two builds: the token at hand goes on being used."""
    first = bench.build()
    bench.proxies["keystone"].order(*[Fault(r".")] * 50)
    second = bench.build()
    assert first
    assert second
    assert bench.in_nova() == {first, second}


@pytest.fixture
def ours(conf, cloud, tag, proxies):
    """A bench with our driver alone."""
    with working(conf, OURS) as worker:
        worker.name = OURS
        yield from bench_of(worker, cloud, tag, proxies)


def test_look_ups_are_shared_and_never_stale(ours):
    """While 50 builds wait the tag is moved between the first answer and the second request: every build begun after
    the move boots the new image; a lone build sends its look-up at once, without a timer."""
    moved = threading.Event()
    ours.proxies["glance"].order(Fault(LIST, forward=True, status=None, then=lambda: moved.wait(60)))
    lone = ours.begin()
    until(lambda: ours.proxies["glance"].count(LIST) == 1, seconds=60, what="the lone build's look-up")
    waiting = [ours.begin() for _ in range(49)]
    newer = ours.cloud.newer("v2", ours.tag)
    moved.set()
    first, others = ours.end(lone), [ours.end(one) for one in waiting]
    assert ours.in_nova() == {first, *others}
    assert ours.image_of(first) != newer
    assert {ours.image_of(one) for one in others} == {newer}
    assert ours.proxies["glance"].count(LIST) <= 5


@pytest.mark.parametrize("status", [0, 504])
def test_a_server_with_a_random_name_whose_answer_was_lost_is_adopted(conf, cloud, tag, proxies, status, tmp_path):
    """Accepted and then the answer cut, 504 after accepting (also with random names)."""
    named = tmp_path / "octavia.conf"
    named.write_text(conf.read_text().replace("[nova]", "[nova]\nrandom_amphora_name_length = 12"))
    image_id = cloud.newer("v1", tag)
    with working(named, OURS) as worker:
        worker.name = OURS
        bench = Bench(worker, cloud, tag, proxies)
        proxies["nova"].order(Fault(POST, forward=True, status=status))
        server_id = bench.build()
    servers = cloud.octavia.compute.get("/servers/detail", params={"image": image_id}).json()["servers"]
    assert [one["id"] for one in servers] == [server_id]
    cloud.octavia.compute.delete(f"/servers/{server_id}")


def test_a_build_costs_few_requests(bench, conf, cloud, tag, proxies):
    """Requests of the first build in a process: at most 4 (Octavia's own: 7); of a later build: 2; of a poll while the
    server still builds: 1 (Octavia's own: 2)."""
    with working(conf, bench.worker.name) as fresh:
        fresh.name = bench.worker.name
        new = Bench(fresh, cloud, tag, proxies)
        counts = []
        for _ in range(2):
            for proxy in proxies.values():
                proxy.calm()
            built = new.build()
            counts.append(sum(proxy.count(".") for proxy in proxies.values()))
            bench.begun += new.begun
        proxies["nova"].calm()
        proxies["nova"].order(
            Fault(rf"^GET /v2.1/servers/{built}$", status=200, headers=JSON, body=still_building(built))
        )
        fresh.call("get_amphora", compute_id=built)
        counts.append(proxies["nova"].count("."))
    assert counts == ([4, 2, 1] if bench.is_ours else [7, 2, 2])


def still_building(server_id):
    """What Nova answers while it builds; a real answer of it would be gone before it could be looked at."""
    server = {"id": server_id, "name": "x", "status": "BUILD", "image": {"id": "i"}, "flavor": {"id": "f"}}
    return json.dumps({"server": server})
