"""Which series of a recording fell below ordinary, when, how far, and which cannot be judged.

found = detect_outages(grid, entities, baseline_rule("tod:7d"))
found.as_dict()["events"]
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from skylift.base.errors import Refused
from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.watch.baseline import Pinned, RecordedBaseline, Seasonal, periods_fit
from skylift.watch.detector import Latest, Outage, Recorder, Rules, detect, why_unjudged
from skylift.watch.ioda import HISTORY_DAYS, THRESHOLDS, MovingMedian, ioda_patience
from skylift.watch.recording import IodaRule, PinnedRule, Rule
from skylift.watch.samples import Grid


@dataclass(frozen=True, slots=True)
class Detection:
    """What a recording shows.

    insufficient  names of the series that were never judged, with the reason
    at_us, latest  an instant, and how much was left of each series when it was judged last before it
    """

    grid: Grid
    entities: tuple[str, ...]
    outages: tuple[Outage, ...]
    insufficient: tuple[tuple[str, str], ...]
    at_us: int
    latest: Latest

    def as_dict(self) -> dict[str, object]:
        """{series, step_s, from, to, events, insufficient}, as `skylift outages detect --json` prints it."""
        grid = self.grid
        return {
            "series": len(self.entities),
            "step_s": grid.step_us / 1e6,
            "from": format_instant(grid.start_us),
            "to": format_instant(grid.at_us(grid.bins)),
            "events": [self.event(outage) for outage in self.outages],
            "insufficient": [{"entity": name, "reason": reason} for name, reason in self.insufficient],
        }

    def fell(self) -> str:
        """How many series fell, in words: of those that could be judged, as the others are no good news."""
        count, unknown = len(self.entities), len(self.insufficient)
        if unknown == count:
            return f"not one of {count} series could be judged: whether anything fell nobody can say"
        fell = len({outage.series for outage in self.outages})
        judged = f"{count - unknown} judged series, of {count}," if unknown else f"{count} series"
        return f"{fell} of {judged} fell below ordinary, {len(self.outages)} times in all"

    def unjudged(self) -> list[str]:
        """Why series could not be judged, in words: a line for each reason, with how many it is of."""
        count = Counter(reason for _, reason in self.insufficient)
        return [f"{many} series: not enough data ({reason})" for reason, many in count.most_common()]

    def event(self, outage: Outage) -> dict[str, object]:
        """One outage in words and numbers; instants are the beginnings of bins."""
        entity = self.entities[outage.series]
        closed = outage.closed_row
        opened_at = format_instant(self.grid.at_us(outage.opened_row))
        return {
            "id": event_id(entity, opened_at),
            "entity": entity,
            "opened_at": opened_at,
            "confirmed_at": format_instant(self.grid.at_us(outage.confirmed_row)),
            "closed_at": None if closed is None else format_instant(self.grid.at_us(closed)),
            "min_fraction": round(outage.min_fraction, 4),
            "low": round(outage.low, 4),
            "high": round(outage.high, 4),
            "band": outage.band,
            "counted": self.counted(outage),
            "targets": self.fewest_asked(outage),
            "now": self.now(outage),
        }

    def counted(self, outage: Outage) -> bool:
        """Whether it is known how many were asked: else its bounds hold only the doubt about the ordinary."""
        targets = self.grid.targets
        return targets is not None and bool(np.isfinite(targets[outage.worst_row, outage.series]))

    def fewest_asked(self, outage: Outage) -> int:
        """In any bin of it; 0 where nobody said how many were."""
        if self.grid.targets is None:
            return 0
        asked = self.grid.targets[outage.opened_row : outage.closed_row, outage.series]
        return int(np.min(asked, where=np.isfinite(asked), initial=np.inf)) if np.isfinite(asked).any() else 0

    def now(self, outage: Outage) -> dict[str, object] | None:
        """How much was left when it was measured last before the instant; None where it did not last then."""
        grid, row = self.grid, int(self.latest.row[outage.series])
        ended = outage.closed_row is not None and grid.at_us(outage.closed_row) <= self.at_us
        if ended or row < outage.opened_row:
            return None
        fraction, low, high = self.latest.levels[:, outage.series].tolist()
        return {
            "measured_at": format_instant(grid.at_us(row + 1)),
            "fraction": round(fraction, 4),
            "low": round(min(low, fraction), 4),
            "high": round(max(high, fraction), 4),
        }


@dataclass(frozen=True, slots=True)
class Traces:
    """Some series beside what was ordinary for them, for pictures; columns are as in `series`.

    series     rows of the detection's entities;  recorder  what was ordinary, bin by bin
    learnt_us  of a pinned baseline: the window that it is the median of
    """

    series: tuple[int, ...]
    recorder: Recorder
    learnt_us: tuple[int, int] | None = None


def worst_series(found: Detection, most: int, named: Sequence[str] = ()) -> tuple[int, ...]:
    """Those named; else those that lost the most: depth times the bins that it lasted, the worst first.

    Raises Refused for a name that the recording does not have.
    """
    places = {name: series for series, name in enumerate(found.entities)}
    unknown = [name for name in named if name not in places]
    if unknown:
        raise Refused(
            "outages.entity",
            f"entity {unknown[0][:60]!r}",
            "the recording has none of this name",
            f"names are written like {found.entities[0]!r}",
        )
    if named:
        return tuple(dict.fromkeys(places[name] for name in named))
    lost: dict[int, float] = {}
    for outage in found.outages:
        until = found.grid.bins if outage.closed_row is None else outage.closed_row
        drop = max(0.0, 1.0 - outage.min_fraction) * (until - outage.opened_row)
        lost[outage.series] = lost.get(outage.series, 0.0) + drop
    return tuple(sorted(lost, key=lambda series: (-lost[series], series))[:most])


def traced(found: Detection, rule: Rule, series: Sequence[int], rules: Rules | None = None) -> Traces:
    """Detect once more for these series alone, and keep what was ordinary: series do not touch each other."""
    grid, columns = found.grid, list(series)
    targets = None if grid.targets is None else grid.targets[:, columns]
    part = Grid(grid.start_us, grid.step_us, grid.values[:, columns], targets)
    recorder = Recorder(part.bins, part.series)
    detect(part, _baseline(part, rule), _rules(rule, rules), watchers=(recorder,))
    learnt_us = (rule.from_us, rule.to_us) if isinstance(rule, PinnedRule) else None
    return Traces(tuple(columns), recorder, learnt_us)


def event_id(entity: str, opened_at: str) -> str:
    """The same event has the same id on every reading of the same recording."""
    return "out_" + hashlib.sha256(f"{entity}\n{opened_at}".encode()).hexdigest()[:16]


def detect_outages(
    grid: Grid,
    entities: Sequence[str],
    rule: Rule,
    rules: Rules | None = None,
    progress: Callable[[int, int], None] | None = None,
    at_us: int | None = None,
) -> Detection:
    """Feed a recording to the detector, bin by bin. Raises Refused where the bins do not fit the baseline.

    at_us  the instant of which outages say how much was left; None: the recording's end
    """
    end_us = grid.at_us(grid.bins)
    at_us = end_us if at_us is None else at_us
    if not grid.start_us <= at_us <= end_us:
        raise Refused(
            "outages.instant",
            "--at",
            f"the recording is from {format_instant(grid.start_us)} to {format_instant(end_us)}",
            "name an instant within it",
        )
    baseline = _baseline(grid, rule)
    latest = Latest(grid.series, (at_us - grid.start_us) // grid.step_us)
    used = _rules(rule, rules)
    outages, unjudged = detect(grid, baseline, used, progress, (latest,))
    reasons = why_unjudged(grid, baseline, used, unjudged)
    insufficient = tuple((entities[series], reason) for series, reason in reasons)
    return Detection(grid, tuple(entities), tuple(outages), insufficient, at_us, latest)


def _rules(rule: Rule, rules: Rules | None) -> Rules:
    """IODA's alert at once, below the threshold of their signal."""
    found = rules or Rules()
    if isinstance(rule, IodaRule):
        found = replace(found, patience=ioda_patience(THRESHOLDS[rule.signal][0]))
    return found


def _baseline(grid: Grid, rule: Rule) -> RecordedBaseline:
    if isinstance(rule, PinnedRule):
        return Pinned(grid, rule.from_us, rule.to_us)
    if isinstance(rule, IodaRule):
        window = HISTORY_DAYS[rule.signal] * US_PER_DAY // grid.step_us
        return MovingMedian(grid.series, max(int(window), 1))
    if not periods_fit(rule.period_us, grid.step_us):
        raise Refused(
            "outages.step",
            f"a step of {grid.step_us / 1e6:g} s",
            "a day holds no whole number of such bins",
            "choose a --step that divides a day, or a pinned baseline",
        )
    return Seasonal(grid.series, grid.step_us, rule.period_us, rule.periods)
