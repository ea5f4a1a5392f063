# SPDX-License-Identifier: Apache-2.0
"""Octavia's tables, made from its models and filled with what its migrations would put there."""

from __future__ import annotations

import sys

import sqlalchemy
from octavia.common import constants
from octavia.db import base_models, models
from oslo_config import cfg
from sqlalchemy import orm

_LOOK_UPS = (
    (models.AmphoraRoles, constants.SUPPORTED_AMPHORA_ROLES),
    (models.Algorithm, constants.SUPPORTED_LB_ALGORITHMS),
    (models.ClientAuthenticationMode, constants.SUPPORTED_CLIENT_AUTH_MODES),
    (models.HealthMonitorType, constants.SUPPORTED_HEALTH_MONITOR_TYPES),
    (models.L7PolicyAction, constants.SUPPORTED_L7POLICY_ACTIONS),
    (models.L7RuleCompareType, constants.SUPPORTED_L7RULE_COMPARE_TYPES),
    (models.L7RuleType, constants.SUPPORTED_L7RULE_TYPES),
    (models.LBTopology, constants.SUPPORTED_LB_TOPOLOGIES),
    (models.OperatingStatus, constants.SUPPORTED_OPERATING_STATUSES),
    (models.Protocol, constants.SUPPORTED_PROTOCOLS),
    (models.ProvisioningStatus, constants.SUPPORTED_PROVISIONING_STATUSES),
    (models.SessionPersistenceType, constants.SUPPORTED_SP_TYPES),
    (models.VRRPAuthMethod, constants.SUPPORTED_VRRP_AUTH),
)
_PLACEHOLDER = "DELETED-PLACEHOLDER"
_NIL = constants.NIL_UUID


def main() -> None:
    """Make the database that the configuration names complete, whatever an earlier attempt left in it.

    :raises sqlalchemy.exc.SQLAlchemyError: the database refused.
    """
    conf = cfg.ConfigOpts()
    conf.register_opt(cfg.StrOpt("connection"), group="database")
    conf(sys.argv[1:], project="octavia")
    engine = sqlalchemy.create_engine(conf.database.connection)
    try:
        with engine.begin() as connection:
            connection.execute(sqlalchemy.text("DROP SCHEMA public CASCADE"))
            connection.execute(sqlalchemy.text("CREATE SCHEMA public"))
            base_models.BASE.metadata.create_all(connection)
            with orm.Session(connection) as session:
                _fill(session)
    finally:
        engine.dispose()


def _fill(session: orm.Session) -> None:
    for model, names in _LOOK_UPS:
        session.add_all(model(name=name) for name in names)
    # What a deleted load balancer's flavor and zone are replaced by.
    profile = {"id": _NIL, "name": _PLACEHOLDER, "provider_name": constants.DELETED}
    session.add(models.FlavorProfile(flavor_data="{}", **profile))
    session.add(models.AvailabilityZoneProfile(availability_zone_data="{}", **profile))
    session.flush()
    session.add(models.Flavor(id=_NIL, flavor_profile_id=_NIL, name=_PLACEHOLDER, enabled=False))
    session.add(models.AvailabilityZone(availability_zone_profile_id=_NIL, name=_NIL, enabled=False))
    session.commit()
