# SPDX-License-Identifier: Apache-2.0
"""The ML2 mechanism driver of the sandbox's Neutron, which has no agent and no data plane."""

from __future__ import annotations

from neutron_lib.api.definitions import portbindings
from neutron_lib.plugins.ml2 import api


class BindEverywhere(api.MechanismDriver):  # type: ignore[misc]  # neutron-lib has no type hints
    """Binds any port on any host, at once and for good."""

    def initialize(self) -> None:
        """Do nothing: there is nothing to reach."""

    @property
    def connectivity(self) -> str:
        """What kind of network a bound port is on, as Neutron shows it."""
        return str(portbindings.CONNECTIVITY_L2)

    def bind_port(self, context: api.PortContext) -> None:
        """Bind to the first segment that is offered, and leave the port ACTIVE: no agent would report it later."""
        for segment in context.segments_to_bind:
            context.set_binding(segment[api.ID], portbindings.VIF_TYPE_OTHER, {}, status="ACTIVE")
            return
