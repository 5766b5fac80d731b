"""Statements that are made ready once, and then given to the driver itself.

SQLAlchemy takes ten times as long for each execution as SQLite takes to answer a small one. What is run for
every request goes this way; what is built for one occasion (lists, searches, audits) goes through SQLAlchemy.
Whatever fails is told as SQLAlchemy tells it. The connection's transaction must have been begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler

Given = Mapping[str, Any]
R = TypeVar("R")


class Ready:
    """A statement with plain named values, of which none is a list. Rows are tuples."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._of: dict[str, tuple[str, tuple[str, ...] | None, dict[str, Any]]] = {}

    def first(self, connection: Connection, given: Given) -> tuple[Any, ...] | None:
        """Its first row."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _one_row)

    def all(self, connection: Connection, given: Given) -> list[tuple[Any, ...]]:
        """All of its rows."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _rows)

    def run(self, connection: Connection, given: Given) -> int:
        """How many rows it changed."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _changed)

    def run_each(self, connection: Connection, rows: Sequence[Given]) -> None:
        """Once for each of these; they have the same names."""
        text, names, known = self._made(connection.dialect)
        each: list[Any] = list(rows) if not known else [{**known, **row} for row in rows]
        if names is not None:
            each = [tuple([row[name] for name in names]) for row in each]
        if len(each) == 1:
            _asked(connection, text, each[0], _nothing)
        elif each:
            _asked_each(connection, text, each)

    def _told(self, dialect: Dialect, given: Given) -> tuple[str, Any]:
        text, names, known = self._made(dialect)
        every = {**known, **given} if known else given
        return text, every if names is None else tuple([every[name] for name in names])

    def _made(self, dialect: Dialect) -> tuple[str, tuple[str, ...] | None, dict[str, Any]]:
        """Its text, the names in their order where the driver takes them so, and values it brings itself."""
        found = self._of.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)
            assert isinstance(compiled, SQLCompiler)
            known = {name: value for name, value in compiled.params.items() if value is not None}
            names = tuple(compiled.positiontup or ()) if compiled.positional else None
            found = self._of[dialect.name] = (str(compiled), names, known)
        return found


def say(connection: Connection, text: str) -> None:
    """A statement that has no values, such as SAVEPOINT."""
    _asked(connection, text, (), _nothing)


def _asked(connection: Connection, text: str, values: Any, take: Callable[[Any], R]) -> R:
    """What `take` takes from the cursor after the statement. Raises DBAPIError."""
    cursor = connection.connection.cursor()
    try:
        cursor.execute(text, values)
        found = take(cursor)
    except Exception as error:
        raise _failure(connection, text, cursor, error) from error
    cursor.close()
    return found


def _one_row(cursor: Any) -> tuple[Any, ...] | None:
    found: tuple[Any, ...] | None = cursor.fetchone()
    return found


def _rows(cursor: Any) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _changed(cursor: Any) -> int:
    return int(cursor.rowcount)


def _nothing(cursor: Any) -> None:
    return


def _asked_each(connection: Connection, text: str, rows: list[Any]) -> None:
    cursor = connection.connection.cursor()
    try:
        cursor.executemany(text, rows)
    except Exception as error:
        raise _failure(connection, text, cursor, error) from error
    cursor.close()


def _failure(connection: Connection, text: str, cursor: Any, error: Exception) -> BaseException:
    """As SQLAlchemy would raise it, without any value; a connection that is gone is used no more."""
    with contextlib.suppress(Exception):
        cursor.close()
    dialect = connection.dialect
    if not isinstance(error, dialect.loaded_dbapi.Error):
        return error
    gone = not connection.invalidated and dialect.is_disconnect(error, connection.connection, cursor)
    if gone:
        connection.invalidate(error)
    return DBAPIError.instance(
        text,
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=gone,
        dialect=dialect,
    )
