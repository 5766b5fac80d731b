"""Statements that are made ready once, and then given to the driver itself.

SQLAlchemy takes ten times as long for each execution as SQLite takes to answer a small one. What is run for
every request goes this way; what is built for one occasion (lists, searches, audits) goes through SQLAlchemy.
Whatever fails is told as SQLAlchemy tells it. The connection's transaction must have been begun.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from sqlalchemy import ARRAY, ColumnElement, Connection, Dialect, bindparam
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import NullType

Given = Mapping[str, Any]
R = TypeVar("R")


class Among(FunctionElement[Any]):
    """Whether a column is one of many values, given as one value: the statement's text stays the same."""

    # Not Boolean: SQLAlchemy would compare it with 1, and SQLite's indexes would not serve it.
    type = NullType()
    inherit_cache = True


def among(column: ColumnElement[Any], name: str) -> Among:
    """Whether it is one of the list that is given by this name, of any length."""
    return Among(column, bindparam(name, type_=ARRAY(column.type)))


@compiles(Among, "sqlite")
def _by_json(element: Among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(each, **more) for each in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"


@compiles(Among, "postgresql")
def _by_array(element: Among, compiler: SQLCompiler, **more: Any) -> str:
    column, values = (compiler.process(each, **more) for each in element.clauses)
    return f"{column} = ANY({values})"


@dataclass(frozen=True, slots=True)
class _Made:
    """A statement for one database.

    names  in their order, where the driver takes values so; None where by name
    known  values that the statement brings itself
    lists  those that are handed over as JSON
    """

    text: str
    names: tuple[str, ...] | None
    known: dict[str, Any]
    lists: tuple[str, ...]


class Ready:
    """A statement with plain named values, and lists where it says `among`. Rows are tuples."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._of: dict[str, _Made] = {}

    def first(self, connection: Connection, given: Given) -> tuple[Any, ...] | None:
        """Its first row."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _one_row)

    def all(self, connection: Connection, given: Given) -> list[tuple[Any, ...]]:
        """All of its rows."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _rows)

    def explained(self, connection: Connection, given: Given) -> list[tuple[Any, ...]]:
        """How SQLite would answer it, step by step."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, f"EXPLAIN QUERY PLAN {text}", values, _rows)

    def run(self, connection: Connection, given: Given) -> int:
        """How many rows it changed."""
        text, values = self._told(connection.dialect, given)
        return _asked(connection, text, values, _changed)

    def run_each(self, connection: Connection, rows: Sequence[Given]) -> None:
        """Once for each of these; they have the same names."""
        made = self._made(connection.dialect)
        each: list[Any] = list(rows) if not made.known else [{**made.known, **row} for row in rows]
        if made.names is not None:
            each = [tuple([row[name] for name in made.names]) for row in each]
        if len(each) == 1:
            _asked(connection, made.text, each[0], _nothing)
        elif each:
            _asked_each(connection, made.text, each)

    def _told(self, dialect: Dialect, given: Given) -> tuple[str, Any]:
        made = self._made(dialect)
        every = {**made.known, **given} if made.known else given
        if made.lists:
            every = {**every, **{name: msgspec.json.encode(every[name]).decode() for name in made.lists}}
        return made.text, every if made.names is None else tuple([every[name] for name in made.names])

    def _made(self, dialect: Dialect) -> _Made:
        found = self._of.get(dialect.name)
        if found is None:
            compiled = self._statement.compile(dialect=dialect)
            assert isinstance(compiled, SQLCompiler)
            known = {name: value for name, value in compiled.params.items() if value is not None}
            names = tuple(compiled.positiontup or ()) if compiled.positional else None
            lists = [name for name, value in compiled.binds.items() if isinstance(value.type, ARRAY)]
            text, of_json = str(compiled), dialect.name == "sqlite"
            found = self._of[dialect.name] = _Made(text, names, known, tuple(lists) if of_json else ())
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
