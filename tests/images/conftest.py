# SPDX-License-Identifier: Apache-2.0
"""Tests that build images, which takes root, a mirror and minutes; they are not among what ``make test`` runs."""

from __future__ import annotations

import os

import pytest


@pytest.fixture(autouse=True, scope="session")
def root():
    if os.geteuid() != 0:
        pytest.fail("images are built as root; run this under sudo, or as root in a container")
