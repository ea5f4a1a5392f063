# SPDX-License-Identifier: Apache-2.0
from fakes.glance import EPOCH

from amphora_image.models import Candidate
from amphora_image.preflight.images import stock_choice


def image(name, **fields):
    return Candidate(id=name, **{"status": "active", "owner": "theirs", "created_at": EPOCH, **fields})


def test_octavias_own_driver_takes_the_newest_that_glance_lists_by_default():
    listed = image("private", visibility="private")
    others = [
        image("queued", status="queued"),
        image("hidden", hidden=True),
        image("community", visibility="community"),
    ]
    assert stock_choice([*others, listed], "ours") == listed
    assert stock_choice(others, "ours") is None
    assert stock_choice([image("c", visibility="community", owner="ours")], "ours").id == "c"
