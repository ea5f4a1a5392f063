# SPDX-License-Identifier: Apache-2.0
"""Glance's own functional tests of its API, unmodified, with our filter in the pipeline of the Glance that they start.

Each test starts a whole Glance in its process, with a database and stores of its own. Fails when a test fails that
passes without the filter, or when nothing went through the filter.
"""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

import glance
from oslo_config import cfg
from oslo_db.options import database_opts

from amphora_image.config.relation import RELATION, RELATION_OPTIONS
from amphora_image.relation.middleware import RelationsFilter
from amphora_image.relation.schema import Schema

_TESTS = (
    "v2.test_discovery",
    "v2.test_image_members",
    "v2.test_images",
    "v2.test_images_api_policy",
    "v2.test_images_import_locking",
    "v2.test_member_api_policy",
    "v2.test_multi_store_images",
    "v2.test_property_protection",
    "v2.test_schemas",
    "test_cors_middleware",
    "test_gzip_middleware",
)
_FILTER = """
[filter:amphora_image_relations]
paste.filter_factory = amphora_image.relation.middleware:filter_factory
"""


class _Counting:
    """What passed the filter."""

    requests = 0


def put_filter_in(functional: Any, empty: Path) -> None:
    """Make every Glance that a test starts have our filter after ``context``, over a copy of the database ``empty``."""
    base: Any = functional.SynchronousAPIBase
    stock = base.setup_simple_paste

    def setup_simple_paste(self: Any) -> None:
        stock(self)
        path = Path(self.paste_config)
        text = path.read_text(encoding="utf-8").replace("context cache", "context amphora_image_relations cache")
        for follower in ("gzip", "rootapp"):
            text = text.replace(f" context {follower}", f" context amphora_image_relations {follower}")
        path.write_text(text + _FILTER, encoding="utf-8")
        database = shutil.copy(empty, self.test_dir)
        cfg.CONF.register_opts(RELATION_OPTIONS, group=RELATION)
        cfg.CONF.set_override("connection", f"sqlite:///{database}", RELATION)

    base.setup_simple_paste = setup_simple_paste
    passed: Any = RelationsFilter.__call__

    def counted(self: Any, environ: Any, start_response: Any) -> Any:
        _Counting.requests += 1
        return passed(self, environ, start_response)

    RelationsFilter.__call__ = counted  # type: ignore[method-assign]


def migrate_once(functional: Any, folder: Path) -> None:
    """Let each test begin with a copy of the database that the first one migrated, which saves most of the time."""
    utils: Any = functional.test_utils
    migrate, migrated = utils.db_sync, folder / "migrated.sqlite"

    def db_sync(**arguments: Any) -> None:
        path = arguments["engine"].url.database
        if not migrated.exists():
            migrate(**arguments)
            shutil.copy(path, migrated)
        shutil.copy(migrated, path)

    utils.db_sync = db_sync


def run(names: list[str]) -> tuple[unittest.TestResult, set[str]]:
    """Run the tests of these names, and give the result with the names of those that did not pass."""
    result = unittest.TextTestRunner(verbosity=1, buffer=True).run(unittest.TestLoader().loadTestsFromNames(names))
    return result, {test.id() for test, _reason in [*result.failures, *result.errors]}


def without_filter(names: set[str]) -> set[str]:
    """Run tests on the stock Glance, in a process of their own, and give the names of those that do not pass there."""
    told = subprocess.run(
        [sys.executable, "-W", "ignore", __file__, *sorted(names)], check=False, stdout=subprocess.PIPE, text=True
    )
    return set(told.stdout.split())


def main() -> int:
    """Run the tests, and end with 1 when one fails that passes on the stock Glance; named ones run on that alone."""
    named = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="amphora-image-glance-") as folder:
        os.chdir(folder)
        functional = importlib.import_module("glance.tests.functional")  # writes a log file to where it is imported
        Path("glance").symlink_to(Path(str(glance.__file__)).parent)  # the tests find their files from here
        cfg.CONF.register_opts(database_opts, group="database")  # which Glance's own runner has from another test
        migrate_once(functional, Path(folder))
        if not named:
            empty = Path(folder) / "relations.sqlite"
            Schema(f"sqlite:///{empty}").upgrade()
            put_filter_in(functional, empty)
        result, failed = run(named or [f"glance.tests.functional.{name}" for name in _TESTS])
        os.chdir("/")
    if named:
        print(*sorted(failed), sep="\n")  # noqa: T201 - a program's output
        return 0
    anyway = without_filter(failed) if failed else set()
    print(  # noqa: T201 - a program's output
        f"of {result.testsRun} functional tests of Glance {result.testsRun - len(failed)} pass with the filter in the "
        f"pipeline, {_Counting.requests} requests through it; {len(failed & anyway)} fail here with and without it, "
        f"{len(failed - anyway)} with it alone: {', '.join(sorted(failed - anyway)) or 'none'}"
    )
    return int(bool(failed - anyway) or not _Counting.requests)


if __name__ == "__main__":
    sys.exit(main())
