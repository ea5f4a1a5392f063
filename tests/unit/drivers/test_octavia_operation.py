# SPDX-License-Identifier: Apache-2.0
import warnings

import pytest
import sqlalchemy

with warnings.catch_warnings():  # importing Octavia loads libraries that warn of their own end
    warnings.simplefilter("ignore")
    from amphora_image.drivers.octavia.operation import of_one_operation


@pytest.fixture
def engine():
    made = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.StaticPool)
    yield made
    made.dispose()


@pytest.fixture
def database(engine):
    """What is read of Octavia's tables, with a pair's load balancer and that of a lone amphora."""
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE load_balancer (id TEXT, topology TEXT, updated_at TEXT)",
            "CREATE TABLE amphora (id TEXT, load_balancer_id TEXT, created_at TEXT)",
            "INSERT INTO load_balancer VALUES ('two', 'ACTIVE_STANDBY', NULL), ('one', 'SINGLE', NULL)",
            "INSERT INTO amphora VALUES ('master', 'two', '2026-01-02 03:04:05'), ('spare', NULL, NULL)",
            "INSERT INTO amphora VALUES ('backup', 'two', '2026-01-02 03:04:06'), ('alone', 'one', NULL)",
        ):
            connection.exec_driver_sql(statement)
    return engine


def named(engine, amphora):
    return of_one_operation(f"amphora-{amphora}", lambda: engine)


PAIR = {"amphora-master", "amphora-backup"}


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        (None, PAIR),
        ("2026-01-02 03:04:05", PAIR),
        ("2026-01-02 03:04:06", {"amphora-backup"}),
        ("2026-01-02 03:04:07", set()),
    ],
)
def test_what_was_made_since_its_load_balancer_was_changed_is_of_one_operation(database, changed, found):
    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE load_balancer SET updated_at = ?", (changed,))
    assert named(database, "backup") == named(database, "master") == found


@pytest.mark.parametrize("amphora", ["alone", "spare", "unknown"])
def test_what_is_not_for_a_pair_is_of_none(database, amphora):
    assert named(database, amphora) == set()


def test_a_name_that_is_not_octavias_is_not_looked_up():
    def refuse():
        raise AssertionError

    assert of_one_operation("try-1", refuse) is None


def test_a_database_that_gives_no_answer_is_no_reason_not_to_build(engine, caplog):
    assert named(engine, "master") is None
    (warning,) = caplog.messages
    assert warning.startswith("Which load balancer amphora-master is for could not be read")
