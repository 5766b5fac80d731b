"""Tables of accounts and of plans. Names, contacts and addresses go to rows that can be erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from skylift.service.account import account, plan
from skylift.service.account.account import Account, Holder
from skylift.service.account.plan import Plan
from skylift.twin.office.imports import ImportKind, Row, Step
from skylift.twin.office.imports_columns import (
    country_column,
    fails,
    id_column,
    id_of,
    number,
    one_of,
    personal,
    plain_text,
    told,
    whole,
)

_OPENED = "it was opened so; close it, or leave the cell empty"
_OFFERED = "a plan never changes: offer a new one, or leave the cell empty"

ACCOUNT_COLUMNS = (
    id_column("acc"),
    told("status"),
    one_of("holder", Holder, "kind", "власник", fixed=_OPENED),
    country_column(_OPENED),
    id_of("region", "rgn", fixed=_OPENED),
    id_of("plan", "pln"),
    told("verified_by"),
    personal("name", "title", "назва"),
    personal("contact", "phone", "телефон"),
    personal("address", "адреса"),
)
_OF_ACCOUNT = ("holder", "country", "region", "name", "contact", "address")


def _begin_account(row: Row) -> Sequence[Step]:
    if not {"holder", "country"} <= row.keys():
        raise fails("a new one needs its holder and country", "write for example company and UA")
    steps = [Step("account.create", {name: row[name] for name in _OF_ACCOUNT if name in row})]
    if "plan" in row:
        steps.append(Step("account.plan", {"plan": row["plan"]}))
    return steps


def _change_account(thing: Account, row: Row) -> Sequence[Step]:
    if row.get("plan", thing.plan) == thing.plan:
        return ()
    return (Step("account.plan", {"plan": row["plan"]}),)


def _show_account(thing: Account, row: Row) -> Mapping[str, Any]:
    return {
        "id": thing.id,
        "status": thing.state.value,
        "holder": thing.holder.value,
        "country": thing.country,
        "region": thing.region or None,
        "plan": thing.plan or None,
        "verified_by": thing.verified_by or None,
    }


ACCOUNTS = ImportKind(
    room=account.ROOM,
    columns=ACCOUNT_COLUMNS,
    needs=(("id", "holder"),),
    keys=(),
    begin=_begin_account,
    change=_change_account,
    show=_show_account,
    rows=lambda thing: (_show_account(thing, {}),),
)

PLAN_COLUMNS = (
    id_column("pln"),
    told("status"),
    plain_text("title", "name", "назва", fixed=_OFFERED),
    whole("service_class", "class", fixed=_OFFERED),
    number("down_bps", fixed=_OFFERED),
    number("up_bps", fixed=_OFFERED),
    whole("allowance_bytes", fixed=_OFFERED),
    number("slow_bps", fixed=_OFFERED),
)
_OF_PLAN = ("title", "service_class", "down_bps", "up_bps", "allowance_bytes", "slow_bps")


def _begin_plan(row: Row) -> Sequence[Step]:
    missing = [name for name in _OF_PLAN[:4] if name not in row]
    if missing:
        raise fails(f"a new one needs its {', '.join(missing)}", "fill these in")
    if row["service_class"] not in list(plan.ServiceClass):
        raise fails("service_class is 1 to 4", "1 is for saving lives, 4 for everybody")
    return (Step("plan.create", {name: row[name] for name in _OF_PLAN if name in row}),)


def _show_plan(thing: Plan, row: Row) -> Mapping[str, Any]:
    return {
        "id": thing.id,
        "status": thing.state.value,
        "title": thing.title,
        "service_class": int(thing.service_class),
        "down_bps": thing.down_bps,
        "up_bps": thing.up_bps,
        "allowance_bytes": thing.allowance_bytes,
        "slow_bps": thing.slow_bps,
    }


PLANS = ImportKind(
    room=plan.ROOM,
    columns=PLAN_COLUMNS,
    needs=(("id", "title"),),
    keys=(),
    begin=_begin_plan,
    change=lambda thing, row: (),
    show=_show_plan,
    rows=lambda thing: (_show_plan(thing, {}),),
)
