"""Pictures of a simulation: who was up when, satellites in view, delay over time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

mpl.use("Agg")
import matplotlib.dates as mdates
import matplotlib.pyplot as plt
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from skylift.base.link import WhyDown
from skylift.base.units import US_PER_DAY, US_PER_S
from skylift.study.tally import SlotColumns, available_while_active
from skylift.twin.world import World

# One colour per reason, the same in every picture; distinguishable for colour-blind readers (Okabe and Ito).
WHY_COLOURS = {
    WhyDown.UP: "#009E73",
    WhyDown.NO_SATELLITE: "#000000",
    WhyDown.OBSTRUCTED: "#999999",
    WhyDown.GEO_ARC: "#CC79A7",
    WhyDown.NO_GATEWAY: "#D55E00",
    WhyDown.REGION_NOT_ACTIVE: "#DDDDDD",
    WhyDown.TERMINAL_OFF: "#56B4E9",
    WhyDown.NO_EPHEMERIS: "#F0E442",
    WhyDown.NO_CAPACITY: "#0072B2",
    WhyDown.NOT_PERMITTED: "#8C564B",
}
LINE_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#000000", "#8C8C00")
MOST_LINES = len(LINE_COLOURS)
WITHOUT = "no link"
MOST_LABELLED_ROWS = 40
MOST_POINTS = 300


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands over every picture: it may be passed on alone, so it tells what the summary tells."""

    title: str
    note: str = ""

    @classmethod
    def of(cls, title: str, world: World, slots: int, slots_asked: int) -> Heading:
        """With a note where the catalogue is shifted in time, or where the run was cut off."""
        notes = []
        if world.catalogue.time_shift_us:
            days = world.catalogue.time_shift_us / US_PER_DAY
            notes.append(f"all epochs of the catalogue shifted by {days:+.2f} days")
        if slots < slots_asked:
            notes.append(f"partial: {slots} of {slots_asked} slots")
        return cls(title, "; ".join(notes))

    def over(self, axes: Any, text: str) -> None:
        # Titles and names come from users: a dollar sign is a dollar sign, not a formula.
        lines = f"{self.title}: {text}" + (f"\n{self.note}" if self.note else "")
        axes.set_title(lines, loc="left", fontsize=11, parse_math=False)


def draw_all(world: World, columns: SlotColumns, heading: Heading, folder: Path) -> list[str]:
    """Draw what there is; returns the file names, in the order in which to read them."""
    if len(columns.at_us) == 0:
        return []
    names = [str(t.id) for t in world.terminals]
    end_us = int(columns.at_us[-1]) + world.slots.length_us
    _availability(columns, names, heading, end_us, folder / "availability.png")
    over_time: list[tuple[npt.NDArray[Any], str, str]] = [
        (columns.usable, "satellites a terminal can use", "in_view.png"),
        (columns.rtt_us / 1e3, "RTT terminal to PoP (ms)", "delay.png"),
    ]
    if columns.down_bps is not None:
        over_time.append((columns.down_bps / 1e6, "rate to the terminal (Mbit/s)", "rates.png"))
    for values, label, file in over_time:
        figure = _over_time(_grouped(columns.at_us, values, end_us), names, label, heading)
        if np.issubdtype(values.dtype, np.integer):
            figure.axes[0].yaxis.set_major_locator(MaxNLocator(integer=True))
        figure.savefig(folder / file, dpi=130)
        plt.close(figure)
    return ["availability.png", *(file for _, _, file in over_time)]


def _times(at_us: npt.NDArray[np.int64]) -> Any:
    return mdates.date2num([datetime.fromtimestamp(at / US_PER_S, UTC) for at in at_us])


def _time_axis(axes: Any) -> None:
    locator = mdates.AutoDateLocator(tz=UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator, tz=UTC))
    axes.set_xlabel("UTC")


