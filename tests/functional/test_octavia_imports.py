# SPDX-License-Identifier: Apache-2.0
"""What Octavia's own tests (``make downstream``) do not look at: options, faults, and what stays undone."""

import subprocess
import sys

import pytest

OPTIONS = """
from oslo_config import cfg
assert cfg.CONF.controller_worker.amp_image_id == ''
assert cfg.CONF.amphora_image.pair_window_seconds == 600
assert cfg.CONF.amphora_image.check_fit is False
assert cfg.CONF.compute.max_retries == 15
print('both are there')
"""


def run(program):
    return subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "imports",
    [
        "import amphora_image.drivers.octavia as ours\nours.OctaviaComputeDriver()\nfrom octavia.common import config",
        "from octavia.common import config\nimport amphora_image.drivers.octavia as ours\nours.OctaviaComputeDriver()",
        (
            "import amphora_image.config\nfrom octavia.common import config\n"
            "import amphora_image.drivers.octavia as ours\nours.OctaviaComputeDriver()"
        ),
        (
            "from oslo_config import cfg\nfrom amphora_image.config import register_own_opts\n"
            "register_own_opts(cfg.CONF)\nfrom octavia.common import config\n"
            "import amphora_image.drivers.octavia as ours\nours.OctaviaComputeDriver()"
        ),
    ],
)
def test_octavias_options_and_ours_live_together_in_either_order(imports):
    done = run(imports + OPTIONS)
    assert done.stdout == "both are there\n", done.stderr


def test_stevedore_finds_the_driver_as_octavia_asks_for_it():
    done = run(
        "from octavia.common import config\nfrom stevedore.driver import DriverManager\n"
        "loaded = DriverManager(namespace='octavia.compute.drivers', name='amphora_image_driver', invoke_on_load=True)\n"
        "print(type(loaded.driver).__name__)"
    )
    assert done.stdout == "OctaviaComputeDriver\n", done.stderr


def test_making_a_driver_opens_no_socket_and_needs_no_credentials():
    done = run(
        "import socket\nfrom octavia.common import config\nfrom amphora_image.drivers.octavia import OctaviaComputeDriver\n"
        "def refuse(*a, **k): raise AssertionError('a socket')\nsocket.socket.connect = refuse\n"
        "for _ in range(5): OctaviaComputeDriver()\nprint('quiet')"
    )
    assert done.stdout == "quiet\n", done.stderr
