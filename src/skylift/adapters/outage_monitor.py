"""Follows signals as they come: gathers from sources into the store, judges bins that are complete.

monitor = Monitor(OutageStore(path), "tod:7d")
monitor.gather(probes, now_us); monitor.judge(now_us)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from skylift.adapters.outage_store import KeptEvent, Known, OutageStore, Put
from skylift.base.errors import Refused, Unavailable
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.ports.probes import Measured, Probes
from skylift.service.outage.events import EntityKind
from skylift.study.outages import event_id
from skylift.watch.agreement import agreement
from skylift.watch.baseline import LiveBaseline, PinnedLive, Seasonal, periods_fit
from skylift.watch.detector import BANDS, Outage, Rules
from skylift.watch.live import Live
from skylift.watch.recording import IodaRule, PinnedRule, baseline_rule
from skylift.watch.samples import Floats, Integers, longer

# Bins in one transaction while there is much to catch up with; a live monitor judges one at a time anyway.
_BINS_AT_ONCE = 144


@dataclass(frozen=True, slots=True)
class Judged:
    """What judging one signal brought: bins, outages that opened and closed, bins of distrust by series."""

    signal: str
    bins: int
    opened: int
    closed: int
    distrusted: int
    series: int
    never_judged: int


class Monitor:
    """Signals of one store, by one baseline."""

    def __init__(self, store: OutageStore, baseline: str, rules: Rules | None = None) -> None:
        self._rule = baseline_rule(baseline)
        self._baseline = baseline
        self._store = store
        self._rules = rules or Rules()
        # Detectors in memory, by signal, and the last bin that they took.
        self._live: dict[int, tuple[Live, int]] = {}

    def gather(self, probes: Probes, now_us: int) -> Put:
        """Ask one source for what is new. Raises Unavailable where it does not answer: nothing is lost."""
        known = self._store.known(probes.signal)
        since_us = 0 if known is None else (known.complete or 0) * probes.signal.step_us
        return self._store.put(probes.signal, probes.gather(since_us, now_us), now_us)

    def judge(
        self, until_us: int | None = None, progress: Callable[[int, int], None] | None = None
    ) -> list[Judged]:
        """Judge all bins that are complete, and end by `until_us`, of every signal."""
        return [self._judge(known, until_us, progress) for known in self._store.signals()]

    def _judge(
        self, known: Known, until_us: int | None, progress: Callable[[int, int], None] | None
    ) -> Judged:
        if known.baseline not in ("", self._baseline):
            raise Refused(
                "outages.baseline-kept",
                f"signal {known.signal.name!r}",
                f"it is judged by {known.baseline}: what was judged cannot be judged anew",
                "go on with that baseline, or begin a new store",
            )
        first = self._store.first_bin(known.id) if known.judged is None else known.judged + 1
        last = known.complete or 0
        if until_us is not None:
            last = min(last, until_us // known.signal.step_us)
        series = self._store.series(known.id)
        if first is None or first >= last:
            return Judged(known.signal.name, 0, 0, 0, 0, len(series), 0)
        total = Judged(known.signal.name, last - first, 0, 0, 0, len(series), 0)
        for begin in range(first, last, _BINS_AT_ONCE):
            end = min(begin + _BINS_AT_ONCE, last)
            try:
                opened, closed, distrusted = self._batch(known, series, begin, end)
            except BaseException:
                # What is in memory is ahead of what is kept: it is read again.
                self._live.pop(known.id, None)
                raise
            total = replace(
                total,
                opened=total.opened + opened,
                closed=total.closed + closed,
                distrusted=total.distrusted + distrusted,
            )
            if progress is not None:
                progress(end - first, last - first)
        if first * known.signal.step_us // US_PER_DAY < last * known.signal.step_us // US_PER_DAY:
            self._store.tidy(replace(known, judged=last - 1))
        judged_at, _ = self._last(known.id, len(series))
        return replace(total, never_judged=int((judged_at < 0).sum()))

    def _batch(self, known: Known, series: list[Measured], begin: int, end: int) -> tuple[int, int, int]:
        """Bins [begin, end) in one transaction; (outages opened, closed, bins of series not believed)."""
        live = self._loaded(known, begin, len(series))
        judged_at, levels = self._last(known.id, len(series))
        values, targets = self._store.bins(known.id, begin, end, len(series))
        asked = known.signal.full_scale > 0 and bool(np.isfinite(targets).any())
        country = _numbered(one.country for one in series)
        prober = np.zeros(len(series), dtype=np.int64)
        opened = closed = distrusted = 0
        learnt: dict[int, Floats] = {}
        with self._store.transaction():
            if self._store.judged(known.id) not in (None, begin - 1):
                raise Unavailable(
                    "outages.two-monitors",
                    "the store",
                    "another monitor judges it at the same time",
                    "let one monitor work on a store",
                )
            if known.origin is None and begin == (self._store.first_bin(known.id) or 0):
                self._store.begin(known.id, begin, self._baseline)
            for bin in range(begin, end):
                row = bin - begin
                changes = live.take(bin, values[row], targets[row] if asked else None, prober, country)
                for outage in (*changes.opened, *changes.deepened, *changes.closed):
                    self._store.write_event(_kept(known, series, outage))
                learnt[bin] = live.learnt(bin)
                judged_at[changes.judged] = bin
                levels[:, changes.judged] = changes.levels[:, changes.judged]
                opened, closed = opened + len(changes.opened), closed + len(changes.closed)
                distrusted += int(changes.own.sum())
            arrays = {**live.kept(), "judged_at": judged_at, "levels": levels}
            self._store.keep(known.id, end - 1, arrays, learnt, live.needed_from(end - 1))
        self._live[known.id] = (live, end - 1)
        return opened, closed, distrusted

    def _loaded(self, known: Known, begin: int, series: int) -> Live:
        """The detector as it was after bin `begin` - 1, with places for all series."""
        live, taken = self._live.get(known.id, (None, 0))
        if live is not None and taken == begin - 1 and live.series == series:
            return live
        rules = replace(self._rules, full_scale=known.signal.full_scale or 1.0)
        live = Live(series, self._baseline_of(known, series), rules)
        arrays = self._store.kept(known.id)
        if arrays is not None:
            live.restore(arrays, self._store.learnt(known.id), series)
        return live

    def _baseline_of(self, known: Known, series: int) -> LiveBaseline:
        step_us = known.signal.step_us
        if isinstance(self._rule, PinnedRule):
            first, last = (-(-at // step_us) for at in (self._rule.from_us, self._rule.to_us))
            return PinnedLive(series, first, last)
        if isinstance(self._rule, IodaRule):
            raise Refused(
                "outages.baseline", "a monitor", "it follows tod, tow or a pinned level", "take one of them"
            )
        if not periods_fit(self._rule.period_us, step_us):
            raise Refused(
                "outages.step",
                f"a step of {step_us / 1e6:g} s",
                "a day holds no whole number of such bins",
                "gather in bins that divide a day, or pin a baseline",
            )
        return Seasonal(series, step_us, self._rule.period_us, self._rule.periods)

    def _last(self, signal: int, series: int) -> tuple[Integers, Floats]:
        """The last bin in which each series was judged, -1 for never; its level and bounds then, (3, S)."""
        arrays = self._store.kept(signal)
        if arrays is None:
            return np.full(series, -1, dtype=np.int64), np.full((3, series), np.nan)
        return longer(arrays["judged_at"], series, -1), longer(arrays["levels"], series, np.nan)

    # --- what is known

    def events(self) -> list[dict[str, object]]:
        """Every outage as `skylift outages detect --json` has it, with its kind, signal and agreement."""
        known = {one.id: one for one in self._store.signals()}
        series = {id: self._store.series(id) for id in known}
        events = self._store.events()
        agreed = self._agreement(known, series, events)
        last = {id: self._last(id, len(series[id])) for id in known}
        asked = self._store.asked()
        # What is told of our own terminals hangs on the fewest; to look for them takes all bins of an outage.
        fewest = asked | self._store.crowds(EntityKind.TERMINALS.value)
        found = []
        for event, counts in zip(events, agreed, strict=True):
            one, of = known[event.signal], series[event.signal][event.place]
            judged_at, levels = (array[..., event.place] for array in last[event.signal])
            now = None
            if event.closed is None:
                fraction, low, high = levels.tolist()
                now = {
                    "measured_at": format_instant((int(judged_at) + 1) * one.signal.step_us),
                    "fraction": round(fraction, 4),
                    "low": round(min(low, fraction), 4),
                    "high": round(max(high, fraction), 4),
                }
            about = {"targets": fewest.get(event.id, 0), "counted": event.id in asked, "now": now}
            found.append(self._as_dict(event, one, of, counts) | about)
        return found

    def covers(self) -> dict[str, object]:
        """From when to when signals were judged, null where none was, and which entities never could be."""
        known = self._store.signals()
        spans_us = [
            (one.origin * one.signal.step_us, (one.judged + 1) * one.signal.step_us)
            for one in known
            if one.origin is not None and one.judged is not None
        ]
        never = []
        for one in known:
            series = self._store.series(one.id)
            reason = f"{one.signal.name}: not enough data"
            for of, last in zip(series, self._last(one.id, len(series))[0], strict=True):
                if last < 0:
                    never.append({"entity": f"{of.kind}/{of.code}", "reason": reason})
        return {
            "from": format_instant(min(begin for begin, _ in spans_us)) if spans_us else None,
            "to": format_instant(max(end for _, end in spans_us)) if spans_us else None,
            "insufficient": never,
        }

    def _as_dict(
        self, event: KeptEvent, known: Known, of: Measured, counts: tuple[int, int]
    ) -> dict[str, object]:
        step_us = known.signal.step_us
        open, judged = counts
        return {
            "id": event.id,
            "entity": of.code,
            "kind": of.kind,
            "country": of.country,
            "title": of.title,
            "signal": known.signal.name,
            "prober": known.signal.prober,
            "synthetic": known.signal.synthetic,
            "opened_at": format_instant(event.opened * step_us),
            "confirmed_at": format_instant(event.confirmed * step_us),
            "closed_at": None if event.closed is None else format_instant(event.closed * step_us),
            "min_fraction": round(event.fraction, 4),
            "low": round(event.low, 4),
            "high": round(event.high, 4),
            "band": next((name for below, name in BANDS if event.fraction < below), BANDS[-1][1]),
            "signals_open": open,
            "signals_judged": judged,
        }

    def _agreement(
        self, known: dict[int, Known], series: dict[int, list[Measured]], events: list[KeptEvent]
    ) -> list[tuple[int, int]]:
        """Of each event: how many signals of its entity had an outage meanwhile, and how many were judged."""
        names = [
            (series[event.signal][event.place].kind, series[event.signal][event.place].code)
            for event in events
        ]
        spans = [self._span_us(known[event.signal], event) for event in events]
        opened, judged = (np.zeros((len(known), len(events)), dtype=np.bool_) for _ in range(2))
        for row, (id, one) in enumerate(known.items()):
            last, _ = self._last(id, len(series[id]))
            until_us = {
                (of.kind, of.code): int(last[place] + 1) * one.signal.step_us
                for place, of in enumerate(series[id])
                if last[place] >= 0
            }
            judged[row] = [until_us.get(name, -1) > span[0] for name, span in zip(names, spans, strict=True)]
        rows = {id: row for row, id in enumerate(known)}
        by_name: dict[tuple[str, str], list[int]] = {}
        for number, name in enumerate(names):
            by_name.setdefault(name, []).append(number)
        for same in by_name.values():
            for this in same:
                for other in same:
                    if spans[other][0] < spans[this][1] and spans[this][0] < spans[other][1]:
                        opened[rows[events[other].signal], this] = True
        counts = agreement(opened, judged)
        return list(zip(counts.open.tolist(), counts.judged.tolist(), strict=True))

    def _span_us(self, known: Known, event: KeptEvent) -> tuple[int, float]:
        step_us = known.signal.step_us
        return event.opened * step_us, math.inf if event.closed is None else event.closed * step_us


def _numbered(names: Iterable[str]) -> Integers:
    """The same country, the same number. One that is not known is not taken for a further one."""
    numbers: dict[str, int] = {}
    found = [numbers.setdefault(name, len(numbers)) if name else 0 for name in names]
    return np.array(found, dtype=np.int64)


def _kept(known: Known, series: list[Measured], outage: Outage) -> KeptEvent:
    of = series[outage.series]
    opened_at = format_instant(outage.opened_row * known.signal.step_us)
    return KeptEvent(
        event_id(f"{known.signal.name}/{of.kind}/{of.code}", opened_at),
        known.id,
        outage.series,
        outage.opened_row,
        outage.confirmed_row,
        outage.closed_row,
        outage.min_fraction,
        outage.low,
        outage.high,
    )
