# SPDX-License-Identifier: Apache-2.0

from __future__ import annotations

import socket
import time

import pytest

from amphora_image.errors import SandboxError
from amphora_image.sandbox.layout import Layout
from amphora_image.sandbox.progress import Deadline
from amphora_image.sandbox.seed import Clients
from amphora_image.sandbox.state import State


def test_a_request_that_nobody_answers_ends_at_the_deadline(tmp_path):
    state = State.new()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        state.ports["keystone"] = silent.getsockname()[1]
        began = time.monotonic()
        with pytest.raises(SandboxError, match="keystone did not accept a request for a token"):
            Clients(Layout(tmp_path), state, Deadline(0.3)).of("admin").project_id()
    assert time.monotonic() - began < 15
