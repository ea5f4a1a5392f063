# SPDX-License-Identifier: Apache-2.0
"""A pytest plug-in: Octavia's tests, unmodified, with our compute driver where Octavia's own would be.

``DOWNSTREAM_DRIVER`` says whose class runs (``ours`` or ``stock``), ``DOWNSTREAM_REPORT`` where the outcome goes: how
many tests had which outcome, and how often each class was made.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from octavia.common import config as _options  # noqa: F401 - the driver's decorators read the options
from octavia.compute.drivers import nova_driver

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

_OUTCOMES: Counter[str] = Counter()
_MADE: Counter[str] = Counter()


def _counted(kind: type) -> type:
    """Count how often ``kind`` is made, and change nothing else."""

    class Counted(kind):  # type: ignore[misc, valid-type]
        def __init__(self, *arguments: Any, **keywords: Any) -> None:
            _MADE[kind.__qualname__] += 1
            super().__init__(*arguments, **keywords)

    Counted.__name__, Counted.__qualname__, Counted.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Counted


def pytest_configure(config: pytest.Config) -> None:  # noqa: ARG001 - pytest's hook
    kind = nova_driver.VirtualMachineManager
    if os.environ["DOWNSTREAM_DRIVER"] == "ours":
        from amphora_image.drivers.octavia import OctaviaComputeDriver as kind  # noqa: N813, PLC0415
    nova_driver.VirtualMachineManager = _counted(kind)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" or report.outcome != "passed":
        _OUTCOMES[report.outcome] += 1


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _OUTCOMES["deselected"] += len(items)


def pytest_sessionfinish() -> None:
    report = {"outcomes": dict(_OUTCOMES), "made": dict(_MADE)}
    Path(os.environ["DOWNSTREAM_REPORT"]).write_text(json.dumps(report), encoding="utf-8")
