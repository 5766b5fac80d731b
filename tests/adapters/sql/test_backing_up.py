"""Backups of a store that is in use, and what was erased after they were made."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from skylift.adapters.sql.backing_up import back_up, restore
from skylift.adapters.sql.erasures import Erased, add_to_list, list_beside, read_list
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.base.errors import Refused
from skylift.base.events import Who
from skylift.base.instants import InstantUs
from skylift.ports.store import Stored
from skylift.service import erasure
from skylift.twin.handle import begin
from tests.adapters.sql.kits import KITS, made
from tests.stores import Server

ROOMS = (KITS, erasure.ROOM)


def keep(store: SqlStore, id: str) -> None:
    with store.transaction() as transaction:
        begin(KITS, transaction, id, [made(id)])
        transaction.keep_personal(id, {"name": f"CANARY-{id}-NAME", "contact": f"CANARY-{id}-CONTACT"})


def erase(store: SqlStore, id: str, at: int) -> None:
    with store.transaction() as transaction:
        kept = transaction.personal(id)
        transaction.erase_personal(id)
        events = erasure.erased(id, Who(InstantUs(at), "per_1"), erasure.Ground.ASKED, kept)
        before = transaction.get(erasure.ROOM, id) or Stored(id, erasure.ROOM.empty(id), 0)
        after = Stored(id, erasure.ROOM.apply(before.thing, events[0]), before.version)
        transaction.commit(erasure.ROOM, after, events)


def stands_anywhere(folder: Path, text: str) -> list[str]:
    """Files below the folder that hold it."""
    return [f.name for f in folder.rglob("*") if f.is_file() and text.encode() in f.read_bytes()]


def url_of(file: Path) -> str:
    return f"sqlite:///{file}"


def test_a_restored_backup_does_not_bring_back_what_was_erased(tmp_path: Path) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    file, backup = home / "skylift.sqlite", elsewhere / "monday"
    store = open_store(url_of(file), ROOMS)
    for number in range(60):
        keep(store, f"kit_{number}")
    erase(store, "kit_7", 100)
    whole = back_up(file, backup, ROOMS)
    assert whole.valid
    assert backup.stat().st_mode & 0o077 == 0
    for number in (1, 2, 3):
        erase(store, f"kit_{number}", 200 + number)
    keep(store, "kit_after")
    store.close()
    done = restore(backup, file, ROOMS, replace=True)
    assert done.erased_again == 3
    # Nothing of them in the database, its log, or any other file that was left there.
    for number in (1, 2, 3, 7):
        assert stands_anywhere(home, f"CANARY-kit_{number}-") == []
    assert stands_anywhere(home, "CANARY-kit_5-") == ["skylift.sqlite"]
    assert sorted(f.name for f in home.iterdir()) == ["skylift.sqlite", "skylift.sqlite.erased"]
    assert stands_anywhere(elsewhere, "CANARY-kit_1-") == ["monday"], (
        "a backup is not changed by being restored"
    )
    again = open_store(url_of(file), ROOMS)
    assert again.verify(head=whole.head).valid
    with again.reading() as reader:
        assert reader.get(KITS, "kit_after") is None
        assert reader.personal("kit_5") == {"name": "CANARY-kit_5-NAME", "contact": "CANARY-kit_5-CONTACT"}
    told = [row.event for row in again.journal(whole.rows)]
    assert [(e.subject_id, e.at, e.by) for e in told] == [
        (f"kit_{number}", 200 + number, "restore") for number in (1, 2, 3)
    ]
    # It is known to have been done: nothing happens when it is opened or restored over again.
    head = again.head()
    again.close()
    assert open_store(url_of(file), ROOMS).head() == head


def test_a_file_put_back_by_hand_is_seen_to_when_it_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "skylift.sqlite"
    store = open_store(url_of(file), ROOMS)
    keep(store, "kit_1")
    store.close()
    before = file.read_bytes()
    store = open_store(url_of(file), ROOMS)
    erase(store, "kit_1", 50)
    store.close()
    file.write_bytes(before)
    store = open_store(url_of(file), ROOMS)
    with store.reading() as reader:
        assert reader.personal("kit_1") == {}
    assert store.verify().valid
    store.close()
    assert stands_anywhere(tmp_path, "CANARY-kit_1-") == []


def test_what_came_after_an_erasure_stays(tmp_path: Path) -> None:
    """Somebody gives their data anew: the erasure of before is known, and not carried out again."""
    file = tmp_path / "skylift.sqlite"
    store = open_store(url_of(file), ROOMS)
    keep(store, "kit_1")
    erase(store, "kit_1", 50)
    with store.transaction() as transaction:
        transaction.keep_personal("kit_1", {"name": "anew"})
    store.close()
    store = open_store(url_of(file), ROOMS)
    with store.reading() as reader:
        assert reader.personal("kit_1") == {"name": "anew"}
    store.close()


def test_a_lost_or_torn_list_is_made_good_from_the_journal(tmp_path: Path) -> None:
    file = tmp_path / "skylift.sqlite"
    store = open_store(url_of(file), ROOMS)
    for number in range(3):
        keep(store, f"kit_{number}")
        erase(store, f"kit_{number}", 50 + number)
    store.close()
    listed = list_beside(file)
    wanted = {f"kit_{number}": Erased(f"kit_{number}", 50 + number, "asked") for number in range(3)}
    assert read_list(listed) == wanted
    assert listed.stat().st_mode & 0o077 == 0
    assert "CANARY" not in listed.read_text()
    listed.write_text(listed.read_text()[:-10])
    open_store(url_of(file), ROOMS).close()
    assert read_list(listed) == wanted
    listed.unlink()
    open_store(url_of(file), ROOMS).close()
    assert read_list(listed) == wanted


def test_a_backup_while_others_write_is_of_one_instant(tmp_path: Path) -> None:
    file = tmp_path / "skylift.sqlite"
    store = open_store(url_of(file), ROOMS)
    keep(store, "kit_first")
    ends = threading.Event()

    def write() -> None:
        number = 0
        while not ends.is_set():
            keep(store, f"kit_{number}")
            number += 1

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(4):
            found = back_up(file, tmp_path / f"backup{number}", ROOMS)
            assert found.valid
            copy = open_store(url_of(tmp_path / f"backup{number}"), ROOMS)
            assert copy.head() == (found.rows, found.head)
            assert len(list(copy.things(KITS))) == found.rows
            copy.close()
    finally:
        ends.set()
        writing.join()
    assert store.verify(head=found.head).valid
    store.close()


def test_what_stands_in_the_way_is_said_and_nothing_is_touched(tmp_path: Path) -> None:
    file, backup = tmp_path / "skylift.sqlite", tmp_path / "backup"
    store = open_store(url_of(file), ROOMS)
    keep(store, "kit_1")
    back_up(file, backup, ROOMS)
    with pytest.raises(Refused, match="there is one already"):
        back_up(file, backup, ROOMS)
    with pytest.raises(Refused, match="there is one already"):
        restore(backup, file, ROOMS)
    with pytest.raises(Refused, match="another process uses it"):
        restore(backup, file, ROOMS, replace=True)
    keep(store, "kit_2")
    store.close()
    before = file.read_bytes()
    junk = tmp_path / "junk"
    junk.write_bytes(b"no database at all" * 1000)
    for bad in (junk, tmp_path / "none"):
        with pytest.raises(Refused):
            restore(bad, file, ROOMS, replace=True)
    changed = bytearray(backup.read_bytes())
    place = changed.find(b"kit.made/1")
    changed[place : place + 10] = b"kit.mode/1"
    (tmp_path / "changed").write_bytes(changed)
    from skylift.base.errors import SkyliftError

    with pytest.raises(SkyliftError):
        restore(tmp_path / "changed", file, ROOMS, replace=True)
    assert file.read_bytes() == before
    assert not [f for f in tmp_path.iterdir() if "part" in f.name]
    store = open_store(url_of(file), ROOMS)
    assert len(list(store.things(KITS))) == 2
    store.close()


def test_a_server_restored_from_a_dump_is_seen_to_when_it_is_opened(
    postgresql_server: Server, postgresql_url: str, tmp_path: Path
) -> None:
    """The list lies beside the service, where no dump can take it back."""
    listed, dump = tmp_path / "postgresql.erased", postgresql_server.folder / "dump.sql"
    store = open_store(postgresql_url, ROOMS, erasures=listed)
    for number in range(30):
        keep(store, f"kit_{number}")
    postgresql_server.run("pg_dump", "-U", "skylift", "-h", str(postgresql_server.folder), "--clean",
                          "-f", str(dump), str(store.engine.url.database))  # fmt: skip
    erase(store, "kit_3", 70)
    store.engine.dispose()
    postgresql_server.run("psql", "-q", "-X", "-U", "skylift", "-h", str(postgresql_server.folder), "-d",
                          str(store.engine.url.database), "-f", str(dump))  # fmt: skip
    store.close()
    store = open_store(postgresql_url, ROOMS, erasures=listed)
    with store.reading() as reader:
        assert reader.personal("kit_3") == {}
        assert reader.personal("kit_4") != {}
    assert store.verify().valid
    # The table was written anew: neither a row of it nor a dead one stands in its file.
    name = postgresql_server.psql(str(store.engine.url.database), "SELECT pg_relation_filepath('personal')")
    postgresql_server.psql(str(store.engine.url.database), "CHECKPOINT")
    assert b"CANARY-kit_3-" not in (postgresql_server.data / name.strip()).read_bytes()
    assert b"CANARY-kit_4-" in (postgresql_server.data / name.strip()).read_bytes()
    store.close()


def test_an_entry_after_a_torn_line_stands_on_its_own(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text('{"subject": "kit_1", "at_')
    add_to_list(path, [Erased("kit_2", 5, "asked"), Erased("kit_2", 9, "danger")])
    assert read_list(path) == {"kit_2": Erased("kit_2", 9, "danger")}
