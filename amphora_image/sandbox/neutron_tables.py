# SPDX-License-Identifier: Apache-2.0
"""Neutron's tables, made from its models."""

from __future__ import annotations

import sys

import sqlalchemy
from neutron.common import config
from neutron.db.migration.models import head
from oslo_config import cfg
from oslo_db import options


def main() -> None:
    """Create all tables of the core plug-in in the database that the configuration names.

    :raises sqlalchemy.exc.SQLAlchemyError: the database refused.
    """
    config.register_common_config_options()
    options.set_defaults(cfg.CONF)
    cfg.CONF(sys.argv[1:], project="neutron")
    engine = sqlalchemy.create_engine(cfg.CONF.database.connection)
    try:
        head.get_metadata().create_all(engine)
    finally:
        engine.dispose()
