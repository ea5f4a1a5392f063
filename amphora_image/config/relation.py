# SPDX-License-Identifier: Apache-2.0
"""The options of ``[relation]``: which instance belongs to which image.

Glance's filter reads them from Glance's own configuration, everybody else from the ini of this library.
"""

from __future__ import annotations

from oslo_config import cfg

RELATION = "relation"

RELATION_OPTIONS = [
    cfg.StrOpt(
        "connection",
        default="sqlite:////var/lib/glance/amphora_image_relations.sqlite",
        sample_default="sqlite:///FOLDER_OF_GLANCE/amphora_image_relations.sqlite",
        secret=True,
        help="SQLAlchemy URL of the database that keeps the relations. Only Glance's filter and the commands `related "
        "db` use it. It may be Glance's own database: the tables' names begin with amphora_image_.",
    ),
    cfg.IntOpt("max_pool_size", default=5, min=1, help="Connections to the database that one process keeps open."),
    cfg.IntOpt("max_overflow", default=20, min=0, help="Connections that one process opens beyond those, if need be."),
    cfg.IntOpt(
        "timeout_seconds",
        default=5,
        min=1,
        help="How long to wait for a connection, and for an answer, before a request about relations fails with 503. "
        "Other requests never wait for this database.",
    ),
    cfg.DictOpt(
        "installations",
        default={},
        help="Installation UUID of each Nova, by name and domain of the user that its service tokens are of, for "
        "example nova@Default:INSTALLATION_UUID. What such a Nova snapshots is then recorded by the instance_uuid that "
        "it sets itself. Read by Glance's filter.",
    ),
    cfg.StrOpt(
        "nova_installation_uuid",
        default="",
        help="Installation UUID of the Nova that this configuration boots servers in; `amphora-image installation-uuid "
        "generate` makes one. Where it is set, each boot is recorded in Glance. Empty records nothing.",
    ),
]
