# SPDX-License-Identifier: Apache-2.0
"""What alembic runs to apply revisions: on the connection that :mod:`amphora_image.relation.schema` holds the lock on."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table=context.config.attributes["table"])
context.run_migrations()
