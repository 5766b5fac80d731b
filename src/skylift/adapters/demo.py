"""What a demonstration has of its own: a store's file, a story, and a note of how far it has come."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from sqlalchemy import delete, insert, select

from skylift.adapters.packaged import packaged_text
from skylift.adapters.sql.engine import WRITES
from skylift.adapters.sql.faults import told
from skylift.adapters.sql.schema import META
from skylift.adapters.sql.store import SqlStore, sqlite_file_in
from skylift.base.errors import Refused
from skylift.twin.story import Story, read_story

STORY = "ukraine-2022"
# A row of `meta`: how far the story has come, as JSON.
_PROGRESS = "demo_progress"


def demo_file_in(data_dir: Path) -> Path:
    """The database of a demo in a data directory: never the name of a real one."""
    return data_dir / "skylift-demo.sqlite"


def demo_url(data_dir: Path) -> str:
    """Its URL. Raises Refused where something real is kept in the same folder."""
    if sqlite_file_in(data_dir).exists():
        raise Refused(
            "store.real",
            f"data folder {data_dir}",
            "it holds a real store, and a demo is never beside real data",
            "leave out --data-dir (and SKYLIFT_DATA_DIR): a demo has its own folder; or name an empty one",
        )
    return f"sqlite:///{demo_file_in(data_dir)}"


def refuse_demo_beside(data_dir: Path) -> None:
    """Raises Refused where a real store would come to lie beside a demo's."""
    if demo_file_in(data_dir).exists():
        raise Refused(
            "store.demo",
            f"data folder {data_dir}",
            "it holds a demo, and real data is never beside one",
            "run it with --demo, or name another folder with --data-dir or SKYLIFT_DATA_DIR",
        )


@contextmanager
def demo_folder(wanted: Path | None) -> Iterator[Path]:
    """The folder that is wanted, or else one that is gone afterwards, with all that was entered."""
    if wanted is not None:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="skylift-demo-") as folder:
        yield Path(folder)


def packaged_story() -> Story:
    """The story that is packaged with skylift."""
    name = f"demo/{STORY}.toml"
    return read_story(packaged_text(name), name)


def scenario_of(story: Story) -> Path:
    """The packaged scenario under whose sky it plays."""
    return Path(str(resources.files("skylift.data"))) / "scenarios" / f"{story.scenario}.toml"


def progress(store: SqlStore) -> str:
    """What was noted last; "" for nothing."""
    with told(), store.engine.connect() as connection:
        found = connection.execute(select(META.c.value).where(META.c.name == _PROGRESS)).first()
    return "" if found is None else str(found[0])


def note_progress(store: SqlStore, text: str) -> None:
    """Note how far the story has come, for the next start."""
    with told(), store.engine.execution_options(**{WRITES: True}).begin() as connection:
        connection.execute(delete(META).where(META.c.name == _PROGRESS))
        connection.execute(insert(META), {"name": _PROGRESS, "value": text})


def last_instant_us(store: SqlStore) -> int:
    """The instant of the journal's last row; 0 where it has none. A clock that goes on begins there."""
    sequence, _ = store.head()
    rows = store.journal(sequence - 1, 1) if sequence else ()
    return int(rows[0].event.at) if rows else 0
