# SPDX-License-Identifier: Apache-2.0
"""The compute driver under Octavia's contract; besides the sandbox, the only place that imports Octavia."""

from amphora_image.drivers.octavia.driver import OctaviaComputeDriver

__all__ = ["OctaviaComputeDriver"]
