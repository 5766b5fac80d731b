"""A store with something of everything, made through the API, so that every page has something to show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.api.office.conftest import CELLS, Person, Town, agreed

# Cells side by side near Kyiv: H3 resolution 5.
PAPERS = ("landing-right", "spectrum", "operator-licence", "type-approval", "customs-route")


@dataclass
class Filled:
    """Ids by what they are for; two: makes a change that takes two people."""

    town: Town
    operator: Person
    approver: Person
    ids: dict[str, str] = field(default_factory=dict)

    def two(self, path: str, **body: Any) -> dict[str, Any]:
        waiting = self.operator.post(path, **body)
        assert waiting.status_code == 202, waiting.text
        agreed(self.approver, waiting)
        return self.operator.made(path, approval=waiting.json()["approval"], **body)


def fill(town: Town, operator: Person, approver: Person, word: str = "", cells: list[str] = CELLS) -> Filled:
    """word: put into every text that takes one, such as what a page must escape."""
    f = Filled(town, operator, approver)
    _region(f, word, cells)
    _account(f, word)
    _terminals(f, cells[0])
    _requests(f, word, cells[0])
    _shipments(f)
    _words(f)
    return f


def _region(f: Filled, word: str, cells: list[str]) -> None:
    region = f.operator.made("regions", country="UA", title=f"Ukraine {word}".strip(), cells=cells)["id"]
    f.ids["region"] = region
    authority = f.town.person("authority", region, by=f.operator, approver=f.approver)
    f.ids["authority"] = authority.id
    authority.made(
        f"regions/{region}/grant", paper="temporary-authorisation", authority="NCEC",
        document="decision 118/26", valid_from="2022-02-26T12:00:00Z", valid_until="2022-03-26T12:00:00Z",
    )  # fmt: skip
    authority.made(
        f"regions/{region}/grant", paper="spectrum", authority="NCEC", document="licence 40",
        valid_from="2021-01-01T00:00:00Z", valid_until="2022-03-05T00:00:00Z",
    )  # fmt: skip
    half = cells[: max(len(cells) * 2 // 3, 1)]
    f.two(f"regions/{region}/cells", cells=half, mode="enabled")
    limits = {"speed_cap_bps": 2e7, "roaming": False, "hours_utc": [6, 7, 8]}
    f.two(f"regions/{region}/cells", cells=cells[-1:], mode="restricted", limits=limits)
    f.two(f"regions/{region}/activate")
    waiting = f.operator.post(f"regions/{region}/suspend", reason=f"storm {word}".strip())
    f.ids["approval"] = waiting.json()["approval"]
    f.ids["closed-region"] = f.operator.made(
        "regions", country="MD", title="Moldova", cells=["851e4b67fffffff"]
    )["id"]


def _account(f: Filled, word: str) -> None:
    o = f.operator
    f.ids["known-authority"] = f.two(
        "authorities", code="UA-HEALTH", title=f"Ministry of Health {word}".strip(), kind="health",
        vouches_for=["askers"], source=f"moz.gov.ua {word}".strip(), countries=["UA"],
    )["id"]  # fmt: skip
    f.ids["plan"] = o.made(
        "plans", title=f"Hospitals {word}".strip(), service_class=1, down_bps=5e7, up_bps=1e7,
        allowance_bytes=10**12, slow_bps=1e6,
    )["id"]  # fmt: skip
    f.ids["account"] = account = o.made(
        "accounts", holder="critical-infrastructure", country="UA", region=f.ids["region"],
        name=f"CANARY Hospital {word}", contact="canary@example.org", address=f"CANARY Street 1 {word}",
    )["id"]  # fmt: skip
    o.made(f"accounts/{account}/verify", authority="ministry", reference="letter 5")
    o.made(f"accounts/{account}/plan", plan=f.ids["plan"])
    f.ids["other-account"] = o.made("accounts", holder="company", country="PL")["id"]


def _terminals(f: Filled, cell: str) -> None:
    o, region, account = f.operator, f.ids["region"], f.ids["account"]
    for name, serial in (("terminal", "KIT0001A"), ("lost", "KIT0002B"), ("new", "KIT0003C")):
        known = {"hardware": "STD-V2", "serial": serial, "origin": "gift", "network": "operator"}
        f.ids[name] = o.made("terminals", **known)["id"]
        o.made(f"terminals/{f.ids[name]}/deliver", place="WAW-1")
    for name in ("terminal", "lost"):
        o.made(f"terminals/{f.ids[name]}/register", owner=account, cell=cell, region=region)
        o.made(f"terminals/{f.ids[name]}/verify", basis="operator", authority="OPS", reference="check 1")
        o.made(f"terminals/{f.ids[name]}/activate")
    command = o.get(f"terminals/{f.ids['terminal']}").json()["commands"]["pending"][0]["id"]
    o.made(f"terminals/{f.ids['terminal']}/confirm", command=command, evidence="slot 5")
    o.made(f"terminals/{f.ids['lost']}/report-lost")
    line = {"number": "AST-511274-31364-54", "product": "business-100", "standing": "active"}
    o.made(f"terminals/{f.ids['terminal']}/record-line", **line, started_at="2022-01-05T00:00:00Z")
    o.made(f"terminals/{f.ids['terminal']}/record-line", **line, ended_at="2022-02-01T00:00:00Z")
    o.made(f"terminals/{f.ids['lost']}/record-no-line", source="operators-api")


def _requests(f: Filled, word: str, cell: str) -> None:
    o, region = f.operator, f.ids["region"]
    calls = (
        ("request", "hospital", 250, 12, "2022-02-26T10:06:00Z", "2022-02-26T20:00:00Z"),
        ("same", "hospital", 250, 10, "2022-02-26T10:40:00Z", None),
        ("shelter", "shelter", 1200, 4, "2022-02-26T08:00:00Z", "2022-02-28T12:00:00Z"),
        ("utility", "utility", 40000, 30, "2022-02-26T06:30:00Z", None),
        ("household", "household", 4, 1, "2022-02-25T18:00:00Z", None),
    )
    for name, kind, people, terminals, asked_at, needed_by in calls:
        body: dict[str, Any] = {
            "channel": "public-post" if name == "request" else "phone", "site_kind": kind,
            "people": people,
            "terminals_wanted": terminals, "asked_at": asked_at, "region": region,
            "asker": f"CANARY Asker {word}", "contact": "+380 44 000 00 00",
            "words": f"CANARY help us {word}",
            "site": f"CANARY Hospital {word}", "link": f"https://example.org/post?{word}",
            "latitude_deg": 50.45123, "longitude_deg": 30.52345,
        }  # fmt: skip
        if needed_by:
            body["needed_by"] = needed_by
        f.ids[name] = o.made("requests", **body)["id"]
    o.made(f"requests/{f.ids['request']}/acknowledge")
    o.made(f"requests/{f.ids['request']}/place", cell=cell, region=region)
    how = f"call back {word}".strip()
    o.made(f"requests/{f.ids['request']}/verify", authority="ministry", how=how)
    o.made(f"requests/{f.ids['request']}/accept", terminals=12)


def _shipments(f: Filled) -> None:
    logistics = f.town.person("logistics", by=f.operator, approver=f.approver)
    f.ids["logistics"] = logistics.id
    lines = [{"product": "STD-V2", "serial": f"KIT10{n:02d}X"} for n in range(6)]
    for name, reference in (("shipment", "TRK-2022-0001"), ("draft", "TRK-2022-0002")):
        f.ids[name] = logistics.made(
            "shipments", reference=reference, origin="WAW-1", destination=f.ids["account"],
            recipient=f.ids["account"], request=f.ids["request"], region=f.ids["region"],
        )["id"]  # fmt: skip
    path = f"shipments/{f.ids['shipment']}"
    logistics.made(f"{path}/add-lines", lines=[*lines, {"product": "MOUNT-1", "quantity": 6}])
    logistics.made(f"{path}/plan-leg", from_place="WAW-1", to_place="LWO-1", carrier="NP-1")
    logistics.made(f"{path}/plan-leg", from_place="LWO-1", to_place=f.ids["account"], carrier="NP-2")
    logistics.made(f"{path}/pack")
    logistics.made(f"{path}/depart")
    logistics.made(f"{path}/set-paper", reference="22UA118", country="UA", standing="accepted")
    for step in ("arrive", "depart", "arrive"):
        logistics.made(f"{path}/{step}")
    logistics.made(f"{path}/receive", sound=lines[:3], damaged=lines[3:4])


def _words(f: Filled) -> None:
    f.ids["statement"] = f.operator.made(
        "statements", kind="service-active", about=f.ids["region"], place_uk="Україна"
    )["id"]
