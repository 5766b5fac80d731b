"""links.parquet: one row per slot and terminal, in that order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from skylift.base.link import LinkTable, WhyDown
from skylift.base.units import DEG_PER_RAD, US_PER_S
from skylift.twin.look import Sky
from skylift.twin.world import World

# Delays are stored to a hundredth of a microsecond (3 m of light): finer digits would only cost space.
DELAY_DECIMALS = 2

_NAMES = pa.dictionary(pa.int32(), pa.string())
_FIELDS = (
    pa.field("at_us", pa.int64(), nullable=False),
    pa.field("terminal", _NAMES, nullable=False),
    pa.field("satellite", pa.int32()),
    pa.field("gateway", _NAMES),
    pa.field("pop", _NAMES),
    pa.field("path", pa.list_(pa.int32())),
    pa.field("elevation_deg", pa.float32()),
    pa.field("azimuth_deg", pa.float32()),
    pa.field("one_way_delay_up_us", pa.float64()),
    pa.field("one_way_delay_down_us", pa.float64()),
    pa.field("one_way_delay_up_end_us", pa.float64()),
    pa.field("one_way_delay_down_end_us", pa.float64()),
    pa.field("propagation_us", pa.float64()),
    pa.field("fibre_us", pa.float64()),
    pa.field("down_bps", pa.float64()),
    pa.field("up_bps", pa.float64()),
    pa.field("loss_fraction", pa.float64()),
    pa.field("handover", pa.bool_(), nullable=False),
    pa.field("why_down", _NAMES),
    pa.field("satellites_in_view", pa.int16(), nullable=False),
    pa.field("satellites_usable", pa.int16(), nullable=False),
)
_WHY_LABELS = pa.array([why.label for why in WhyDown], pa.string())


@dataclass(frozen=True)
class Names:
    """The texts behind the indices of a LinkTable."""

    norad: npt.NDArray[np.int32]
    terminals: pa.Array
    gateways: pa.Array
    pops: pa.Array
    time_shift_us: int

    @classmethod
    def of(cls, world: World) -> Names:
        return cls(
            norad=world.catalogue.norad,
            terminals=pa.array([t.id for t in world.terminals], pa.string()),
            gateways=pa.array([g.id for g in world.ground.gateways], pa.string()),
            pops=pa.array([p.id for p in world.ground.pops], pa.string()),
            time_shift_us=world.catalogue.time_shift_us,
        )


def links_schema(names: Names) -> pa.Schema:
    """The columns, labelled with the shift of the catalogue's epochs."""
    return pa.schema(_FIELDS, metadata={"time_shift_s": f"{names.time_shift_us / US_PER_S:.6f}"})


def links_to_arrow(slots: Iterable[tuple[Sky, LinkTable]], names: Names) -> pa.Table:
    """All rows of these slots as one Arrow table."""
    batches = [_slot_batch(sky, links, names) for sky, links in slots]
    return pa.Table.from_batches(batches, links_schema(names)).combine_chunks()


def _slot_batch(sky: Sky, links: LinkTable, names: Names) -> pa.RecordBatch:
    rows = len(links.satellite)
    down = links.why_down != WhyDown.UP
    columns: Sequence[Any] = (
        pa.array(np.full(rows, links.at_us, dtype=np.int64)),
        pa.DictionaryArray.from_arrays(np.arange(rows, dtype=np.int32), names.terminals),
        pa.array(names.norad[links.satellite], mask=down),
        _named(links.gateway, down, names.gateways),
        _named(links.pop, down, names.pops),
        pa.ListArray.from_arrays(links.path_offset.astype(np.int32), names.norad[links.path]),
        pa.array((links.elevation_rad * DEG_PER_RAD).astype(np.float32), mask=down),
        pa.array((links.azimuth_rad * DEG_PER_RAD).astype(np.float32), mask=down),
        _delay(links.delay_up_us, down),
        _delay(links.delay_down_us, down),
        _delay(links.delay_up_end_us, down),
        _delay(links.delay_down_end_us, down),
        _delay(links.propagation_us, down),
        _delay(links.fibre_us, down),
        _known(np.round(links.down_bps)),
        _known(np.round(links.up_bps)),
        _known(links.loss_fraction),
        pa.array(links.handover),
        _named(links.why_down.astype(np.int32), ~down, _WHY_LABELS),
        pa.array(sky.users.above_count.astype(np.int16)),
        pa.array(sky.users.clear_count.astype(np.int16)),
    )
    return pa.record_batch(list(columns), schema=links_schema(names))


def _named(index: npt.NDArray[np.int32], absent: npt.NDArray[np.bool_], texts: pa.Array) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index, mask=absent), texts)


def _delay(values: npt.NDArray[np.float64], down: npt.NDArray[np.bool_]) -> pa.Array:
    return pa.array(np.round(values, DELAY_DECIMALS), mask=down)


def _known(values: npt.NDArray[np.float64]) -> pa.Array:
    """Not modelled (nan) is null in the file, never a number that looks like an answer."""
    return pa.array(values, mask=np.isnan(values))
