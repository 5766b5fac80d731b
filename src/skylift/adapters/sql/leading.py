"""Who of several servers on one PostgreSQL does what only one may do, such as telling webhooks."""

from __future__ import annotations

import contextlib
import threading

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

# Beside the number that upgrades take turns by (migrating.py).
_TELLS = 7355608002


class Lead:
    """Held by one process at a time: a session's advisory lock, which ends with its connection.

    SQLite is one server's alone, which therefore leads.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._held: Connection | None = None
        self._turn = threading.Lock()

    def holds(self) -> bool:
        """Whether this process leads now; it takes the lead where nobody has it."""
        if self._engine.dialect.name != "postgresql":
            return True
        with self._turn:
            return self._still() or self._takes()

    def give_up(self) -> None:
        """Let another lead."""
        with self._turn:
            self._drop()

    def _still(self) -> bool:
        if self._held is None:
            return False
        try:
            self._held.execute(text("SELECT 1"))
        except DBAPIError:
            # The lock went with the connection.
            self._drop()
        return self._held is not None

    def _takes(self) -> bool:
        connection = None
        try:
            connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            if connection.scalar(text("SELECT pg_try_advisory_lock(:what)"), {"what": _TELLS}):
                self._held, connection = connection, None
        except DBAPIError:
            return False
        finally:
            if connection is not None:
                with contextlib.suppress(DBAPIError):
                    connection.close()
        return self._held is not None

    def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            with contextlib.suppress(DBAPIError):
                # Not back into the pool: whoever got it from there would hold the lock.
                held.invalidate()
                held.close()
