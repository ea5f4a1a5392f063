# SPDX-License-Identifier: Apache-2.0
"""The life of a load balancer's image: from a Glance tag to the id that Nova boots.

What ``__all__`` names is public; each name is loaded when it is first used (PEP 562).
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from amphora_image.boot import Booter, BootRequest
    from amphora_image.choice import Choice, Rules, Verdict, choose
    from amphora_image.errors import AmphoraImageError, NoImageError, RetryableError
    from amphora_image.models import Candidate, Image, Server
    from amphora_image.publish.promote import Promoter, Promotion
    from amphora_image.reference import FileReference, IdReference, Pin, Reference, TagReference, UrlReference
    from amphora_image.resolve import Resolver

_HOMES = {
    "AmphoraImageError": "errors",
    "BootRequest": "boot",
    "Booter": "boot",
    "Candidate": "models",
    "Choice": "choice",
    "FileReference": "reference",
    "IdReference": "reference",
    "Image": "models",
    "NoImageError": "errors",
    "Pin": "reference",
    "Promoter": "publish.promote",
    "Promotion": "publish.promote",
    "Reference": "reference",
    "Resolver": "resolve",
    "RetryableError": "errors",
    "Rules": "choice",
    "Server": "models",
    "TagReference": "reference",
    "UrlReference": "reference",
    "Verdict": "choice",
    "choose": "choice",
}

__all__ = [
    "AmphoraImageError",
    "BootRequest",
    "Booter",
    "Candidate",
    "Choice",
    "FileReference",
    "IdReference",
    "Image",
    "NoImageError",
    "Pin",
    "Promoter",
    "Promotion",
    "Reference",
    "Resolver",
    "RetryableError",
    "Rules",
    "Server",
    "TagReference",
    "UrlReference",
    "Verdict",
    "choose",
]


def __getattr__(name: str) -> Any:
    """Load the module in which the public ``name`` lives."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
