# SPDX-License-Identifier: Apache-2.0
"""A real small OpenStack on this machine: from Keystone to Neutron, and Octavia if wanted, over a PostgreSQL of its own.

Everything listens on loopback only and lives in one folder. What ``__all__`` names is public; each name is loaded
when it is first used, so that importing this package costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amphora_image.sandbox.access import Access
    from amphora_image.sandbox.cloud import Sandbox
    from amphora_image.sandbox.progress import Progress, ServiceStatus

_HOMES = {"Access": "access", "Progress": "progress", "Sandbox": "cloud", "ServiceStatus": "progress"}

__all__ = ["Access", "Progress", "Sandbox", "ServiceStatus"]


def __getattr__(name: str) -> Any:
    """Load a public name from its home.

    :raises AttributeError: no such public name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
