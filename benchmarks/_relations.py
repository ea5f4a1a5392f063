# SPDX-License-Identifier: Apache-2.0
"""What the benchmark of relations is measured on: images in Glance's own tables, and relations in ours.

Relation number ``r`` is of instance ``r // 10`` and of an image that lies anywhere. The first relation of an image is
also said by a property of it, as Nova says it, so that both ways to ask have the same answer.
"""

from __future__ import annotations

import hashlib
import sqlite3
import sys
import uuid
from contextlib import closing
from typing import TYPE_CHECKING

from amphora_image.relation.schema import Schema
from amphora_image.relation.table import RELATIONS
from amphora_image.sandbox import database
from amphora_image.sandbox.progress import Deadline

if TYPE_CHECKING:
    from pathlib import Path

    from amphora_image.sandbox.state import State

IMAGES, PER_INSTANCE = 200_000, 10
SIZES = (100_000, 1_000_000)

_SPREAD = 7919  # has no factor in common with the number of images
_PER_PROJECT = 1000
_CHUNK = 50_000
_COLUMNS = "installation, instance_id, image_id, kind, created_at"

# Five properties an image, as Nova sets on a backup.
_GLANCE = f"""
CREATE FUNCTION an_id(kind text, number bigint) RETURNS text IMMUTABLE LANGUAGE sql AS
$$ SELECT md5(kind || '/' || number)::uuid::text $$;
INSERT INTO images (id, name, size, status, visibility, protected, os_hidden, min_disk, min_ram, owner, disk_format,
                    container_format, deleted, created_at, updated_at)
SELECT an_id('image', n), 'backup-' || n, 1024, 'active', 'private', false, false, 0, 0,
       md5('project/' || n / {_PER_PROJECT}), 'raw', 'bare', false, now() - n * interval '1 s', now()
FROM generate_series(0, {IMAGES - 1}) n;
INSERT INTO image_properties (image_id, name, value, deleted, created_at, updated_at)
SELECT an_id('image', r::bigint * {_SPREAD} % {IMAGES}), p.name, CASE p.name
    WHEN 'instance_uuid' THEN an_id('instance', r / {PER_INSTANCE})
    WHEN 'image_type' THEN 'backup' WHEN 'backup_type' THEN 'daily'
    WHEN 'base_image_ref' THEN an_id('base', r % 100) ELSE md5('user/' || r / {_PER_PROJECT}) END, false, now(), now()
FROM generate_series(0, {IMAGES - 1}) r,
     (VALUES ('instance_uuid'), ('image_type'), ('backup_type'), ('base_image_ref'), ('user_id')) p (name);
ANALYZE;
"""  # noqa: S608 - our own numbers


def an_id(kind: str, number: int) -> str:
    """Give the id of one thing: spread over the whole range, as random ones are."""
    return str(uuid.UUID(hashlib.md5(f"{kind}/{number}".encode(), usedforsecurity=False).hexdigest()))


def project_of(image: int) -> str:
    """Give the project of an image, as Keystone spells it."""
    return an_id("project", image // _PER_PROJECT).replace("-", "")


def image_of(relation: int) -> int:
    """Give the number of the image of a relation."""
    return relation * _SPREAD % IMAGES


def told(text: str) -> None:
    """Print what happens."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def fill_glance(state: State) -> None:
    """Add the images, once."""
    with closing(database.connect(state, "glance")) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname = 'an_id'")
        if cursor.fetchone() == (0,):
            told(f"adding {IMAGES} images to Glance")
            cursor.execute(f"BEGIN; {_GLANCE} COMMIT")


def postgresql(state: State, size: int) -> str:
    """Give the URL of a database with so many relations, made if it is not there."""
    name = f"relations_{size}"
    database.create_databases(state, [name], Deadline(60))
    url = f"{database.url(state)}/{name}"
    Schema(url).upgrade()
    with closing(database.connect(state, name)) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {RELATIONS.name}")  # noqa: S608 - ours
        if cursor.fetchone() == (0,):
            told(f"adding {size} relations to PostgreSQL")
            cursor.execute(
                f"INSERT INTO {RELATIONS.name} ({_COLUMNS}) "  # noqa: S608 - ours
                "SELECT md5('installation/0')::uuid::text, "
                f"md5('instance/' || r / {PER_INSTANCE})::uuid::text, "
                f"md5('image/' || r::bigint * {_SPREAD} % {IMAGES})::uuid::text, 'backup', now() "
                f"FROM generate_series(0, {size - 1}) r"
            )
            cursor.execute(f"VACUUM ANALYZE {RELATIONS.name}")  # as PostgreSQL's own housekeeping would
    return url


def sqlite(folder: Path, size: int) -> str:
    """Give the URL of a file with so many relations, made if it is not there."""
    path = folder / f"relations_{size}.sqlite"
    url = f"sqlite:///{path}"
    if not path.exists():
        told(f"adding {size} relations to SQLite")
        draft = path.with_suffix(".draft")
        Schema(f"sqlite:///{draft}").upgrade()
        with closing(sqlite3.connect(draft)) as connection:
            installation, now = an_id("installation", 0), "2026-01-01 00:00:00.000000"
            for start in range(0, size, _CHUNK):
                rows = [
                    (installation, an_id("instance", r // PER_INSTANCE), an_id("image", image_of(r)), "backup", now)
                    for r in range(start, min(start + _CHUNK, size))
                ]
                connection.executemany(f"INSERT INTO {RELATIONS.name} ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)", rows)  # noqa: S608 - ours
            connection.execute("ANALYZE")
            connection.commit()
        draft.rename(path)
    return url
