"""skylift appstats against a service in this process."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from skylift.base.errors import Refused
from tests.cli.test_office_commands import run, server

__all__ = ["server"]


def test_counts_summaries_and_figures_of_others(server: str, tmp_path: Path) -> None:
    run(
        "setup",
        f"{server}/setup?code=code",
        "--email",
        "a@example.org",
        "--password",
        "correct horse battery",
    )
    for number in ("n" * 16, "m" * 16):
        use = {"country": "UA", "number": number, "first_ever": True}
        assert httpx.post(f"{server}/api/v1/appstats/uses", json=use).status_code == 202
    assert run("appstats", "days", "--country", "UA", "--json")["items"] == [
        {"country": "UA", "day": "2022-02-26", "installs": 2, "active": 2}
    ]
    assert "2022-02-26" in run("appstats", "days")
    table = tmp_path / "figures.csv"
    table.write_text(
        "country,day,what,value,source\nUA,2022-03-13,rank,1,a newspaper\nUA,2022-03-13,rank,0,none\n"
    )
    result = run("appstats", "import", str(table), fails=SystemExit)
    assert result.code == 2
    table.write_text("country,day,what,value,source\nUA,2022-03-13,rank,1,a newspaper\n")
    assert run("appstats", "import", str(table), "--json")["written"] == []
    first = run("appstats", "import", str(table), "--apply", "--json")["written"]
    assert run("appstats", "import", str(table), "--apply", "--json")["written"] == first, "once"
    found = run("appstats", "summary", "--country", "UA", "--json")
    assert (found["installs"], found["record"]["installs"], found["share"]) == (2, 2, 1.0)
    assert found["figures"][0]["source"] == "a newspaper"
    shown = run("appstats", "summary", "--country", "UA")
    assert "2 on 2022-02-26" in shown
    assert "a newspaper" in shown
    error = run("appstats", "summary", "--week", "2022-02-19", "--against", "2022-02-12", fails=Refused)
    assert "counted whole" in str(error)


def test_no_table_is_the_callers_fault(server: str, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n")
    with pytest.raises(AssertionError):
        run("appstats", "import", str(tmp_path / "x.csv"))
    assert "head" in str(run("appstats", "import", str(tmp_path / "x.csv"), fails=Refused))
