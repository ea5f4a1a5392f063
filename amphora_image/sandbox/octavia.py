# SPDX-License-Identifier: Apache-2.0
"""Octavia's controller worker, in the process that already is its API.

In one process they need no message broker: oslo.messaging's ``fake:/`` reaches both of them.
"""

from __future__ import annotations

import logging
import signal
from typing import TYPE_CHECKING

import oslo_messaging
from octavia.common import constants, rpc
from octavia.controller.queue.v2 import endpoints
from oslo_config import cfg
from oslo_messaging.rpc import dispatcher

if TYPE_CHECKING:
    from types import FrameType

CONF = cfg.CONF
LOG = logging.getLogger(__name__)


def start_worker() -> None:
    """Start the worker; Octavia's application must be loaded already: it has read the configuration."""
    target = oslo_messaging.Target(topic=constants.TOPIC_AMPHORA_V2, server=CONF.host, fanout=False)
    access = dispatcher.DefaultRPCAccessPolicy
    rpc.get_server(target, [endpoints.Endpoints()], access_policy=access).start()
    signal.signal(signal.SIGHUP, _mutate)


def _mutate(_number: int, _frame: FrameType | None) -> None:
    """Take over the mutable options, as Octavia's other programs do when they are told to.

    The ordinary worker ends and forks its children anew instead; here the API would end with them.
    """
    try:
        changed = CONF.mutate_config_files()
    except Exception:  # a mistake in a file must not end the service
        LOG.exception("The configuration could not be read again")
    else:
        # Their names only: some values are secret.
        names = ", ".join(f"[{group or 'DEFAULT'}] {name}" for group, name in changed)
        LOG.info("Options that changed: %s", names or "none")
