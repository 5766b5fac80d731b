"""What can Ukraine bear, with and without the gateway in Poland?"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from skylift.adapters.plan_sources import PlanSources, hourly, load_plan
from skylift.study.bearing import CapacityResult, bearing

# Sites named as serving Ukraine in 2022, and the same without the one that burned in September 2026.
GATEWAYS = ("wola-krobowska", "kaunas", "muallim")
CASES = {"three gateways": GATEWAYS, "without Wola Krobowska": GATEWAYS[1:]}


def ask(gateways: tuple[str, ...]) -> CapacityResult:
    # Everybody in every cell wants more than there is: what is served is then what the region can bear.
    inputs = load_plan(PlanSources("Ukraine", only=gateways, resolution=4))
    return bearing(inputs.case, hourly(inputs.start_us, 6), 0)


def main(folder: Path) -> None:
    results = {name: ask(gateways) for name, gateways in CASES.items()}

    for name, result in results.items():
        print(
            f"{name:<24}{result.served_bps / 1e9:6.1f} Gbit/s, {result.mbps_per_km2:.3f} Mbit/s per km2, "
            f"{result.terminals_at(5.0):,} terminals at 5 Mbit/s"
        )
    whole, less = (result.served_bps for result in results.values())
    dark = max(hour.cells_without_service for hour in results["without Wola Krobowska"].hours)
    print(f"the fire takes {1 - less / whole:.0%} of the capacity; cells without any service: {dark}")

    # How much a square kilometre gets: the share of all cells and hours that have at least so much.
    # The luckiest hundredth, beneath a satellite that nobody else needs, is off the scale.
    share = np.linspace(0.01, 1.0, 100)
    figure, axes = plt.subplots(figsize=(8, 4.5), layout="constrained")
    for name, result in results.items():
        axes.plot(share * 100, result.duration_mbps_per_km2(share), label=name)
    axes.set(xlabel="share of cells and hours, %", ylabel="at least so many Mbit/s per km2", ylim=(0, None))
    axes.set_title("What Ukraine can bear", loc="left")
    axes.legend(frameon=False)
    figure.savefig(folder / "what-ukraine-can-bear.png", dpi=110)


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    main(out)
