# SPDX-License-Identifier: Apache-2.0
"""Faults between Octavia's compute driver and the real services, for ours and for Octavia's own side by side.

After every case the set of server ids in Nova equals the set of ids that the driver returned: no leaked server.
"""

import configparser
import uuid

import pytest
from support.proxy import Fault, proxying
from support.worker import CallFailedError, result, working

OURS, STOCK = "amphora_image_driver", "compute_nova_driver"
LIST, POST = r"^GET /v2/images\?", r"^POST /v2.1/servers$"
LATER = {"Retry-After": "1"}


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
        ("glance", Fault(LIST, hold_seconds=5), False),
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
