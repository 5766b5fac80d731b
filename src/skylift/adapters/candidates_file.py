"""Sites where a gateway could be built, from a file, set beside the gateways that there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from skylift.adapters.gateways_file import read_ground_segment, slug
from skylift.adapters.plan_disturbances import disturbed
from skylift.adapters.plan_sources import PlanInputs, PlanSources, load_plan, resolve_gateways
from skylift.base.errors import Refused
from skylift.sky.routing.ground import Gateway


def load_siting(sources: PlanSources, candidates: Path, only: Sequence[str] = ()) -> tuple[PlanInputs, int]:
    """A case whose gateways are the existing ones and then the candidates, and how many exist.

    only  names of candidates to look at; () for all. Raises Refused; writes nothing.
    """
    inputs = load_plan(sources)
    existing = inputs.case.gateways
    found, notes = read_candidates(candidates, existing)
    if only:
        kept = resolve_gateways(
            found, only, "--candidate",
            f"{candidates.name} has no site of this name, or it is a gateway already",
            "see the names in that file",
        )  # fmt: skip
        found = tuple(g for i, g in enumerate(found) if i in kept)
    if sources.antennas is not None:
        found = tuple(replace(g, antennas=sources.antennas) for g in found)
    case = disturbed(replace(inputs.case, gateways=(*existing, *found)), sources.rain, sources.jam)
    return replace(inputs, case=case, notes=(*inputs.notes, *notes)), len(existing)


def read_candidates(path: Path, existing: Sequence[Gateway]) -> tuple[tuple[Gateway, ...], tuple[str, ...]]:
    """The gateways of a list of sites as `--gateways` takes it, planned ones too, and notes on what was left.

    A site that stands among the existing gateways under the same id or name is left out, and counted in a
    note.
    """
    ground = read_ground_segment(path, any_status=True)
    there = {str(g.id) for g in existing} | {slug(g.name) for g in existing}
    kept: dict[str, Gateway] = {}
    for gateway in ground.gateways:
        # A site with other antennas in other years is one candidate, as it was last.
        if not there & {str(gateway.id), slug(gateway.name)}:
            kept[gateway.id] = gateway
    left = sum(bool(there & {str(g.id), slug(g.name)}) for g in ground.gateways)
    notes = [note for note in ground.notes if "PoPs" not in note and "in operation" not in note]
    if left:
        notes.append(f"{path.name}: {left} of its sites are among the gateways already and were left out")
    if not kept:
        raise Refused(
            "plan.candidates",
            f"candidates of {path.name}",
            "every one of them is among the gateways already",
            "give other sites, or take gateways away with --without",
        )
    return tuple(kept.values()), tuple(notes)
