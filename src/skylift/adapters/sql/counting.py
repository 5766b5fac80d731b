"""What is counted beside the journal: readers' progress, usage of terminals, uses of the app."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite

from skylift.adapters.sql.faults import told
from skylift.adapters.sql.ready import Ready, among
from skylift.adapters.sql.schema import APP_DAYS, PROGRESS, USAGE, USAGE_CYCLES, USAGE_DAYS
from skylift.ports.counts import AppDay, Progress, UsageDay, UsageReport, Used
from skylift.ports.store import Conflict

_SEEN = Ready(
    select(USAGE.c.sequence, USAGE.c.at_us, USAGE.c.down_bytes, USAGE.c.up_bytes).where(
        USAGE.c.terminal == bindparam("of_terminal"), among(USAGE.c.sequence, "numbers")
    )
)
_CHANGED = select(func.coalesce(func.max(USAGE_CYCLES.c.changed), 0))
_USED = (USAGE_CYCLES.c.account, USAGE_CYCLES.c.cycle, USAGE_CYCLES.c.used_bytes, USAGE_CYCLES.c.changed)
_USED_IN = Ready(select(*_USED).where(USAGE_CYCLES.c.cycle == bindparam("of_cycle")))
_USED_SINCE = Ready(
    select(*_USED)
    .where(USAGE_CYCLES.c.changed > bindparam("since"))
    .order_by(USAGE_CYCLES.c.changed)
    .limit(bindparam("most"))
)
_PROGRESS = Ready(select(PROGRESS.c.sequence, PROGRESS.c.note).where(PROGRESS.c.name == bindparam("of_name")))


def _adding(table: Table, sums: Sequence[str], sets: Sequence[str] = ()) -> dict[str, Any]:
    """By dialect: insert a row, or add to its `sums` and set its `sets` where there is one."""
    found: dict[str, Any] = {}
    for name, dialect in (("sqlite", sqlite), ("postgresql", postgresql)):
        new = dialect.insert(table)
        after = {column: table.c[column] + new.excluded[column] for column in sums}
        after |= {column: new.excluded[column] for column in sets}
        found[name] = new.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=after)
    return found


_ADD_DAY = _adding(USAGE_DAYS, ("down_bytes", "up_bytes"))
_ADD_CYCLE = _adding(USAGE_CYCLES, ("used_bytes",), ("changed",))
_ADD_APP_DAY = _adding(APP_DAYS, ("installs", "active"))
_PUT_PROGRESS = _adding(PROGRESS, (), ("sequence", "note"))


class CountsSqlReader:
    """The CountsReader port on one connection."""

    _connection: Connection

    def progress(self, name: str) -> Progress | None:
        with told():
            row = _PROGRESS.first(self._connection, {"of_name": name})
        return None if row is None else Progress(*row)

    def usage_days(
        self, terminal: str = "", account: str = "", from_day: str = "", until_day: str = "~"
    ) -> Sequence[UsageDay]:
        wanted = select(USAGE_DAYS).where(USAGE_DAYS.c.day >= from_day, USAGE_DAYS.c.day <= until_day)
        if terminal:
            wanted = wanted.where(USAGE_DAYS.c.terminal == terminal)
        if account:
            wanted = wanted.where(USAGE_DAYS.c.account == account)
        with told():
            rows = self._connection.execute(wanted.order_by(USAGE_DAYS.c.day, USAGE_DAYS.c.terminal)).all()
        return [UsageDay(r.terminal, r.day, r.account, r.down_bytes, r.up_bytes) for r in rows]

    def used_bytes(self, account: str, cycle: str) -> int:
        wanted = select(USAGE_CYCLES.c.used_bytes).where(
            USAGE_CYCLES.c.account == account, USAGE_CYCLES.c.cycle == cycle
        )
        with told():
            return int(self._connection.execute(wanted).scalar() or 0)

    def used_in(self, cycle: str) -> Sequence[Used]:
        with told():
            rows = _USED_IN.all(self._connection, {"of_cycle": cycle})
        return [Used(*row) for row in rows]

    def used_since(self, changed: int, limit: int) -> Sequence[Used]:
        with told():
            rows = _USED_SINCE.all(self._connection, {"since": changed, "most": limit})
        return [Used(*row) for row in rows]

    def app_days(self, from_day: str, until_day: str) -> Sequence[AppDay]:
        wanted = (
            select(APP_DAYS)
            .where(APP_DAYS.c.day >= from_day, APP_DAYS.c.day <= until_day)
            .order_by(APP_DAYS.c.country, APP_DAYS.c.day)
        )
        with told():
            rows = self._connection.execute(wanted).all()
        return [AppDay(row.country, row.day, row.installs, row.active) for row in rows]


class CountsSqlWriter(CountsSqlReader):
    """The CountsWriter port: part of a transaction."""

    def _whole(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def keep_progress(self, name: str, progress: Progress) -> None:
        row = {"name": name, "sequence": progress.sequence, "note": progress.note}
        self._run(_PUT_PROGRESS, [row])

    def drop_progress(self, name: str) -> None:
        with self._whole():
            self._connection.execute(delete(PROGRESS).where(PROGRESS.c.name == name))

    def add_usage(self, terminal: str, account: str, reports: Sequence[UsageReport]) -> int:
        new = self._not_counted(terminal, reports)
        if not new:
            return 0
        days: defaultdict[str, list[int]] = defaultdict(lambda: [0, 0])
        cycles: defaultdict[str, int] = defaultdict(int)
        for report in new:
            days[report.day][0] += report.down_bytes
            days[report.day][1] += report.up_bytes
            cycles[report.cycle] += report.down_bytes + report.up_bytes
        with self._whole():
            self._connection.execute(insert(USAGE), [_row(terminal, report) for report in new])
            changed = self._connection.execute(_CHANGED).scalar_one()
        self._run(
            _ADD_DAY,
            [
                {"terminal": terminal, "day": day, "account": account, "down_bytes": down, "up_bytes": up}
                for day, (down, up) in days.items()
            ],
        )
        self._run(
            _ADD_CYCLE,
            [
                {"account": account, "cycle": cycle, "used_bytes": used, "changed": changed + n}
                for n, (cycle, used) in enumerate(cycles.items(), 1)
            ],
        )
        return len(new)

    def drop_usage(self, before: int) -> int:
        with self._whole():
            return self._connection.execute(delete(USAGE).where(USAGE.c.at_us < before)).rowcount

    def add_app_use(self, use: AppDay) -> None:
        row = {"country": use.country, "day": use.day, "installs": use.installs, "active": use.active}
        self._run(_ADD_APP_DAY, [row])

    def _erase_usage(self, subject_id: str) -> None:
        """When a terminal was used, or those of an account; what it comes to in a cycle stays."""
        with self._whole():
            self._connection.execute(delete(USAGE).where(USAGE.c.terminal == subject_id))
            self._connection.execute(
                delete(USAGE_DAYS).where(
                    (USAGE_DAYS.c.terminal == subject_id) | (USAGE_DAYS.c.account == subject_id)
                )
            )

    def _not_counted(self, terminal: str, reports: Sequence[UsageReport]) -> list[UsageReport]:
        """Each number once. Raises Conflict for one that came with other figures."""
        given: dict[int, UsageReport] = {}
        for report in reports:
            if given.setdefault(report.sequence, report) != report:
                raise _differs(report.sequence)
        with self._whole():
            rows = _SEEN.all(self._connection, {"of_terminal": terminal, "numbers": list(given)})
        for sequence, *before in rows:
            again = given.pop(sequence)
            if [again.at, again.down_bytes, again.up_bytes] != before:
                raise _differs(sequence)
        return list(given.values())

    def _run(self, statements: dict[str, Any], rows: list[dict[str, Any]]) -> None:
        with self._whole():
            self._connection.execute(statements[self._connection.dialect.name], rows)


def _row(terminal: str, report: UsageReport) -> dict[str, Any]:
    return {
        "terminal": terminal,
        "sequence": report.sequence,
        "at_us": report.at,
        "down_bytes": report.down_bytes,
        "up_bytes": report.up_bytes,
    }


def _differs(sequence: int) -> Conflict:
    return Conflict(
        "usage.other-report",
        f"report {sequence}",
        "one with this number was counted before, with other figures",
        "give every report a number of its own, and send it unaltered when it is sent again",
    )
