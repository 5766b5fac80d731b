"""Where would a further gateway help Ukraine most?"""

from __future__ import annotations

import sys
from pathlib import Path

from skylift.adapters.candidates_file import load_siting
from skylift.adapters.pictures_siting import draw_siting
from skylift.adapters.plan_sources import PlanSources, hourly
from skylift.study.siting import SitingStudy

CANDIDATES = Path(__file__).with_name("candidates.csv")


def main(folder: Path) -> None:
    # One gateway serves the country; six towns around it could have another.
    sources = PlanSources("Ukraine", only=("wola-krobowska",), resolution=4)
    inputs, existing = load_siting(sources, CANDIDATES)

    # Who sees whom is worked out once; a set of gateways is then a schedule, and none is scheduled twice.
    study = SitingStudy(inputs.case, existing, hourly(inputs.start_us, 2))
    for goal in ("capacity", "robustness"):
        result = study.choose(add=2, by=goal)
        names = " and ".join(one.gateway.name for one in result.chosen)
        print(f"by {goal}: {names} ({result.method}; {result.valued} of {result.sets} pairs valued)")
        print(f"  served {result.before.served_bps / 1e9:.0f} -> {result.after.served_bps / 1e9:.0f} Gbit/s")
        worst = result.lost_one[0]
        print(f"  {worst.served_bps / 1e9:.0f} Gbit/s remain should {worst.gateway.name} be lost")
        draw_siting(folder / f"gateways-by-{goal}.png", inputs, existing, result)


if __name__ == "__main__":
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "out")
    out.mkdir(parents=True, exist_ok=True)
    main(out)
