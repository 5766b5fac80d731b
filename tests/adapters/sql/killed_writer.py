"""A process that writes until it is killed, again and again: run by test_killed.py, which kills it.

    python -m tests.adapters.sql.killed_writer URL

The process that is started imports everything, and forks a writer; each line on standard output is "pid N",
or "ack KIND ID VERSION" after that change was acknowledged. When the writer has died, "died" is printed, and
each line on standard input asks for another.
"""

from __future__ import annotations

import itertools
import os
import sys
import threading

from skylift.adapters.sql.engine import make_engine
from skylift.adapters.sql.group import GroupWriter
from skylift.adapters.sql.store import SqlStore, open_store
from skylift.ports.store import Transaction
from skylift.twin.handle import begin, change
from tests.adapters.sql.kits import BOXES, KITS, ROOMS, made, moved, packed

THREADS = 4


def say(text: str) -> None:
    # One write of less than a pipe's PIPE_BUF: lines of several threads are never mixed, and none is half.
    os.write(1, f"{text}\n".encode())


def write_for_ever(store: SqlStore, writer: GroupWriter, name: str) -> None:
    """Things of two rooms with several events; with personal rows; through the group or alone."""
    for number in itertools.count():
        id = f"kit_{name}_{number}"

        def work(transaction: Transaction, id: str = id) -> int:
            begin(KITS, transaction, id, [made(id, f"S-{id}", ("x" * 50,))])
            begin(BOXES, transaction, id, [packed(id, "kit"), packed(id, "cable")])
            transaction.keep_personal(id, {"name": id})
            return change(KITS, transaction, id, lambda kit: [moved(kit.id, "rgn_1")]).version

        if number % 3:
            version = writer.write(work)
        else:
            with store.transaction() as transaction:
                version = work(transaction)
        say(f"ack kit {id} {version}")
        say(f"ack box {id} 1")
        if number % 10 == 9:
            writer.write(lambda t, id=id: t.erase_personal(id))
            say(f"ack erased {id} 0")


def live(url: str, life: int) -> None:
    store = open_store(url, ROOMS, busy_timeout_s=30.0)
    writer = GroupWriter(store)
    names = [f"{life}_{thread}" for thread in range(THREADS)]
    threads = [threading.Thread(target=write_for_ever, args=(store, writer, name)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main() -> None:
    # What every writer would otherwise import anew, instead of writing.
    make_engine(sys.argv[1]).dispose()
    for life in itertools.count():
        pid = os.fork()
        if pid == 0:
            try:
                live(sys.argv[1], life)
            finally:
                os._exit(3)
        say(f"pid {pid}")
        _, status = os.waitpid(pid, 0)
        say(f"died {os.waitstatus_to_exitcode(status)}")
        if not sys.stdin.readline():
            return


if __name__ == "__main__":
    main()
