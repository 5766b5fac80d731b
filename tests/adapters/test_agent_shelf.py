"""The agent's buffer: sealed, bounded, and never a number twice, whatever happens to its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from skylift.adapters.agent_shelf import RESERVED, SqlShelf
from skylift.base.errors import Unavailable
from skylift.wire.agent.agent import Mark
from skylift.wire.agent.orders import Docket, Reply
from skylift.wire.telemetry.rows import Row

KEY = bytes(range(32))
CANARY = "firmware-canary"


def row(k: int) -> Row:
    return Row(0, k * 15_000_000, software=CANARY, down_bytes=1)


def test_what_is_kept_is_there_after_a_kill_and_unreadable_without_the_key(tmp_path: Path) -> None:
    path = tmp_path / "rows.sqlite"
    shelf = SqlShelf(path, KEY)
    shelf.keep([row(1), row(2)], Mark(7, 1))
    shelf.keep_docket(Docket(highest=3, outbox=[Reply("cmd_1", "done", said=CANARY)]))
    # A second connection sees what a process that was killed here would leave.
    again = SqlShelf(path, KEY)
    assert [one.sequence for one in again.oldest(20)] == [1, 2]
    assert again.mark() == Mark(7, 1)
    assert again.docket().outbox[0].said == CANARY
    on_disk = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert CANARY.encode() not in on_disk
    assert path.stat().st_mode & 0o777 == 0o600
    other = SqlShelf(path, bytes(32))
    assert other.oldest(20) == []
    assert other.docket() == Docket()


def test_entries_cannot_be_put_in_one_anothers_place(tmp_path: Path) -> None:
    shelf = SqlShelf(tmp_path / "rows.sqlite", KEY, durable=False)
    shelf.keep([row(1), row(2)], None)
    shelf._db.execute("UPDATE rows SET sealed = (SELECT sealed FROM rows WHERE sequence = 2)")
    assert [one.sequence for one in shelf.oldest(20)] == [2]
    assert shelf.waiting() == 1


@pytest.mark.parametrize("harm", ["gone", "damaged"])
def test_a_lost_database_uses_no_number_again(tmp_path: Path, harm: str) -> None:
    path, reserved = tmp_path / "rows.sqlite", [0]
    shelf = SqlShelf(path, KEY, 0, lambda upto: reserved.__setitem__(0, upto))
    shelf.keep([row(k) for k in range(50)], None)
    shelf.close()
    assert 50 <= reserved[0] <= 50 + RESERVED
    path.unlink() if harm == "gone" else path.write_bytes(b"no database at all" * 500)
    path.with_name("rows.sqlite-wal").unlink(missing_ok=True)
    again = SqlShelf(path, KEY, reserved[0], lambda upto: reserved.__setitem__(0, upto))
    again.keep([row(51)], None)
    assert again.oldest(1)[0].sequence > 50


def test_damaged_entries_hold_up_neither_thinning_nor_sending(tmp_path: Path) -> None:
    shelf = SqlShelf(tmp_path / "rows.sqlite", KEY, most_rows=60, durable=False)
    shelf.keep([row(k) for k in range(1, 50)], None)
    shelf._db.execute("UPDATE rows SET sealed = x'00' WHERE sequence IN (3, 20)")
    shelf.keep([row(k) for k in range(50, 300)], None)
    counts = shelf.counts()
    assert counts.fine + counts.middle + counts.coarse <= 60
    assert shelf.dropped() == 2
    assert sum(one.down_bytes or 0 for one in shelf.oldest(1000)) == 297


def test_a_full_disk_loses_a_row_and_says_so_and_goes_on(tmp_path: Path) -> None:
    shelf = SqlShelf(tmp_path / "rows.sqlite", KEY, durable=False)
    shelf.keep([row(1)], None)
    (pages,) = shelf._db.execute("PRAGMA page_count").fetchone()
    shelf._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(Unavailable, match="free some space"):
        shelf.keep([row(k) for k in range(2, 2_000)], None)
    shelf._db.execute("PRAGMA max_page_count = 100000")
    shelf.keep([row(3)], None)
    assert [one.sequence for one in shelf.oldest(9)] == [1, 2]
    assert shelf.waiting() == 2
