"""An outage in plain words, in English and Ukrainian: what was measured, how sure, and nothing else."""

from __future__ import annotations

from skylift.base.instants import format_instant
from skylift.base.units import US_PER_DAY
from skylift.service.outage.events import Cause, EntityKind, Level
from skylift.service.outage.state import Outage, OutageState

LANGUAGES = ("en", "uk")
# A monitor that follows an outage tells its level at least once a day: after two nobody knows any more.
STALE_US = 2 * US_PER_DAY
_BASELINE = {"ordinary": ("ordinary", "звичайного"), "pre-war": ("pre-war", "довоєнного")}
_CAUSE = {
    Cause.CYBER_ATTACK: ("Sources attribute it to a cyber-attack", "За даними джерел, причина - кібератака"),
    Cause.PHYSICAL_DAMAGE: ("Cause: physical damage", "Причина: фізичне пошкодження"),
    Cause.POWER: ("Cause: loss of power", "Причина: знеструмлення"),
    Cause.SHUTDOWN: ("Sources attribute it to a shutdown", "За даними джерел, причина - відключення"),
    Cause.POPULATION_FLIGHT: ("It reflects people leaving", "Це пов'язано з виїздом людей"),
}


def is_stale(outage: Outage, at: int) -> bool:
    """Whether it is open on record, but has not been measured for so long that it may be over."""
    open_ = outage.state is OutageState.OPEN and outage.measured_at is not None
    return open_ and at - (outage.measured_at or 0) > STALE_US


def sentence(outage: Outage, language: str = "en", stale: bool = False) -> str:
    """Connectivity of AS64500 fell to 18 % (15-21) of ordinary levels at 03:10 UTC and is still down.

    While it lasts the level now is told as well, where it is another one; causes only as they are recorded.
    stale  nobody has measured it for long: then only how it was when somebody last did
    """
    ukrainian = language == "uk"
    entity = outage.entity
    name = (entity.title_uk if ukrainian else "") or entity.title or entity.code
    if entity.kind in (EntityKind.AS, EntityKind.AS_WITH_CONE) and entity.code not in name:
        name = f"{name} ({entity.code})"
    if entity.kind is EntityKind.TERMINALS:
        name = f"Наші термінали ({name})" if ukrainian else f"our own terminals ({name})"
    day, clock = _moment(outage.began_at)
    parts = [_fell(outage, name, (day, clock), ukrainian), _since(outage, ukrainian, stale)]
    text = f"{parts[0]} {parts[1]}."
    cause = _CAUSE.get(outage.cause)
    if cause is not None:
        publishers = ", ".join(dict.fromkeys(claim.publisher for claim in outage.claims))
        text += f" {cause[ukrainian]}{f' ({publishers})' if publishers else ''}."
    if outage.synthetic:
        text += " (Вигадані дані.)" if ukrainian else " (Synthetic data.)"
    return text


def _fell(outage: Outage, name: str, moment: tuple[str, str], ukrainian: bool) -> str:
    level, (day, clock) = percent(outage.worst), moment
    words = _BASELINE.get(outage.worst.baseline, (outage.worst.baseline,) * 2)
    if ukrainian:
        # A name stands first, in the nominative: nobody has to decline it.
        return f"{name}: зв'язність впала до {level} {words[1]} рівня о {clock} UTC {day}"
    return f"Connectivity of {name} fell to {level} of {words[0]} levels at {clock} UTC on {day}"


def _since(outage: Outage, ukrainian: bool, stale: bool) -> str:
    if outage.state is OutageState.CLOSED or outage.ended_at is not None:
        day, clock = _moment(outage.ended_at)
        return f"і відновилася о {clock} UTC {day}" if ukrainian else f"and recovered at {clock} UTC on {day}"
    if stale:
        day, clock = _moment(outage.measured_at)
        if percent(outage.level) != percent(outage.worst):
            now = percent(outage.level)
            if ukrainian:
                return f"і становила {now} за останнім вимірюванням о {clock} UTC {day}"
            return f"and was at {now} when last measured, at {clock} UTC on {day}"
        if ukrainian:
            return f"і ще не відновилася за останнім вимірюванням о {clock} UTC {day}"
        return f"and was still down when last measured, at {clock} UTC on {day}"
    if percent(outage.level) != percent(outage.worst):
        now = percent(outage.level)
        return f"і зараз становить {now}" if ukrainian else f"and is at {now} now"
    return "і досі не відновилася" if ukrainian else "and is still down"


def percent(level: Level) -> str:
    """As in 18 % (15-21); without brackets where there is no doubt to show."""
    least, most = round(level.low * 100), round(level.high * 100)
    middle = round(level.fraction * 100)
    return f"{middle} %" if least == most else f"{middle} % ({least}-{most})"


def _moment(at: int | None) -> tuple[str, str]:
    """("2022-02-26", "03:10")"""
    if at is None:
        return "?", "?"
    text = format_instant(at)
    return text[:10], text[11:16]
