"""Windows of a simulation over processes: spawned, never forked, and gone when the one that began them is."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from skylift.adapters.links_file import Names, links_to_arrow
from skylift.adapters.schedule_file import schedule_to_arrow
from skylift.adapters.simulation_files import Part, Window, write_part
from skylift.base.errors import Unavailable
from skylift.base.link import LinkTable
from skylift.twin.look import Sky
from skylift.twin.tick import Twin
from skylift.twin.world import World

Progress = Callable[[int], None]


class Interrupted(Exception):
    """Asked to stop between two slots."""


def compute_window(twin: Twin, names: Names, window: Window, target: Part, on_slot: Progress) -> None:
    """All slots of one window into its part files. `on_slot` is called after each slot and may raise."""
    slots: list[tuple[Sky, LinkTable]] = []
    for slot in twin.links(window.start_us, window.end_us):
        slots.append(slot)
        on_slot(1)
    if target.schedule is not None:
        write_part(schedule_to_arrow((links for _, links in slots), names), target.schedule)
    write_part(links_to_arrow(slots, names), target.links)


# The place on the shared board that says whether to stop; the others count slots.
STOP = 0

_worker: dict[str, Any] = {}


def _begin(world: World, board: Any) -> None:
    # Ctrl-C reaches the whole group; only the parent decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with_parent, args=(os.getppid(),), daemon=True).start()
    _worker.update(twin=Twin(world), names=Names.of(world), board=board)


def _leave_with_parent(parent: int) -> None:
    # A killed parent cannot tell its workers; without this they would wait for work for ever.
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def _work(place: int, window: Window, target: Part) -> None:
    board = _worker["board"]

    def on_slot(count: int) -> None:
        if board[STOP]:
            raise Interrupted
        board[place] += count

    compute_window(_worker["twin"], _worker["names"], window, target, on_slot)


@contextmanager
def _stoppable() -> Iterator[Callable[[], bool]]:
    """Gives a function that says True after the first Ctrl-C; the second one raises KeyboardInterrupt.

    An exception out of nowhere can be swallowed by whatever it strikes, such as a callback in compiled code.
    """
    before = signal.getsignal(signal.SIGINT)
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield asked.is_set
        return

    def hear(number: int, frame: Any) -> None:
        asked.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, hear)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


def compute_windows(world: World, todo: list[tuple[Window, Part]], workers: int, on_slots: Progress) -> bool:
    """Compute all windows; True when done, False when interrupted from the keyboard."""
    try:
        with _stoppable() as stopped:
            if workers > 1 and len(todo) > 1:
                return _in_processes(world, todo, min(workers, len(todo)), (on_slots, stopped))
            return _here(world, todo, on_slots, stopped)
    except (KeyboardInterrupt, Interrupted):
        return False


def _here(
    world: World, todo: list[tuple[Window, Part]], on_slots: Progress, stopped: Callable[[], bool]
) -> bool:
    def on_slot(count: int) -> None:
        on_slots(count)
        if stopped():
            raise Interrupted

    twin, names = Twin(world), Names.of(world)
    for window, target in todo:
        compute_window(twin, names, window, target, on_slot)
    return True


def _in_processes(
    world: World,
    todo: list[tuple[Window, Part]],
    workers: int,
    talk: tuple[Progress, Callable[[], bool]],
) -> bool:
    on_slots, stopped = talk
    context = multiprocessing.get_context("spawn")
    # Shared memory without a lock: a worker that is killed while it holds one would stop everybody for ever.
    # One place says "stop", and each window has one of its own, which only its worker writes.
    board = context.RawArray(ctypes.c_int64, 1 + len(todo))
    told = 0
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(world, board)
    ) as pool:
        try:
            waiting = _submitted(pool, todo)
            while waiting:
                done, waiting = wait(waiting, timeout=0.2, return_when="FIRST_EXCEPTION")
                told = _tell(board, told, on_slots)
                for future in done:
                    future.result()
                if waiting and stopped():
                    raise Interrupted
        except BrokenProcessPool:
            board[STOP] = 1
            # The pool ends the workers that it knows of. One still being started when another was lost
            # is added afterwards, and the pool would wait for it for ever.
            for process in set(multiprocessing.active_children()) - others:
                process.kill()
            raise Unavailable(
                "simulate.worker_lost",
                "a worker process",
                "it was ended from outside, most often for want of memory",
                "go on with --resume and fewer --workers",
            ) from None
        except BaseException:
            board[STOP] = 1
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    _tell(board, told, on_slots)
    return True


def _submitted(pool: ProcessPoolExecutor, todo: list[tuple[Window, Part]]) -> set[Future[None]]:
    # Submitting starts the workers, which inherit a blocked Ctrl-C: it must not strike while they import.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        return {pool.submit(_work, i, window, target) for i, (window, target) in enumerate(todo, STOP + 1)}
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _tell(board: Any, told: int, on_slots: Progress) -> int:
    """Report the slots done since `told` of them were; gives how many there are now."""
    done = int(sum(board[STOP + 1 :]))
    if done > told:
        on_slots(done - told)
    return done
