"""Plans of tables, and their writing: round trips, rows that are taken once, crashes, groups of rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skylift.adapters.sql.store import open_store, sqlite_url
from skylift.adapters.tables import read_table
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Conflict, Wanted
from skylift.service.account.roles import Grant, Role
from skylift.service.importing import state as importing
from skylift.service.request.events import Channel, SiteKind
from skylift.service.rooms import ROOMS
from skylift.twin.office import imports
from skylift.twin.office.imports import Asker, Plan, exported, planned
from skylift.twin.office.imports_columns import looks_personal
from skylift.twin.office.imports_kinds import KINDS
from skylift.twin.office.imports_writing import begun, earlier, write_part
from skylift.twin.office.verbs import Actor
from tests.twin.conftest import Bureau

AT = InstantUs(1_645_876_800_000_000)
BOTH = Actor("per_both", grants=(Grant(Role.OPERATOR), Grant(Role.LOGISTICS)))


def plan_of(bureau: Any, kind: str, text: str, actor: Actor = BOTH, cause: str | None = None) -> Plan:
    with bureau.store.reading() as reader:
        return planned(bureau.office, reader, Asker(actor, AT, cause), KINDS[kind], read_table(text.encode()))


def write(bureau: Any, kind: str, text: str, parts: int | None = None) -> tuple[Plan, str]:
    """Writes so many parts of a table, all of them without a number."""
    id = bureau.office.ids.new("imp")
    plan = plan_of(bureau, kind, text, cause=id)
    assert plan.bad == [], plan.bad
    who = Who(AT, BOTH.person)
    with bureau.store.transaction() as transaction:
        run = begun(transaction, who, id, plan, "")
    for part in plan.parts[:parts]:
        with bureau.store.transaction() as transaction:
            run = write_part(transaction, KINDS[kind], who, run, part)
    return plan, id


def table_of(bureau: Any, kind: str) -> str:
    with bureau.store.reading() as reader:
        things = [one.thing for one in reader.list(KINDS[kind].room, Wanted(limit=10_000))]
    out = io.StringIO()
    csv.writer(out).writerows(exported(KINDS[kind], things))
    return out.getvalue()


def told(plan: Plan) -> tuple[int, int, int, int]:
    return plan.new, len(plan.changed), plan.same, len(plan.bad)


serials = st.from_regex(r"SN-[A-Z0-9]{4,12}", fullmatch=True)
cells = st.sampled_from(["851e5227fffffff", "851e5237fffffff", ""])


@pytest.fixture
def staffed(bureau: Bureau) -> Bureau:
    bureau.at = int(AT)
    bureau.account("acc_a")
    bureau.account("acc_b")
    return bureau


def fresh(folder: Path) -> Bureau:
    bureau = Bureau(open_store(sqlite_url(folder), ROOMS))
    bureau.at = int(AT)
    bureau.account("acc_a")
    return bureau


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(
        st.tuples(
            serials, st.sampled_from(["", "gift"]), st.sampled_from(["", "acc_a"]), cells,
            st.sampled_from(["", "portable", "In Motion"]),
        ),
        min_size=1, max_size=12, unique_by=lambda row: row[0],
    )
)  # fmt: skip
def test_what_terminals_are_exported_as_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, ...]]
) -> None:
    bureau = fresh(tmp_path_factory.mktemp("round"))
    # Rows that no terminal can be are left out, as the plan says of them.
    given_rows = [(a, b, c, d, e) for a, b, c, d, e in rows if not c or (b and d)]
    given_rows = [(a, b, c, d if c else "", e if c else "") for a, b, c, d, e in given_rows]
    text = "serial,origin,owner,cell,mobility,hardware\n"
    text += "".join(f"{','.join(row)},STD-V2\n" for row in given_rows)
    if given_rows:
        write(bureau, "terminal", text)
    assert told(plan_of(bureau, "terminal", text)) == (0, 0, len(given_rows), 0)
    out = table_of(bureau, "terminal")
    assert told(plan_of(bureau, "terminal", out)) == (0, 0, len(given_rows), 0)
    assert bureau.store.verify().valid
    bureau.store.close()


# What looks personal is refused in a table, as at any door.
texts = (
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30)
    .map(str.strip)
    .filter(lambda text: not looks_personal(text))
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    plans=st.lists(
        st.tuples(
            texts.filter(bool), st.integers(1, 4), st.floats(1e3, 1e9), st.floats(1e3, 1e9),
            st.one_of(st.none(), st.integers(1, 10**15)),
        ),
        max_size=6,
    ),
    calls=st.lists(
        st.tuples(st.sampled_from(Channel), st.sampled_from(SiteKind), st.integers(0, 99), cells), max_size=6
    ),
)  # fmt: skip
def test_what_plans_and_calls_are_exported_as_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, plans: list[Any], calls: list[Any]
) -> None:
    bureau = fresh(tmp_path_factory.mktemp("round"))
    for title, service_class, down, up, allowance in plans:
        try:
            rates = {"down_bps": down, "up_bps": up, "allowance_bytes": allowance}
            bureau.do(bureau.operator, "plan.create", title=title, service_class=service_class, **rates)
        except Refused:
            continue
    for channel, site_kind, people, cell in calls:
        call = {"channel": channel.value, "site_kind": site_kind.value, "people": people, "cell": cell}
        bureau.do(bureau.operator, "request.create", link="https://x.example/1", asker="CANARY", **call)
    for kind in ("plan", "request", "account"):
        text = table_of(bureau, kind)
        assert "CANARY" not in text
        rows = list(csv.reader(io.StringIO(text)))
        assert not any(cell[:1] in "=+-@" for row in rows[1:] for cell in row if cell), "no cell is a formula"
        plan = plan_of(bureau, kind, text)
        assert told(plan) == (0, 0, len(rows) - 1, 0), (plan.bad, plan.changed)
    bureau.store.close()


def test_a_title_that_looks_like_a_formula_is_guarded_and_comes_back(staffed: Bureau) -> None:
    rates = {"service_class": 4, "down_bps": 1e6, "up_bps": 1e6}
    for title in ("=cmd|'/C calc'!A0", "+1", "-1", "@SUM", "'=quoted", "'plain"):
        staffed.do(staffed.operator, "plan.create", title=title, **rates)
    text = table_of(staffed, "plan")
    assert "'=cmd" in text
    assert told(plan_of(staffed, "plan", text)) == (0, 0, 6, 0)


def test_rows_of_calls_are_taken_once_also_in_a_longer_table(staffed: Bureau) -> None:
    head = "site_kind,people,asker,latitude,longitude\n"
    rows = "hospital,40,CANARY One,50.4501,30.5234\nschool,9,CANARY Two,,\nschool,9,CANARY Two,,\n"
    write(staffed, "request", head + rows)
    assert told(plan_of(staffed, "request", head + rows)) == (0, 0, 3, 0)
    longer = plan_of(staffed, "request", f"{head}school,9,CANARY Two,,\nrescue,1,,,\n{rows}")
    assert told(longer) == (2, 0, 3, 0), "a third one like the second, and another"
    with staffed.store.reading() as reader:
        calls = reader.list(KINDS["request"].room, Wanted())
        [first] = [one for one in calls if one.thing.people == 40]
        assert reader.personal(first.id) == {
            "asker": "CANARY One", "latitude_deg": 50.4501, "longitude_deg": 30.5234
        }  # fmt: skip
        assert first.thing.cell == "851e624ffffffff" or first.thing.cell.startswith("85")
        assert first.thing.channel is Channel.CSV
    assert "CANARY" not in str(list(staffed.store.journal(0, 1000)))


def test_what_is_personal_of_a_call_that_is_there_is_not_changed(staffed: Bureau) -> None:
    id = staffed.do(staffed.operator, "request.create", channel="phone", site_kind="hospital").id
    plan = plan_of(staffed, "request", f"id,asker\n{id},CANARY\n")
    assert [(bad.row, bad.column) for bad in plan.bad] == [(2, "asker")]
    moved = plan_of(staffed, "request", f"id,cell\n{id},851e5227fffffff\n")
    assert moved.changed[0].fields == {"cell": (None, "851e5227fffffff")}
    other = plan_of(staffed, "request", f"id,people\n{id},7\n")
    assert [(bad.column, bad.way_out) for bad in other.bad] == [
        ("people", "a call stays as it was made: leave the cell empty")
    ]


SHIPMENTS = "reference,origin,destination,recipient,serial,product,quantity\n"


def test_rows_of_one_consignment_are_one_consignment(staffed: Bureau) -> None:
    rows = (
        "TRK-001,WAW-1,KYV-1,acc_a,SN-0001,STD-V2,\n",
        "TRK-001,,,,SN-0002,STD-V2,1\n",
        "TRK-002,WAW-1,KYV-1,acc_b,,CABLE-5,20\n",
        "TRK-001,,,,,CABLE-5,7\n",
        "TRK-003,WAW-1,KYV-1,acc_b,,,\n",
    )
    plan, _ = write(staffed, "shipment", SHIPMENTS + "".join(rows))
    assert told(plan) == (5, 0, 0, 0)
    with staffed.store.reading() as reader:
        found = {one.thing.reference: one for one in reader.list(KINDS["shipment"].room, Wanted())}
    first = found["TRK-001"]
    assert (dict(first.thing.goods.serials), dict(first.thing.goods.counts), first.version) == (
        {"SN-0001": "STD-V2", "SN-0002": "STD-V2"}, {"CABLE-5": 7}, 1,
    )  # fmt: skip
    assert told(plan_of(staffed, "shipment", SHIPMENTS + "".join(rows))) == (0, 0, 5, 0)
    out = table_of(staffed, "shipment")
    assert told(plan_of(staffed, "shipment", out)) == (0, 0, 5, 0)
    then = SHIPMENTS + "TRK-001,,,,,CABLE-5,9\nTRK-001,,,,SN-0003,STD-V2,\nTRK-001,,,,SN-0001,STD-V2,\n"
    plan = plan_of(staffed, "shipment", then)
    assert told(plan) == (0, 2, 1, 0)
    assert plan.changed[0].fields == {"quantity": (7, 9)}
    write(staffed, "shipment", then)
    with staffed.store.reading() as reader:
        goods = reader.get(KINDS["shipment"].room, first.id).thing.goods
    assert (len(goods.serials), goods.counts) == (3, {"CABLE-5": 9})


def test_lines_that_cannot_be_are_told_each(staffed: Bureau) -> None:
    rows = (
        "TRK-001,WAW-1,KYV-1,acc_a,SN-0001,STD-V2,\n",
        "TRK-001,WAW-1,KYV-1,acc_a,SN-0001,STD-V3,\n",
        "TRK-001,,,,SN-0002,STD-V2,2\n",
        "TRK-001,,,,SN-0003,,\n",
        "TRK-001,WAW-1,KYV-2,acc_a,SN-0004,STD-V2,\n",
        "TRK-002,WAW-1,,acc_a,SN-0005,STD-V2,\n",
        "TRK-003,WAW-1,KYV-1,acc_absent,SN-0006,STD-V2,\n",
    )
    plan = plan_of(staffed, "shipment", SHIPMENTS + "".join(rows))
    assert [(bad.row, bad.column) for bad in plan.bad] == [
        (3, "product"), (4, ""), (5, ""), (6, "destination"), (7, ""), (8, ""),
    ]  # fmt: skip


# --- writing in parts


def many(count: int) -> str:
    return "serial,hardware\n" + "".join(f"SN-{n:05},STD-V2\n" for n in range(count))


def test_an_import_that_was_broken_off_goes_on_where_it_stood(
    staffed: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART", 10)
    text = many(35)
    before = plan_of(staffed, "terminal", text)
    _, id = write(staffed, "terminal", text, parts=2)
    assert len(staffed_terminals(staffed)) == 20
    with staffed.store.reading() as reader:
        run = earlier(reader, before.hash)
    assert run is not None
    assert (run.id, run.thing.written, run.thing.state) == (id, 2, importing.ImportState.UNDER_WAY)
    again = plan_of(staffed, "terminal", text, cause=id)
    assert [part.hash for part in again.parts[2:]] == list(run.thing.parts[2:]), "the rest is as it was"
    assert told(again) == (15, 0, 20, 0)
    for part in again.parts[2:]:
        with staffed.store.transaction() as transaction:
            run = write_part(transaction, KINDS["terminal"], Who(AT, "per_other"), run, part)
    assert run.thing.state is importing.ImportState.DONE
    assert len(staffed_terminals(staffed)) == 35
    causes = {
        row.event.cause_id for row in staffed.store.journal(0, 1000) if row.event.NAME.startswith("terminal.")
    }
    assert causes == {id}


def staffed_terminals(bureau: Bureau) -> Sequence[Any]:
    with bureau.store.reading() as reader:
        return reader.list(KINDS["terminal"].room, Wanted(limit=1000))


def test_a_part_is_written_once_whoever_writes_it(staffed: Bureau, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imports, "PART", 10)
    plan = plan_of(staffed, "terminal", many(20))
    who = Who(AT, BOTH.person)
    with staffed.store.transaction() as transaction:
        run = begun(transaction, who, "imp_1", plan, "")
    with staffed.store.transaction() as transaction:
        write_part(transaction, KINDS["terminal"], who, run, plan.parts[0])
    for part in plan.parts:
        with staffed.store.transaction() as transaction, pytest.raises(Conflict):
            write_part(transaction, KINDS["terminal"], who, run, part)
    assert len(staffed_terminals(staffed)) == 10


def test_a_part_whose_things_have_changed_is_not_written_and_says_how_far_it_came(
    staffed: Bureau, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PART", 10)
    write(staffed, "terminal", many(20))
    then = "serial,kit\n" + "".join(f"SN-{n:05},KIT-{n:05}\n" for n in range(20))
    plan = plan_of(staffed, "terminal", then)
    who = Who(AT, BOTH.person)
    with staffed.store.transaction() as transaction:
        run = begun(transaction, who, "imp_1", plan, "")
    with staffed.store.transaction() as transaction:
        run = write_part(transaction, KINDS["terminal"], who, run, plan.parts[0])
    late = staffed.terminal("SN-00015").id
    names = {"serial": "SN-00015", "dish_id": "ut01", "why": "learned"}
    staffed.do(staffed.logistics, "terminal.name", late, **names)
    with (
        pytest.raises(Conflict, match="1 of 2 parts are written"),
        staffed.store.transaction() as transaction,
    ):
        write_part(transaction, KINDS["terminal"], who, run, plan.parts[1])
    assert [one.thing.kit for one in staffed_terminals(staffed)].count("") == 10
    assert staffed.terminal("SN-00012").kit == ""
    plan = plan_of(staffed, "terminal", then)
    assert told(plan) == (0, 10, 10, 0)


def test_what_one_may_not_do_one_by_one_no_table_does(staffed: Bureau) -> None:
    staffed.open_region()
    home = "owner,cell,region\nSN-0001,STD-V2,gift,acc_a,851e5227fffffff,rgn_ua\n"
    text = f"serial,hardware,origin,{home}"
    plan = plan_of(staffed, "terminal", text, staffed.logistics)
    assert "terminal.register" in str(plan.bad) or "role" in plan.bad[0].reason
    write(staffed, "terminal", text)
    polish = Actor("per_pl", grants=(Grant(Role.OPERATOR, ("rgn_pl",)), Grant(Role.LOGISTICS, ("rgn_pl",))))
    [bad] = plan_of(staffed, "terminal", "serial,kit\nSN-0001,KIT-0001\n", polish).bad
    assert (bad.column, bad.reason) == ("serial", "it belongs to something else already")
    scoped = Actor("per_s", grants=BOTH.grants, scopes=("terminal.import", "terminal.read"))
    [bad] = plan_of(staffed, "terminal", "serial,hardware\nSN-9,STD-V2\nSN-0009,STD-V2\n", scoped).bad[:1]
    assert bad.row == 2


LINES = "dish_id,line,line_product,line_standing,line_started,line_ended,line_source\n"
ON_A_LINE = "ut01,AST-511274-31364-54,business-100,active,2025-01-05T00:00:00Z,{},operators-api\n"


def test_lines_of_a_table_are_recorded_changed_and_taken_away(staffed: Bureau) -> None:
    made = "dish_id,serial,hardware,network,origin\n"
    write(
        staffed, "terminal", f"{made}ut01,SN-0001,STD-V2,operator,gift\nut02,SN-0002,STD-V2,operator,gift\n"
    )
    first = LINES + ON_A_LINE.format("none") + "ut02,none,,,,,operators-api\n"
    assert told(plan_of(staffed, "terminal", first)) == (0, 2, 0, 0)
    write(staffed, "terminal", first)
    # The same once more, and what it is exported as, change nothing.
    for same in (first, table_of(staffed, "terminal")):
        assert told(plan_of(staffed, "terminal", same)) == (0, 0, 2, 0)
    # Cancelled; then renewed, and with a column that says nothing of the product.
    write(staffed, "terminal", LINES + ON_A_LINE.format("2025-03-01"))
    line = staffed.terminal("SN-0001").line
    assert line is not None
    assert (line.product, line.ended_at) == ("business-100", 1_740_787_200_000_000)
    write(staffed, "terminal", "dish_id,line,line_ended\nut01,AST-511274-31364-54,none\n")
    line = staffed.terminal("SN-0001").line
    assert line is not None
    assert (line.product, line.ended_at, line.source.value) == ("business-100", None, "operators-api")
    # Moved to the other dish: of the one it is taken, and both keep what was.
    write(staffed, "terminal", LINES + ON_A_LINE.format("").replace("ut01", "ut02") + "ut01,none,,,,,\n")
    one, other = (staffed.terminal(serial) for serial in ("SN-0001", "SN-0002"))
    assert [t.line.number if t.line else None for t in (one, other)] == ["", "AST-511274-31364-54"]
    names = [row.event.NAME for row in reversed(staffed.store.history(one.id, None, 9))]
    recorded, gone = "terminal.line-recorded/1", "terminal.no-line-recorded/1"
    assert names[-4:] == [recorded, recorded, recorded, gone]
    assert told(plan_of(staffed, "terminal", table_of(staffed, "terminal"))) == (0, 0, 2, 0)
    assert staffed.store.verify().valid


def test_a_new_terminal_comes_with_its_line(staffed: Bureau) -> None:
    headings, row = LINES.strip(), ON_A_LINE.format("none").strip()
    text = f"{headings},hardware,origin\n{row},STD-V2,gift\nut02,none,,,,,,STD-V2,gift\n"
    write(staffed, "terminal", text)
    assert told(plan_of(staffed, "terminal", text)) == (0, 0, 2, 0)
    assert [t.thing.line.off(0) for t in staffed_terminals(staffed)].count(None) == 1


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        ("ut77,AST-1,,,,,", "", "it is not in the fleet"),
        ("ut01,,,active,,,", "", "its line is not known"),
        ("ut01,none,,active,,,", "line_standing", "it is otherwise"),
        ("ut01,AST-1,Olena Petrenko,,,,", "line_product", "2 to 80 Latin letters"),
        ("ut01,Olena's house,,,,,", "line", "letters, digits"),
        ("ut01,AST-1,,on,,,", "line_standing", "it is one of active"),
        ("ut01,AST-1,,,2025-02-01,2025-01-01,", "", "a line ends after it began"),
    ],
)
def test_a_line_that_cannot_be_taken_is_told_by_row_and_reason(
    staffed: Bureau, row: str, column: str, reason: str
) -> None:
    write(staffed, "terminal", "dish_id,hardware,origin\nut01,STD-V2,gift\n")
    [bad] = plan_of(staffed, "terminal", f"{LINES}{row}\n").bad
    assert (bad.row, bad.column) == (2, column)
    assert reason in bad.reason
    assert "Olena" not in f"{bad.reason} {bad.way_out}"


def test_two_names_of_two_terminals_are_not_one(staffed: Bureau) -> None:
    write(staffed, "terminal", "serial,kit,hardware\nSN-0001,KIT-0001,STD-V2\nSN-0002,KIT-0002,STD-V2\n")
    plan = plan_of(staffed, "terminal", "serial,kit\nSN-0001,KIT-0002\nSN-0003,KIT-0003\n")
    assert [(bad.row, bad.column) for bad in plan.bad] == [(2, ""), (3, "")]
    assert plan_of(staffed, "terminal", "id,serial\ntrm_absent,SN-0001\n").bad[0].column == "id"


@pytest.mark.parametrize(
    ("heading", "rule"),
    [
        ("hardware", "it lacks dish_id or id or kit or serial"),
        ("serial,Serial Number", "same heading"),
        ("serial,Іван Петренко", "not known"),
        ("serial,", "not known|lacks"),
    ],
)
def test_headings_that_cannot_be_are_refused_and_not_repeated(
    staffed: Bureau, heading: str, rule: str
) -> None:
    if heading == "serial,":
        assert plan_of(staffed, "terminal", "serial,\nSN-0001,\n").rows == 1
        return
    with pytest.raises(Refused, match=rule) as caught:
        plan_of(staffed, "terminal", f"{heading}\nSN-0001,x\n")
    assert "Іван" not in str(caught.value)


@pytest.mark.parametrize(
    "cell", ["1.23E+11", "=1+1", "+380501234567", "380501234567", "КІТ-0001", "x" * 5000, "'=A1"]
)
def test_a_serial_that_is_none_is_told_and_not_repeated(staffed: Bureau, cell: str) -> None:
    [bad] = plan_of(staffed, "terminal", f"serial,hardware\n{cell},STD-V2\n").bad
    assert (bad.row, bad.column) == (2, "serial")
    assert cell not in str(bad)
