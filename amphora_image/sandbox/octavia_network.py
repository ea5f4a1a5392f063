# SPDX-License-Identifier: Apache-2.0
"""Octavia's network driver in a sandbox: real ports of the sandbox's Neutron, attached to real servers of its Nova."""

from __future__ import annotations

from octavia.network.drivers.neutron import allowed_address_pairs

#: What Neutron said of each extension. It cannot change while Octavia runs: both are started together.
_EXTENSIONS: dict[str, bool] = {}


class SandboxNetworkDriver(allowed_address_pairs.AllowedAddressPairsDriver):  # type: ignore[misc]  # Octavia has no type hints
    """Octavia's own driver over Neutron, but for the questions with which each new object of it begins.

    Octavia makes one for each task and each request. On two cores the four questions of each take longer than all
    else that is asked of Neutron.
    """

    def _check_extension_enabled(self, extension_alias: str) -> bool:
        if extension_alias not in _EXTENSIONS:
            _EXTENSIONS[extension_alias] = super()._check_extension_enabled(extension_alias)
        return _EXTENSIONS[extension_alias]