def _availability(columns: SlotColumns, names: list[str], heading: Heading, end_us: int, path: Path) -> None:
    rows = min(len(names), 400)
    order = np.argsort((columns.why_down == WhyDown.UP).mean(axis=0), kind="stable")[:rows]
    if len(names) <= MOST_LABELLED_ROWS:
        order = np.arange(len(names))
    figure, axes = plt.subplots(figsize=(11, min(10.0, 1.9 + 0.34 * len(order))), layout="constrained")
    times = _times(np.append(columns.at_us, end_us))
    colours = ListedColormap([WHY_COLOURS[why] for why in WhyDown])
    axes.pcolormesh(
        times,
        np.arange(len(order) + 1),
        columns.why_down[:, order].T,
        cmap=colours,
        vmin=-0.5,
        vmax=len(WhyDown) - 0.5,
        rasterized=True,
    )
    axes.invert_yaxis()
    if len(order) <= MOST_LABELLED_ROWS:
        fractions = available_while_active(columns)[order]
        axes.set_yticks(
            np.arange(len(order)) + 0.5,
            [f"{names[i]}  {_share(f)}" for i, f in zip(order, fractions, strict=True)],
            parse_math=False,
        )
    else:
        which = f"the {rows} least available of" if rows < len(names) else "all"
        axes.set_ylabel(f"{which} {len(names):,} terminals, the least available first")
    _time_axis(axes)
    seen = [WhyDown(code) for code in np.unique(columns.why_down)]
    figure.legend(
        handles=[Patch(color=WHY_COLOURS[why], label=why.label.replace("_", " ")) for why in seen],
        loc="outside lower center",
        ncols=4,
        frameon=False,
    )
    heading.over(axes, "link of each terminal, slot by slot")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _share(fraction: float) -> str:
    return f"{fraction:.2%}" if np.isfinite(fraction) else "no service"


def _over_time(grouped: tuple[Any, Any, Any, Any], names: list[str], label: str, heading: Heading) -> Any:
    figure, axes = plt.subplots(figsize=(11, 4.4), layout="constrained")
    at, low, middle, high = grouped
    times = _times(at)
    if len(names) <= MOST_LINES:
        for i, name in enumerate(names):
            named = name if np.isfinite(middle[:, i]).any() else f"{name} ({WITHOUT})"
            axes.fill_between(times, low[:, i], high[:, i], color=LINE_COLOURS[i], alpha=0.13, lw=0)
            axes.plot(times, middle[:, i], lw=1.3, color=LINE_COLOURS[i], label=named)
    else:
        _band(axes, times, middle)
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    if not np.isfinite(middle).any():
        axes.text(0.5, 0.5, f"{WITHOUT} in any slot", ha="center", transform=axes.transAxes)
        axes.set_yticks([0.0])
    axes.set_xlim(times[0], times[-1])
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    _time_axis(axes)
    if axes.get_legend_handles_labels()[0]:
        shown = axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=MOST_LINES, frameon=False)
        for text in shown.get_texts():
            text.set_parse_math(False)
    # Bands have a legend of their own; lines have the terminals' names there.
    shaded = (
        "medians, shaded from least to greatest" if len(names) <= MOST_LINES else f"{len(names):,} terminals"
    )
    heading.over(axes, f"{label}; {shaded}")
    return figure


def _band(axes: Any, times: Any, values: npt.NDArray[Any]) -> None:
    some = np.isfinite(values).any(axis=1)
    quantiles = np.full((5, len(values)), np.nan)
    if some.any():
        quantiles[:, some] = np.nanquantile(values[some], [0.05, 0.25, 0.5, 0.75, 0.95], axis=1)
    axes.fill_between(
        times, quantiles[0], quantiles[4], color="#0072B2", alpha=0.15, label="5 to 95 % of terminals"
    )
    axes.fill_between(times, quantiles[1], quantiles[3], color="#0072B2", alpha=0.3, label="25 to 75 %")
    axes.plot(times, quantiles[2], color="#0072B2", lw=1.2, label="median")


def _grouped(
    at_us: npt.NDArray[np.int64], values: npt.NDArray[Any], end_us: int
) -> tuple[Any, Any, Any, Any]:
    """Least, median and greatest of neighbouring slots, so that at most some 300 points stand across.

    The last of them stands once more at the end of the last slot: a slot is a stretch of time, no point.
    """
    step = max(1, len(at_us) // MOST_POINTS)
    groups = -(-len(at_us) // step)
    padded = np.full((groups * step, values.shape[1]), np.nan)
    padded[: len(at_us)] = values
    grouped = padded.reshape(groups, step, values.shape[1])
    known = np.isfinite(grouped)
    some = known.any(axis=1)
    rising = np.sort(np.where(known, grouped, np.inf), axis=1)
    last = np.maximum(known.sum(axis=1) - 1, 0)

    def nth(index: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
        taken = np.take_along_axis(rising, index[:, np.newaxis, :], axis=1)[:, 0, :]
        found = np.where(some, taken, np.nan)
        return np.vstack([found, found[-1:]])

    return np.append(at_us[::step], end_us), nth(np.zeros_like(last)), nth(last // 2), nth(last)
