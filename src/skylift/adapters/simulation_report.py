"""summary.json and summary.md of a simulation."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from skylift import __version__
from skylift.adapters.atomic import write_atomically
from skylift.base.instants import format_instant
from skylift.base.link import WhyDown
from skylift.base.units import US_PER_S
from skylift.study.tally import SlotColumns, rate_tally, tally
from skylift.twin.scenario_capacity import CLASS_NAMES
from skylift.twin.world import Needs, World, needs_of

_CODE_OF_LABEL = {why.label: int(why) for why in WhyDown}


def slot_columns(
    table: pa.Table, terminals: int, gateways: pa.Array, with_rates: bool = False
) -> SlotColumns:
    """One part of links.parquet as arrays by slot and terminal."""

    def column(name: str, kind: Any) -> Any:
        array = table[name].combine_chunks()
        return array.to_numpy(zero_copy_only=False).astype(kind).reshape(-1, terminals)

    rtt_us = column("one_way_delay_up_us", np.float64) + column("one_way_delay_down_us", np.float64)
    why = table["why_down"].combine_chunks()
    codes = np.array([_CODE_OF_LABEL[label] for label in why.dictionary.to_pylist()] + [0], dtype=np.uint8)
    return SlotColumns(
        at_us=column("at_us", np.int64)[:, 0],
        rtt_us=rtt_us.astype(np.float32),
        handover=column("handover", np.bool_),
        why_down=codes[why.indices.fill_null(len(codes) - 1).to_numpy()].reshape(-1, terminals),
        in_view=column("satellites_in_view", np.int16),
        usable=column("satellites_usable", np.int16),
        gateway=_index(table["gateway"].combine_chunks(), gateways).reshape(-1, terminals),
        # Null all the way where capacity is not modelled: then they are not even looked at.
        down_bps=column("down_bps", np.float32) if with_rates else None,
        up_bps=column("up_bps", np.float32) if with_rates else None,
    )


def _index(names: pa.DictionaryArray, all_names: pa.Array) -> Any:
    """Positions in `all_names`; -1 for null. A file holds only the names that occur in it."""
    places = pc.index_in(names.dictionary, all_names).to_numpy(zero_copy_only=False)
    lookup = np.append(places, -1).astype(np.int16)
    return lookup[names.indices.fill_null(len(lookup) - 1).to_numpy()]


def summary_of(
    world: World, columns: SlotColumns, about: dict[str, Any], warnings: Sequence[str], complete: bool
) -> dict[str, Any]:
    """The document written as summary.json; `about` says what was simulated (title, catalogue, seed, ...)."""
    slot_s = world.slots.length_us / US_PER_S
    tallies = {t.id: tally(columns, i, slot_s) for i, t in enumerate(world.terminals)}
    rtt_ms = columns.rtt_us[np.isfinite(columns.rtt_us)] / 1e3
    terminals = {name: dataclasses.asdict(t) for name, t in tallies.items()}
    rates = None
    if world.capacity is not None and columns.down_bps is not None:
        needs = needs_of(world.terminals)
        for i, t in enumerate(world.terminals):
            terminals[t.id] |= _rates(columns, needs, np.array([i]))
        rates = {
            "all": _rates(columns, needs, np.arange(len(world.terminals))),
            **{
                name: _rates(columns, needs, np.flatnonzero(needs.priority == k))
                for k, name in enumerate(CLASS_NAMES, 1)
                if (needs.priority == k).any()
            },
        }
    return {
        "complete": complete,
        "slots": len(columns.at_us),
        "slots_asked": about["slots_asked"],
        "seed": about["seed"],
        "time_shift_s": world.catalogue.time_shift_us / US_PER_S,
        "availability": {name: t.availability_fraction for name, t in tallies.items()},
        "warnings": list(warnings),
        "title": about["title"],
        "start": format_instant(int(columns.at_us[0])) if len(columns.at_us) else None,
        "end": format_instant(int(columns.at_us[-1]) + world.slots.length_us) if len(columns.at_us) else None,
        "objects": len(world.catalogue),
        "gateways": len(world.ground.gateways),
        "pops": len(world.ground.pops),
        "policy": world.policy,
        "lasers": world.lasers is not None,
        "delay_terms_us": dataclasses.asdict(world.delay),
        "rtt_ms": {
            "median": float(np.median(rtt_ms)) if len(rtt_ms) else None,
            "p95": float(np.quantile(rtt_ms, 0.95)) if len(rtt_ms) else None,
        },
        "not_modelled": ["down_bps", "up_bps", "loss_fraction"] if world.capacity is None else [],
        "rates": rates,
        "terminals": terminals,
        "inputs": about["inputs"],
        "fingerprint": about["fingerprint"],
        "skylift": __version__,
    }


def _rates(columns: SlotColumns, needs: Needs, who: npt.NDArray[np.intp]) -> dict[str, Any]:
    return dataclasses.asdict(rate_tally(columns, needs.down_bps, who))


def write_summary(folder: Path, summary: dict[str, Any], pictures: Sequence[str]) -> None:
    """summary.json for programs, summary.md for people."""
    text = json.dumps(summary, indent=1, ensure_ascii=False)
    write_atomically(folder / "summary.json", (text + "\n").encode())
    write_atomically(folder / "summary.md", _markdown(summary, pictures).encode())


def _markdown(s: dict[str, Any], pictures: Sequence[str]) -> str:
    lines = [f"# {s['title']}", ""]
    if not s["complete"]:
        lines += [f"**Partial: {s['slots']} of {s['slots_asked']} slots.** Go on with `--resume`.", ""]
    lines += [
        f"{s['start']} to {s['end']}, {s['slots']} slots; {s['objects']} satellites, "
        f"{s['gateways']} gateways, {s['pops']} PoPs; "
        f"{_chooser(s)}, {'with lasers' if s['lasers'] else 'bent-pipe'}.",
        "",
    ]
    if s["time_shift_s"]:
        lines += [f"All epochs of the catalogue are shifted by {s['time_shift_s']:.3f} s.", ""]
    lines += [f"- {warning}" for warning in s["warnings"]] + ([""] if s["warnings"] else [])
    lines += _table(s["terminals"])
    if s["rates"] is not None:
        lines += ["", *_rate_table(s["rates"])]
    if s["not_modelled"]:
        lines += ["", "Rates and loss are null: the scenario has no [capacity].", ""]
    lines += [f"![{name}]({name})" for name in pictures]
    return "\n".join(lines) + "\n"


MOST_ROWS = 50


def _chooser(s: dict[str, Any]) -> str:
    # With rates the beam schedule gives satellites to terminals, whatever the policy.
    return f"policy {s['policy']}" if s["rates"] is None else "satellites by the beam schedule"


def _table(terminals: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| terminal | available | while active | RTT median, p95 (ms) | handovers/h "
        "| longest gap (s) | down because |",
        "|---|---|---|---|---|---|---|",
    ]
    by_need = sorted(terminals.items(), key=lambda item: item[1]["availability_fraction"])
    for name, t in by_need[:MOST_ROWS]:
        active = t["availability_while_active_fraction"]
        why = ", ".join(f"{reason} {count}" for reason, count in t["why_down"].items())
        escaped = name.replace("|", r"\|")
        lines.append(
            f"| {escaped} | {t['availability_fraction']:.2%} | {'-' if active is None else f'{active:.2%}'} "
            f"| {_ms(t['rtt_ms_median'])}, {_ms(t['rtt_ms_p95'])} | {_ms(t['handovers_per_hour'])} "
            f"| {t['longest_gap_s']:.0f} | {why or '-'} |"
        )
    if len(by_need) > MOST_ROWS:
        lines.append(
            f"\n{len(by_need) - MOST_ROWS} more terminals, all at least as available: see summary.json."
        )
    return lines


def _rate_table(rates: dict[str, dict[str, Any]]) -> list[str]:
    lines = [
        "| class | down (Mbit/s): median | 5 % of the time less than | least | up: median | not served |",
        "|---|---|---|---|---|---|",
    ]
    for name, r in rates.items():
        numbers = [r[key] for key in ("down_bps_median", "down_bps_p05", "down_bps_least", "up_bps_median")]
        unserved = r["unserved_fraction"]
        cells = [name, *map(mbps, numbers), "-" if unserved is None else f"{unserved:.2%}"]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def mbps(value_bps: float | None) -> str:
    """As it stands in tables: Mbit/s with one decimal; a dash for none."""
    return "-" if value_bps is None else f"{value_bps / 1e6:.1f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
