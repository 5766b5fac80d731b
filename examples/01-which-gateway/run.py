"""Which gateway carried each city, and for how much of the time that its service was on?"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq

SCENARIO = Path(__file__).resolve().parents[2] / "scenarios" / "ukraine-2022.toml"


def main(folder: Path) -> None:
    simulate = [
        sys.executable,
        "-m",
        "skylift",
        "simulate",
        str(SCENARIO),
        "-o",
        str(folder),
        "--no-pictures",
    ]
    subprocess.run(simulate, check=True, stdout=subprocess.DEVNULL)
    links = pq.read_table(folder / "links.parquet", columns=["terminal", "gateway", "why_down"]).to_pylist()

    slots: dict[str, Counter[str]] = {}
    for link in links:
        if link["why_down"] != "region_not_active":
            slots.setdefault(link["terminal"], Counter())[link["gateway"] or "(none)"] += 1
    for city, count in sorted(slots.items()):
        shares = ", ".join(f"{name} {n / count.total():.0%}" for name, n in count.most_common())
        print(f"{city:<12} {shares}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
