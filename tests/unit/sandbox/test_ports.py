# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import random
import socket

from amphora_image.sandbox.ports import free_port, listen


def test_the_wanted_port_is_taken_if_it_is_free():
    chance = random.Random(1)
    wanted = free_port(None, chance)
    with listen(wanted, chance) as opened:
        assert opened.getsockname() == ("127.0.0.1", wanted)


def test_another_is_taken_if_somebody_listens_there():
    chance = random.Random(2)
    with socket.create_server(("127.0.0.1", 0)) as stranger, listen(stranger.getsockname()[1], chance) as opened:
        assert opened.getsockname()[1] != stranger.getsockname()[1]
