"""How many terminals do these hospitals need, and what will they get? The sites are made up."""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from skylift.adapters.plan_sources import PlanSources, hourly
from skylift.adapters.sites_file import load_sites
from skylift.study.terminals import TerminalPlan, TerminalRules, TerminalStudy

SITES = Path(__file__).with_name("sites.csv")
# Everybody else in the country wants this much: 600 Gbit/s in all, far more than one gateway brings.
BACKGROUND_MBPS_PER_KM2 = 1.0


def main(folder: Path) -> None:
    sources = PlanSources("Ukraine", only=("wola-krobowska",), resolution=4)
    loaded = load_sites(sources, SITES, BACKGROUND_MBPS_PER_KM2)
    study = TerminalStudy(loaded.inputs.case, loaded.sites, TerminalRules(spare_fraction=0.2))
    plan = study.plan(hourly(loaded.inputs.start_us, 4))

    print(f"{'site':<12}{'wants':>8}{'terminals':>11}{'least':>8}{'median':>8}  Mbit/s")
    for one in plan.sites:
        print(
            f"{one.site.id:<12}{one.site.wanted_bps / 1e6:8.0f}{one.terminals:11}"
            f"{one.least_bps / 1e6:8.1f}{one.median_bps / 1e6:8.1f}  {one.why.value if one.why else ''}"
        )
    print(f"{plan.terminals} terminals, and {plan.spares} spares")
    draw(plan, folder / "terminals.png")


def draw(plan: TerminalPlan, path: Path) -> None:
    """What each site gets of what it wants: hospitals first, whatever everybody else wants."""
    sites = sorted(plan.sites, key=lambda one: (one.site.class_, one.site.id), reverse=True)
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for row, one in enumerate(sites):
        got = 100 * one.median_bps / one.site.wanted_bps
        axes.barh(row, 100, color="#e6e9ec")
        axes.barh(row, got, color="#0072B2")
        if one.why is not None:
            axes.text(got + 1, row, f"short: {one.why.value.replace('_', ' ')}", va="center", fontsize=9)
    axes.set_yticks(range(len(sites)), [one.site.id for one in sites])
    axes.set(xlabel="median over the hours, % of what is wanted", xlim=(0, 100))
    axes.set_title("What made-up sites behind one gateway get (blue) of what they want", loc="left")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    main(out)
