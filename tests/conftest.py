# SPDX-License-Identifier: Apache-2.0
"""What all tests share: where ``AMPHORA_IMAGE_NO_SKIPS`` is set, as in ``.ci/run``, a skipped test is a failed one."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["support.fixtures"]

NO_SKIPS = "AMPHORA_IMAGE_NO_SKIPS"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _without_skips((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _without_skips((yield))


def _without_skips(report):
    """Turn a skip into a failure that tells its reason; an expected failure stays one."""
    if os.environ.get(NO_SKIPS) and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.longrepr = f"{reason}; {NO_SKIPS} is set, so that a skip is a failure"
    return report
