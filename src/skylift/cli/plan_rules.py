"""Rules of the schedule from `--nco`, `--separation-deg` and `--set KEY=VALUE` of `skylift plan`."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skylift.sky.schedule.problem import ScheduleRules

# As far as ScheduleRules goes.
MOST_SEPARATION_DEG = 20.0
# Named as in the [capacity] of a scenario.
KEYS = ("floor_fraction", "class_tiers", "class_weights")


def rules_of(settings: Sequence[str], nco: int = 1, separation_deg: float = 2.5) -> ScheduleRules:
    """Raises Refused for an unknown key, and for a value that the schedule could not keep."""
    from skylift.base.errors import Refused
    from skylift.sky.schedule.problem import ScheduleRules

    # Written so that nan fails as well.
    if not 0.0 <= separation_deg <= MOST_SEPARATION_DEG:
        raise Refused(
            "plan.separation", "--separation-deg", f"it is 0 to {MOST_SEPARATION_DEG:g} degrees", "correct it"
        )
    found: dict[str, Any] = dict(_setting(text) for text in settings)
    try:
        return ScheduleRules(nco=nco, separation_rad=math.radians(separation_deg), **found)
    except Refused as wrong:
        option = "--nco" if wrong.thing == "nco" else f"--set {wrong.thing}"
        raise Refused("plan.setting", option, wrong.rule, wrong.way_out) from None


def _setting(text: str) -> tuple[str, Any]:
    from skylift.base.errors import Refused

    key, _, value = (part.strip() for part in text.partition("="))
    if key not in KEYS:
        near = difflib.get_close_matches(key, KEYS, n=1, cutoff=0.4)
        raise Refused(
            "plan.setting",
            f"--set {key[:40]}",
            f"the keys are {', '.join(KEYS)}",
            f"did you mean {near[0]}?" if near else "choose one, such as --set floor_fraction=0.05",
        )
    try:
        # A list with or without its brackets; JSON knows neither nan here nor a text.
        listed = key != "floor_fraction"
        read = json.loads(f"[{value.strip('[]')}]" if listed else value, parse_constant=_never)
    except ValueError:
        read = None
    numbers = read if isinstance(read, list) else [read]
    whole = key == "class_tiers"
    if not all(type(x) is int or (type(x) is float and not whole) for x in numbers):
        example = {
            "floor_fraction": "0.05",
            "class_tiers": "1,1,2,3",
            "class_weights": "8,4,2,1",
        }[key]
        raise Refused(
            "plan.setting",
            f"--set {key}",
            "it is a number from 0 to 1"
            if key == "floor_fraction"
            else "it is four numbers, for the four classes",
            f"for example --set {key}={example}",
        )
    return key, tuple(numbers) if listed else float(numbers[0])


def _never(text: str) -> float:
    raise ValueError(text)
