"""skylift audit: whether the journal is as it was written; skylift upgrade: tables of this version."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from skylift.ports.store import Audit

DATA_DIR = Annotated[
    Path | None,
    typer.Option(
        envvar="SKYLIFT_DATA_DIR", help="Folder for what the service keeps.", show_default="per user"
    ),
]
STORE_URL = Annotated[
    str | None,
    typer.Option(
        envvar="SKYLIFT_STORE__URL",
        help="PostgreSQL database, postgresql://USER@HOST/DATABASE, instead of the file in the data folder.",
    ),
]
AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def register(app: typer.Typer) -> None:
    audit = typer.Typer(name="audit", help="Check what the service keeps.", no_args_is_help=True)
    # With a callback, one command alone keeps its name.
    audit.callback()(lambda: None)
    audit.command("verify")(verify)
    app.add_typer(audit)
    app.command("upgrade")(upgrade)


def verify(
    head: Annotated[
        str | None,
        typer.Option(help="A head of the journal that was written down elsewhere; it must be in the chain."),
    ] = None,
    data_dir: DATA_DIR = None,
    store_url: STORE_URL = None,
    as_json: AS_JSON = False,
) -> None:
    """Check every row of the journal, and that all state is what its events made of it.

    The exit code is 1 if anything was changed, deleted, swapped or cut. A whole end that was cut off is found
    only by --head: write down the head that this command prints, on paper or on another machine.
    """
    import re

    from skylift.adapters.sql.store import open_store
    from skylift.base.errors import Refused
    from skylift.cli.progress import slot_progress
    from skylift.service.rooms import ROOMS

    if head is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", head.strip()):
        raise Refused("audit.head", "--head", "it is 64 hexadecimal digits", "copy the whole of it")
    # To check a demo's harms nobody; that it is one is said.
    store = open_store(existing_store_url(data_dir, store_url), ROOMS, migrate=False, demo=None)
    if store.is_demo:
        typer.echo("DEMO: all of this is invented", err=True)
    try:
        rows, done = store.head()[0], 0
        with slot_progress("checking", "rows") as report:

            def advance(more: int) -> None:
                nonlocal done
                done += more
                report(done, max(rows, done))

            found = store.verify(None if head is None else head.strip().lower(), advance)
    finally:
        store.close()
    if as_json:
        typer.echo(json.dumps({"demo": True, **as_document(found)} if store.is_demo else as_document(found)))
    else:
        _print(found)
    if not found.valid:
        raise typer.Exit(1)


def upgrade(data_dir: DATA_DIR = None, store_url: STORE_URL = None, as_json: AS_JSON = False) -> None:
    """Bring the store's tables up to date. A file is copied first; a server's backups are yours."""
    from skylift.adapters.sql import migrating

    url = existing_store_url(data_dir, store_url)
    before, after = migrating.upgrade(url)
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    elif before == after:
        typer.echo(f"the tables are of version {after} already")
    else:
        typer.echo(f"the tables are of version {after} now; before: {before or 'none'}")


def existing_store_url(data_dir: Path | None, store_url: str | None) -> str:
    """The URL of a store that is there. Nothing is made: a wrong folder must not look like an empty store."""
    import platformdirs

    from skylift.adapters.demo import demo_file_in, demo_url
    from skylift.adapters.sql.store import sqlite_file_in, sqlite_url
    from skylift.base.errors import Refused

    if store_url is not None:
        return store_url
    folder = data_dir or Path(platformdirs.user_data_dir("skylift", appauthor=False))
    if data_dir is not None and demo_file_in(folder).is_file():
        return demo_url(folder)
    if not sqlite_file_in(folder).is_file():
        raise Refused(
            "store.none",
            f"data folder {folder}",
            "skylift has kept nothing there yet",
            "name another with --data-dir or SKYLIFT_DATA_DIR, or a server with --store-url",
        )
    return sqlite_url(folder)


def as_document(found: Audit) -> dict[str, object]:
    """What `skylift audit verify --json` prints."""
    return {
        "rows": found.rows,
        "valid": found.valid,
        "first_bad_row": found.first_bad_row,
        "head": found.head,
        "why": found.why,
        "differing": [{"kind": kind, "id": id} for kind, id in found.differing],
    }


def _print(found: Audit) -> None:
    if found.valid:
        typer.echo(f"{found.rows} rows, all as they were written; all state is what its events made of it")
    else:
        typer.echo(f"not valid: {found.why}")
        for kind, id in found.differing:
            typer.echo(f"  {kind} {id}")
    typer.echo(f"head {found.head or '(none yet)'}")
