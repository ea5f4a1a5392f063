# SPDX-License-Identifier: Apache-2.0
"""The table of relations, as this release reads and writes it; the migrations make it.

There is no foreign key to Glance's images: their rows are kept when an image is deleted, and purged much later.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

METADATA = sa.MetaData()

#: Both UUIDs and Glance's ids: ASCII, compared to the letter, which MariaDB would not do by itself.
IDENTIFIER = sa.String(36).with_variant(mysql.CHAR(36, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
KIND = sa.String(16).with_variant(mysql.VARCHAR(16, charset="ascii", collation="ascii_bin"), "mysql", "mariadb")
#: SQLite counts up by itself only what is declared INTEGER.
SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

#: ``id`` grows with each row: it is the order of recording, and the place at which a page ends. Each of the two
#: indexes that are read holds it last, so that a page is one range of an index, however many rows there are.
RELATIONS = sa.Table(
    "amphora_image_relations",
    METADATA,
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
)
