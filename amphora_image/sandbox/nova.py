# SPDX-License-Identifier: Apache-2.0
"""Nova's conductor, scheduler and compute, in the process that already is its API.

In one process they need no message broker: oslo.messaging's ``fake:/`` reaches all of them.
"""

from __future__ import annotations

import shlex
import time

import os_brick
import os_vif
from keystoneauth1 import exceptions, loading, session
from nova import monkey_patch

monkey_patch.patch(backend="threading")  # as every program of Nova does before it imports more

# ruff: noqa: E402

from typing import TYPE_CHECKING

import nova.conf
from nova import context, objects, service, utils
from nova.compute import rpcapi as compute_rpcapi
from nova.conductor import rpcapi as conductor_rpcapi
from nova.objects import host_mapping
from nova.scheduler import rpcapi as scheduler_rpcapi
from oslo_privsep import priv_context
from oslo_service import opts as service_opts

from amphora_image.errors import SandboxError

if TYPE_CHECKING:
    from amphora_image.sandbox.progress import Deadline

_POLL_SECONDS = 0.1


def start_services(deadline: Deadline) -> None:
    """Start everything of Nova but its API, whose application must be loaded already: it has read the configuration.

    On return the one host is known to its cell, and to the scheduler as alive.

    :raises SandboxError: Keystone and Placement did not accept Nova by the deadline.
    """
    conf = nova.conf.CONF
    service_opts.register_service_opts(conf)
    priv_context.init(root_helper=shlex.split(utils.get_root_helper()))
    objects.register_all()
    os_brick.setup(conf)
    os_vif.initialize()
    _await_placement(conf, deadline)
    started = [
        service.Service.create(binary="nova-conductor", topic=conductor_rpcapi.RPC_TOPIC),
        service.Service.create(binary="nova-scheduler", topic=scheduler_rpcapi.RPC_TOPIC),
        service.Service.create(
            binary="nova-compute", topic=compute_rpcapi.RPC_TOPIC, topic_alt=compute_rpcapi.RPC_TOPIC_ALT
        ),
    ]
    for each in started:
        each.start()
    for each in started:
        # After a stop the last heartbeat is old, and until the next one the scheduler answers "No valid host".
        each.service_ref.report_count += 1
        each.service_ref.save()
    host_mapping.discover_hosts(context.get_admin_context(), None, lambda _message: None)


def _await_placement(conf: nova.conf.CONF, deadline: Deadline) -> None:
    """Wait until Nova's user can list resource providers: then Keystone, its catalogue and Placement are complete.

    Compute would start without them too, and then try again only a minute later.
    """
    auth = loading.load_auth_from_conf_options(conf, "placement")
    asking = session.Session(auth=auth)
    while True:
        try:
            asking.get(
                "/resource_providers",
                endpoint_filter={"service_type": "placement", "interface": "public"},
                headers={"OpenStack-API-Version": "placement 1.30"},
                timeout=30,
            )
        except exceptions.ClientException as error:
            if deadline.passed:
                raise SandboxError(f"Placement did not accept Nova's user: {error}", "see their logs") from error
            asking.invalidate()
            time.sleep(_POLL_SECONDS)
        else:
            return
