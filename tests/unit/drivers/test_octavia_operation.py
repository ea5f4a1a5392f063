# SPDX-License-Identifier: Apache-2.0
import warnings
from types import SimpleNamespace

import pytest
import sqlalchemy

with warnings.catch_warnings():  # importing Octavia loads libraries that warn of their own end
    warnings.simplefilter("ignore")
    from amphora_image.drivers.octavia.operation import operation_for


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
            "CREATE TABLE amphora (id TEXT, load_balancer_id TEXT)",
            "INSERT INTO load_balancer VALUES ('two', 'ACTIVE_STANDBY', NULL), ('one', 'SINGLE', NULL)",
            "INSERT INTO amphora VALUES ('master', 'two'), ('backup', 'two'), ('alone', 'one'), ('spare', NULL)",
        ):
            connection.exec_driver_sql(statement)
    return engine


def named(engine, amphora):
    return operation_for(f"amphora-{amphora}", lambda: engine)


def test_both_of_a_pair_are_of_one_operation_and_the_next_one_is_another(database):
    created = named(database, "master")
    assert created
    assert named(database, "backup") == created

    with database.begin() as connection:
        connection.exec_driver_sql("UPDATE load_balancer SET updated_at = '2026-01-02 03:04:05'")
    assert named(database, "backup") == named(database, "master") != created


@pytest.mark.parametrize("amphora", ["alone", "spare", "unknown"])
def test_what_is_not_for_a_pair_is_of_none(database, amphora):
    assert named(database, amphora) is None


def test_a_name_that_is_not_octavias_is_not_looked_up():
    def refuse():
        raise AssertionError

    assert operation_for("try-1", refuse) is None


def test_a_database_that_gives_no_answer_is_no_reason_not_to_build(engine, caplog):
    assert named(engine, "master") is None
    (warning,) = caplog.messages
    assert warning.startswith("Which load balancer amphora-master is for could not be read")


class Stale:
    """An engine whose connections are none any more, as the database's driver finds and a ping would have."""

    def __init__(self, engine, at):
        self.dialect, self.connect, self._engine, self._at = engine.dialect, engine.connect, engine, at

    def raw_connection(self):
        if self._at == "once it is asked":
            return SimpleNamespace(cursor=self._lost, close=lambda: None)
        return self._lost()

    def _lost(self):
        raise OSError("server closed the connection unexpectedly")


@pytest.mark.parametrize("at", ["once it is asked", "at once"])
def test_a_connection_that_is_none_any_more_is_replaced(database, at, caplog):
    assert named(Stale(database, at), "master") == named(database, "master")
    assert named(Stale(database, at), "alone") is None
    assert not caplog.messages
