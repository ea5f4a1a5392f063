# SPDX-License-Identifier: Apache-2.0
"""Make the table of relations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from amphora_image.relation.table import IDENTIFIER, KIND, SEQUENCE

revision = "r0001"
down_revision = None
phase = "expand"

_TABLE = "amphora_image_relations"


def upgrade() -> None:
    """Make the table with its indexes; MariaDB commits each statement, so what a killed upgrade made is left there."""
    op.create_table(
        _TABLE,
        sa.Column("id", SEQUENCE, primary_key=True, autoincrement=True),
        sa.Column("installation", IDENTIFIER, nullable=False),
        sa.Column("instance_id", IDENTIFIER, nullable=False),
        sa.Column("image_id", IDENTIFIER, nullable=False),
        sa.Column("kind", KIND, nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.UniqueConstraint("installation", "instance_id", "image_id", "kind", name="uq_amphora_image_relations"),
        sa.Index("ix_amphora_image_relations_instance", "instance_id", "id"),
        sa.Index("ix_amphora_image_relations_image", "image_id", "id"),
        mysql_engine="InnoDB",
        if_not_exists=True,
    )
