"""The beam schedule as a file: one row for each share of a beam's time, slots in order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from skylift.adapters.atomic import save_atomically
from skylift.adapters.links_file import Names
from skylift.base.link import LinkTable
from skylift.base.units import US_PER_S

ROWS_PER_GROUP = 1 << 17

_NAMES = pa.dictionary(pa.int32(), pa.string())
_FIELDS = (
    pa.field("at_us", pa.int64(), nullable=False),
    pa.field("satellite", pa.int32(), nullable=False),
    pa.field("polarisation", pa.int8(), nullable=False),
    pa.field("beam", pa.int16(), nullable=False),
    pa.field("channel", pa.int16(), nullable=False),
    pa.field("cell", _NAMES, nullable=False),
    pa.field("gateway", _NAMES, nullable=False),
    pa.field("share_fraction", pa.float64(), nullable=False),
    pa.field("rate_bps", pa.float64(), nullable=False),
)
_PLAIN = pa.schema([f.with_type(pa.string()) if f.type == _NAMES else f for f in _FIELDS])


def schedule_schema(names: Names) -> pa.Schema:
    """The columns, labelled with the shift of the catalogue's epochs."""
    return pa.schema(_FIELDS, metadata={"time_shift_s": f"{names.time_shift_us / US_PER_S:.6f}"})


def schedule_to_arrow(slots: Iterable[LinkTable], names: Names) -> pa.Table:
    """All rows of these slots; a slot without a schedule has none."""
    batches = [_slot_batch(links, names) for links in slots if links.beams is not None]
    return pa.Table.from_batches(batches, schedule_schema(names)).unify_dictionaries().combine_chunks()


def _slot_batch(links: LinkTable, names: Names) -> pa.RecordBatch:
    beams = links.beams
    assert beams is not None
    cells, cell = np.unique(beams.cell, return_inverse=True)
    texts = pa.array([h3.int_to_str(int(c)) for c in cells], pa.string())
    columns = (
        pa.array(np.full(len(beams.cell), links.at_us, dtype=np.int64)),
        pa.array(names.norad[beams.satellite]),
        pa.array(beams.polarisation.astype(np.int8)),
        pa.array(beams.beam.astype(np.int16)),
        pa.array(beams.channel.astype(np.int16)),
        pa.DictionaryArray.from_arrays(pa.array(cell.reshape(-1).astype(np.int32)), texts),
        pa.DictionaryArray.from_arrays(pa.array(beams.gateway), names.gateways),
        pa.array(beams.share_fraction),
        pa.array(beams.rate_bps),
    )
    return pa.record_batch(list(columns), schema=schedule_schema(names))


@dataclass(frozen=True, slots=True)
class Origin:
    """Of which run a schedule is, and how many of its slots it covers: written into the file itself."""

    fingerprint: str
    slots: int

    def as_metadata(self) -> dict[bytes, bytes]:
        return {b"fingerprint": self.fingerprint.encode(), b"slots": str(self.slots).encode()}


def origin_of(path: Path) -> Origin | None:
    """Of which run the schedule in a file is; None where it is no schedule, or does not say."""
    try:
        said = pq.read_schema(path).metadata or {}
        return Origin(said[b"fingerprint"].decode(), int(said[b"slots"]))
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return None


def may_be_of(path: Path, fingerprint: str) -> bool:
    """Whether a file holds beams of this run. A CSV does not say of which: any with these columns may be."""
    if path.suffix.lower() == ".csv":
        with path.open("rb") as file:
            return file.readline(1_000).strip().decode("ascii", "replace") == ",".join(_PLAIN.names)
    origin = origin_of(path)
    return origin is not None and origin.fingerprint == fingerprint


def put_together(parts: Sequence[Path], names: Names, target: Path, origin: Origin) -> None:
    """Write `target` from parts, one after the other, as its ending says; whole or not at all."""
    write = _WRITERS[target.suffix.lower()]
    save_atomically(target, lambda temporary: write(parts, names, temporary, origin))


def _write_csv(parts: Sequence[Path], names: Names, target: Path, origin: Origin) -> None:
    """The same rows and columns; what a CSV has no place for is left out."""
    options = pa_csv.WriteOptions(quoting_header="none")
    with pa_csv.CSVWriter(target, _PLAIN, write_options=options) as writer:
        for part in parts:
            writer.write_table(pq.read_table(part).cast(_PLAIN))


def _write_parquet(parts: Sequence[Path], names: Names, target: Path, origin: Origin) -> None:
    schema = schedule_schema(names)
    schema = schema.with_metadata({**(schema.metadata or {}), **origin.as_metadata()})
    waiting: list[pa.Table] = []
    with pq.ParquetWriter(target, schema, compression="zstd", use_dictionary=["cell", "gateway"]) as writer:
        for part in parts:
            waiting.append(pq.read_table(part).cast(schema))
            if sum(t.num_rows for t in waiting) >= ROWS_PER_GROUP:
                _write_group(writer, waiting)
        _write_group(writer, waiting)


def _write_group(writer: pq.ParquetWriter, waiting: list[pa.Table]) -> None:
    if waiting:
        whole = pa.concat_tables(waiting).unify_dictionaries().combine_chunks()
        writer.write_table(whole, row_group_size=max(whole.num_rows, 1))
        waiting.clear()


_WRITERS = {".parquet": _write_parquet, ".csv": _write_csv}
ENDINGS = tuple(_WRITERS)
