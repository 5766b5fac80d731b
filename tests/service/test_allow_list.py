"""Lists of who may be served: rules as data, rows all or nothing, previews against counting by hand,
grace.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skylift.adapters.packaged import packaged_text
from skylift.base.errors import Refused
from skylift.base.events import Event, EventTypes, Who, to_payload
from skylift.base.instants import InstantUs, parse_instant
from skylift.service.terminal.allow_list import decide, rows
from skylift.service.terminal.allow_list.preview import Index, KnownTerminal, Preview, preview
from skylift.service.terminal.allow_list.rows import Entry, ReadRows
from skylift.service.terminal.allow_list.rules import Rules, rules_from_toml
from skylift.service.terminal.allow_list.state import CYCLE, LABELS, ROOM, AllowList, AllowListState, label

HOUR = 3_600_000_000
TEXT = packaged_text("allow-lists/ua-2026.toml")
RULES = rules_from_toml(TEXT, "ua-2026.toml")
NOW = parse_instant("2026-02-10T08:00:00Z")
WHO = Who(NOW, "per_1")
HEAD = "kit;dish_id;owner_kind;shown;reference\n"


# --- the rules as data


def test_ukraines_rules_of_2026_are_as_announced() -> None:
    """Persons 1 unseen and 3 shown, companies 10, critical infrastructure without limit, the military
    elsewhere (Ministry of Digital Transformation, as inkorr.com and minfin.com.ua reported on 3 February
    2026)."""
    limits = {kind: (x.at_most, x.at_most_unseen, x.elsewhere) for kind, x in RULES.limits.items()}
    assert limits == {
        "person": (3, 1, False),
        "company": (10, None, False),
        "critical-infrastructure": (None, None, False),
        "military": (None, None, True),
    }
    assert RULES.in_force_from == parse_instant("2026-02-03")
    assert (RULES.name, RULES.version, RULES.country, RULES.grace_us) == ("ua-2026", 1, "UA", 48 * HOUR)
    assert RULES.sources
    assert RULES.kind_of_owner(" ФОП ") == RULES.kind_of_owner("Person") == "person"
    assert RULES.kind_of_owner("nobody") == ""


@pytest.mark.parametrize(
    ("old", "new", "hint"),
    [
        ("at_most = 10", "at_mots = 10", "at_most"),
        ("at_most = 10", 'at_most = "ten"', "whole number"),
        ("at_most_unseen = 1", "at_most_unseen = 4", "no more than at_most"),
        ("grace_h = 48", "grace_days = 2", "grace_h"),
        ('country = "UA"', 'country = "Ukraine"', "two capitals"),
    ],
)
def test_a_slip_in_the_rules_is_refused(old: str, new: str, hint: str) -> None:
    assert old in TEXT
    with pytest.raises(Refused, match=hint):
        rules_from_toml(TEXT.replace(old, new), "ua-2026.toml")


def test_rules_without_owners_or_source_are_refused() -> None:
    with pytest.raises(Refused, match="kind of owner"):
        rules_from_toml(TEXT.partition("[owner.")[0] + "[[source]]", "x.toml")
    with pytest.raises(Refused, match=r"\[\[source\]\]"):
        rules_from_toml(TEXT.partition("[[source]]")[0], "x.toml")


# --- rows


def read(text: str, known: frozenset[str] = frozenset()) -> ReadRows:
    return rows.read(rows.table_of_csv(text), RULES, known)


def test_rows_are_read_with_other_headings_and_words() -> None:
    head = "\ufeffKIT number,UTID,Owner kind,Device shown,Case no\n"
    text = head + "kit 00012345,,ФОП,так,118/26\n\n,UT0123-4567,company,,7"
    assert read(text) == ReadRows(
        (
            Entry("", "KIT00012345", "", "person", True, "118/26"),
            Entry("", "", "ut0123-4567", "company", False, "7"),
        ),
        (2, 4),
        (),
    )


SECRETS = ("3184710691", "КВ123456", "FA123456", "001234567", "19850412-01234", "+380441234567")


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("column", range(5))
def test_identity_numbers_are_refused_in_every_column_and_never_repeated(secret: str, column: int) -> None:
    cells = ["KIT00012345", "ut0123-4567", "person", "yes", "118/26"]
    cells[column] = secret
    with pytest.raises(Refused, match=f"column {column + 1}: ") as refusal:
        read(HEAD + "KIT00099999;;person;yes;7/26\n" + ";".join(cells))
    assert refusal.value.code == "allow-list.personal-column"
    assert secret not in str(refusal.value)


@pytest.mark.parametrize(
    "heading",
    [
        "Passport",
        "паспорт",
        "РНОКПП",
        "tax id",
        "tax_number",
        "ІПН",
        "ИНН",
        "Surname",
        "ПІБ",
        "e-mail",
        "Телефон",
        "identity number",
        "national_id",
        "birth date",
        "адреса",
        "latitude",
        "3184710691",
        "full name",
    ],
)
def test_columns_that_tell_who_a_person_is_are_refused_by_their_heading(heading: str) -> None:
    with pytest.raises(Refused, match="column 6") as refusal:
        read(f"kit;dish_id;owner_kind;shown;reference;{heading}\nKIT00012345;;person;yes;118/26;")
    assert refusal.value.code == "allow-list.personal-column"


def test_a_file_without_headings_does_not_leak_its_first_row() -> None:
    with pytest.raises(Refused) as refusal:
        read("KIT00012345;;Shevchenko;yes;118/26")
    assert "Shevchenko" not in str(refusal.value)
    assert "KIT00012345" not in str(refusal.value)


def test_a_serial_of_ours_is_no_passport() -> None:
    text = HEAD + "SN000001;;person;yes;118/26"
    with pytest.raises(Refused, match="column 1"):
        read(text)
    assert read(text, frozenset({"SN000001"})).entries[0].kit == "SN000001"


def test_every_bad_row_is_told_and_then_none_is_read() -> None:
    text = HEAD + (
        "KIT00000001;;person;yes;118/26\n"
        "КІТ00000002;;person;yes;118/26\n"  # Cyrillic letters
        ";;person;yes;118/26\n"
        "KIT00000004;;soldier;maybe;\n"
        "KIT00000005;;military;yes;119/26\n"
        "KIT00000001;;person;yes;118/26\n"
        "KIT00000007;;person;yes;case of Petrenko 7;more\n"
    )
    got = read(text)
    assert got.entries == ()
    assert [(bad.number, bad.column) for bad in got.bad] == [
        (3, "kit"),
        (4, ""),
        (5, "owner_kind"),
        (5, "shown"),
        (5, "reference"),
        (6, "owner_kind"),
        (7, ""),
        (8, ""),
        (8, "reference"),
    ]
    assert not any("Petrenko" in bad.why or "КІТ" in bad.why for bad in got.bad)
    assert "a channel of their own" in got.bad[5].why
    assert "row 2" in got.bad[6].why


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "lacks"),
        ("kit;shown;reference\n", "owner_kind"),
        ("owner_kind;shown;reference\n", "serial, kit or dish_id"),
        ("kit;kit;owner_kind;shown;reference\n", "same heading"),
        ("kit;colour;owner_kind;shown;reference\n", "column 2"),
        ('kit;owner_kind;shown;reference\n"KIT1;person', "quote"),
    ],
)
def test_tables_that_are_no_list(text: str, hint: str) -> None:
    with pytest.raises(Refused, match=hint):
        read(text)


# --- the preview


def entry(n: int, reference: str, kind: str = "person", shown: bool = True) -> Entry:
    return Entry("", f"KIT{n:08d}", "", kind, shown, reference)


def known(n: int, **more: Any) -> KnownTerminal:
    return KnownTerminal(f"trm_{n}", f"SER{n:08d}", f"KIT{n:08d}", f"ut{n:08d}", **more)


def shown_as(entries: list[Entry], terminals: list[KnownTerminal]) -> Preview:
    return preview(entries, range(2, len(entries) + 2), terminals, RULES)


def test_who_stays_who_is_cut_off_and_what_does_not_match() -> None:
    got = shown_as(
        [entry(1, "1/26"), Entry("SER00000002", "", "ut00000002", "company", True, "2/26"), entry(9, "3/26")],
        [
            known(1),
            known(2),
            known(3),
            known(4, serves="hospital"),
            known(5, owner_kind="critical-infrastructure"),
            known(6, owner_kind="military", serves="hospital"),
            KnownTerminal("trm_7"),
        ],
    )
    assert got.stays == ("trm_1", "trm_2", "trm_6")
    assert got.cut_off == ("trm_3", "trm_4", "trm_5", "trm_7")
    assert got.flagged == ("trm_4", "trm_5")
    assert got.unnamed == ("trm_7",)
    assert got.elsewhere == ("trm_6",)
    assert got.unmatched_rows == (4,)
    assert got.clashes == got.breaches == ()


def test_rows_that_contradict_what_is_known() -> None:
    swapped = Entry("", "KIT00000001", "ut00000099", "person", True, "1/26")
    mixed = Entry("SER00000002", "KIT00000003", "", "person", True, "1/26")
    got = shown_as([swapped, mixed, entry(4, "2/26"), entry(4, "3/26")], [known(n) for n in range(1, 5)])
    assert [(c.row, c.why, c.terminals) for c in got.clashes] == [
        (2, "names-differ", ("trm_1",)),
        (3, "two-terminals", ("trm_2", "trm_3")),
        (5, "listed-twice", ("trm_4",)),
    ]
    # Doubtful ones are not called cut off.
    assert got.cut_off == ()


@pytest.mark.parametrize(
    ("kind", "shown", "breaches"),
    [
        ("person", [True] * 3, []),
        ("person", [True, True, False], []),
        ("person", [True] * 4, [("at-most", 3, 4)]),
        ("person", [False] * 2, [("at-most-unseen", 1, 2)]),
        ("person", [False] * 4, [("at-most", 3, 4), ("at-most-unseen", 1, 4)]),
        ("company", [False] * 10, []),
        ("company", [True] * 11, [("at-most", 10, 11)]),
        ("critical-infrastructure", [False] * 500, []),
    ],
)
def test_how_many_an_owner_may_have(
    kind: str, shown: list[bool], breaches: list[tuple[str, int, int]]
) -> None:
    entries = [entry(n, "1/26", kind, is_shown) for n, is_shown in enumerate(shown)]
    got = shown_as([*entries, entry(1000, "2/26", "person", False)], [])
    assert [(b.rule, b.allowed, b.found) for b in got.breaches] == breaches
    assert all(b.rows == tuple(range(2, len(shown) + 2)) for b in got.breaches)


def test_one_account_of_ours_under_several_cases_is_one_owner() -> None:
    terminals = [known(n, owner="acc_1") for n in range(4)]
    (breach,) = shown_as([entry(n, f"{n + 1}/26") for n in range(4)], terminals).breaches
    assert (breach.by, breach.found, breach.rows) == ("account", 4, (2, 3, 4, 5))
    # The same rows are not told of twice.
    (breach,) = shown_as([entry(n, "1/26") for n in range(4)], terminals).breaches
    assert breach.by == "reference"


ENTRIES = st.lists(
    st.builds(
        Entry,
        st.sampled_from(["", "SER00000001", "SER00000002", "SER00000007"]),
        st.sampled_from(["", "KIT00000001", "KIT00000003", "KIT00000008"]),
        st.just(""),
        st.sampled_from(["person", "company", "critical-infrastructure"]),
        st.booleans(),
        st.sampled_from(["1/26", "2/26"]),
    ).filter(lambda e: e.serial or e.kit),
    max_size=12,
)


@settings(max_examples=200)
@given(ENTRIES, st.sets(st.integers(1, 8)))
def test_the_preview_is_what_counting_by_hand_gives(entries: list[Entry], ids: set[int]) -> None:
    terminals = [known(n, serves="hospital" if n % 2 else "household") for n in sorted(ids)]
    got = shown_as(entries, terminals)
    named = {t.id: [e for e in entries if t.serial == e.serial or t.kit == e.kit] for t in terminals}
    for terminal in terminals:
        clash = any(terminal.id in c.terminals for c in got.clashes)
        if not named[terminal.id]:
            assert terminal.id in got.cut_off
        elif not clash:
            assert terminal.id in got.stays
        # What the preview says stays, a lookup in the list allows, and the other way round.
        allowed = Index(entries).entry_for(terminal.serial, terminal.kit, terminal.dish_id) is not None
        if not clash:
            assert allowed is (terminal.id in got.stays)
    assert set(got.stays) & set(got.cut_off) == set()
    assert set(got.flagged) == {id for id in got.cut_off if int(id[4:]) % 2}
    nobodys = {
        n
        for n, e in enumerate(entries, 2)
        if not any(t.serial == e.serial or t.kit == e.kit for t in terminals)
    }
    assert set(got.unmatched_rows) == nobodys
    per_case = {(e.owner_kind, e.reference) for e in entries}
    too_many = {
        (kind, case)
        for kind, case in per_case
        if (limit := RULES.limits[kind].at_most)
        and sum(e.owner_kind == kind and e.reference == case for e in entries) > limit
    }
    assert len({b for b in got.breaches if b.rule == "at-most" and b.by == "reference"}) == len(too_many)


# --- the import as a thing


@pytest.mark.parametrize("event", CYCLE.events())
@pytest.mark.parametrize("state", AllowListState)
def test_every_step_is_allowed_or_explained(state: AllowListState, event: type[Event]) -> None:
    if (state, event) in CYCLE.steps:
        assert CYCLE.after("alw_1", state, event) is CYCLE.steps[state, event]
    else:
        with pytest.raises(Refused, match=r"from here it can be|begin a new one") as refusal:
            CYCLE.after("alw_1", state, event)
        assert refusal.value.code == "allow-list.wrong-state"


def test_every_state_can_come_about_and_has_words() -> None:
    assert CYCLE.reachable() == set(AllowListState) == set(LABELS)
    assert len({label(state) for state in AllowListState}) == len(AllowListState)


TERMINALS = [known(1), known(2), known(3, serves="hospital")]


def after(allow_list: AllowList, *events: Event) -> AllowList:
    for event in events:
        allow_list = ROOM.apply(allow_list, event)
    return allow_list


def taken(
    entries: list[Entry], terminals: list[KnownTerminal], despite: str = "", id: str = "alw_1"
) -> AllowList:
    got = ReadRows(tuple(entries), tuple(range(2, len(entries) + 2)), ())
    seen = preview(got.entries, got.numbers, terminals, RULES)
    empty = AllowList(id)
    return after(empty, *decide.accepted(empty, WHO, RULES, got, seen, "list 4/26", despite))


def test_a_list_cuts_off_after_its_grace_and_not_before() -> None:
    allow_list = taken([entry(1, "1/26"), entry(3, "2/26")], TERMINALS)
    assert allow_list.apply_after == NOW + 48 * HOUR
    assert allow_list.cut_off(NOW + 100 * HOUR) == frozenset()
    with pytest.raises(Refused, match="grace lasts until 2026-02-12T08:00:00Z"):
        decide.applied(allow_list, Who(InstantUs(NOW + 48 * HOUR - 1), "per_1"), RULES, TERMINALS)
    then = Who(InstantUs(NOW + 48 * HOUR), "per_1")
    allow_list = after(allow_list, *decide.applied(allow_list, then, RULES, TERMINALS))
    assert allow_list.cut_off(then.at - 1) == frozenset()
    assert allow_list.cut_off(then.at) == {"trm_2"}
    with pytest.raises(Refused, match="ask that authority"):
        decide.withdrawn(allow_list, then, "UA-NCEC", "order 1")
    later = Who(InstantUs(then.at + HOUR), "per_1")
    allow_list = after(allow_list, *decide.withdrawn(allow_list, later, "UA-MDT", "order 1"))
    assert allow_list.cut_off(later.at - 1) == {"trm_2"}
    assert allow_list.cut_off(later.at) == frozenset()


def test_before_the_law_is_in_force_nobody_is_cut_off() -> None:
    early = Who(parse_instant("2026-01-20"), "per_1")
    got = ReadRows((entry(1, "1/26"),), (2,), ())
    seen = preview(got.entries, got.numbers, TERMINALS, RULES)
    allow_list = after(
        AllowList("alw_1"), *decide.accepted(AllowList("alw_1"), early, RULES, got, seen, "list 1")
    )
    assert allow_list.apply_after == RULES.in_force_from


def test_a_hospital_is_cut_off_by_two_people_or_not_at_all() -> None:
    allow_list = taken([entry(1, "1/26")], TERMINALS)
    then = Who(InstantUs(NOW + 48 * HOUR), "per_1")
    with pytest.raises(Refused, match="1 terminals of hospitals"):
        decide.applied(allow_list, then, RULES, TERMINALS)
    with pytest.raises(Refused, match="apr_"):
        decide.applied(allow_list, then, RULES, TERMINALS, "yes")
    (event,) = decide.applied(allow_list, then, RULES, TERMINALS, "apr_1")
    assert after(allow_list, event).cut == ("trm_2", "trm_3")


def test_who_came_in_the_grace_is_judged_as_well() -> None:
    allow_list = taken([entry(1, "1/26"), entry(9, "2/26")], TERMINALS[:2])
    then = Who(InstantUs(NOW + 48 * HOUR), "per_1")
    (event,) = decide.applied(allow_list, then, RULES, [*TERMINALS[:2], known(9), known(10)])
    allow_list = after(allow_list, event)
    assert allow_list.cut == ("trm_10", "trm_2")
    assert allow_list.stays == ("trm_1", "trm_9")
    twice = taken([entry(1, "1/26"), Entry("", "KIT00000001", "ut00000001", "person", True, "2/26")], [])
    clashing = KnownTerminal("trm_11", kit="KIT00000001", dish_id="ut00000005")
    with pytest.raises(Refused, match="contradict"):
        decide.applied(twice, then, RULES, [clashing])


def test_a_list_with_faults_is_not_taken() -> None:
    empty = AllowList("alw_1")
    none = preview((), (), [], RULES)
    bad = read(HEAD + ";;person;yes;1/26")
    with pytest.raises(Refused, match="1 of its rows cannot be read"):
        decide.accepted(empty, WHO, RULES, bad, none, "list 1")
    with pytest.raises(Refused, match="cut everybody off"):
        decide.accepted(empty, WHO, RULES, ReadRows((), (), ()), none, "list 1")
    with pytest.raises(Refused, match="1 contradict"):
        taken([entry(1, "1/26"), entry(1, "2/26")], TERMINALS)
    with pytest.raises(Refused, match="more than ua-2026 allows"):
        taken([entry(n, "1/26") for n in range(4)], TERMINALS)
    assert taken([entry(n, "1/26") for n in range(4)], TERMINALS, "answer 9").state is AllowListState.ACCEPTED


def test_the_grace_is_extended_and_never_shortened() -> None:
    allow_list = taken([entry(1, "1/26")], TERMINALS)
    for at in (NOW, NOW + 48 * HOUR):
        with pytest.raises(Refused, match="never shortened"):
            decide.grace_extended(allow_list, WHO, at)
    allow_list = after(allow_list, *decide.grace_extended(allow_list, WHO, NOW + 72 * HOUR))
    with pytest.raises(Refused, match="2026-02-13"):
        decide.applied(allow_list, Who(InstantUs(NOW + 50 * HOUR), "per_1"), RULES, TERMINALS)


def test_it_is_applied_by_the_rules_that_it_was_taken_by() -> None:
    allow_list = taken([entry(1, "1/26")], TERMINALS)
    newer = rules_from_toml(TEXT.replace("version = 1", "version = 2"), "ua-2026.toml")
    assert isinstance(newer, Rules)
    with pytest.raises(Refused, match="ua-2026 version 1"):
        decide.applied(allow_list, Who(InstantUs(NOW + 48 * HOUR), "per_1"), newer, TERMINALS)


def test_a_later_list_replaces_an_earlier_one() -> None:
    then = Who(InstantUs(NOW + 48 * HOUR), "per_1")
    first = taken([entry(n, "1/26") for n in (1, 3)], TERMINALS)
    first = after(first, *decide.applied(first, then, RULES, TERMINALS))
    second = taken([entry(n, "1/26") for n in (2, 3)], TERMINALS, id="alw_2")
    with pytest.raises(Refused, match="apply the later list first"):
        decide.replaced(first, then, second)
    second = after(second, *decide.applied(second, then, RULES, TERMINALS))
    first = after(first, *decide.replaced(first, then, second))
    assert first.cut_off(then.at) == frozenset()
    assert second.cut_off(then.at) == {"trm_1"}


ACTS = st.sampled_from(["accept", "extend", "apply", "withdraw"])


@given(st.lists(st.tuples(ACTS, st.integers(0, 60)), max_size=12))
def test_no_sequence_cuts_off_within_the_grace(acts: list[tuple[str, int]]) -> None:
    allow_list, at, events = AllowList("alw_1"), int(NOW), []
    got = ReadRows((entry(1, "1/26"),), (2,), ())
    seen = preview(got.entries, got.numbers, TERMINALS, RULES)
    for act, hours in acts:
        at += hours * HOUR
        who = Who(InstantUs(at), "per_1")
        try:
            if act == "accept":
                new = decide.accepted(allow_list, who, RULES, got, seen, "list 1")
            elif act == "extend":
                new = decide.grace_extended(allow_list, who, at + HOUR)
            elif act == "apply":
                new = decide.applied(allow_list, who, RULES, TERMINALS, "apr_1")
            else:
                new = decide.withdrawn(allow_list, who, "UA-MDT", "order 1")
        except Refused:
            continue
        events += new
        allow_list = after(allow_list, *new)
        if allow_list.apply_after is not None and at < allow_list.apply_after:
            assert allow_list.cut_off(at) == frozenset()
        assert bool(allow_list.cut_off(at)) is (allow_list.state is AllowListState.APPLIED)
    assert ROOM.replayed("alw_1", tuple(events)) == allow_list
    assert ROOM.from_plain(ROOM.to_plain(allow_list)) == allow_list
    types = EventTypes(ROOM.events)
    for event in events:
        columns = {"at": event.at, "by": event.by, "subject_id": event.subject_id, "cause_id": event.cause_id}
        assert types.read(event.NAME, columns, to_payload(event)) == event
