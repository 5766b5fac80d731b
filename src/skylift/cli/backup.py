"""skylift backup and restore: the store as one file, and back, without what was erased meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from skylift.cli.audit import AS_JSON, DATA_DIR, STORE_URL


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    to: Annotated[Path, typer.Option(help="File to write; there must be none yet.")],
    telemetry: Annotated[
        bool, typer.Option("--telemetry/--no-telemetry", help="What dishes reported, into FILE.telemetry.")
    ] = True,
    data_dir: DATA_DIR = None,
    store_url: STORE_URL = None,
    as_json: AS_JSON = False,
) -> None:
    """Write the store into one file, while the service runs. It holds everything personal: guard it.

    The whole of it is checked. Write down the head that is printed: `skylift audit verify --head` finds it in
    every later state of the same store.
    """
    import platformdirs

    from skylift.adapters.sql.backing_up import back_up, telemetry_beside
    from skylift.adapters.sql.store import sqlite_file_in
    from skylift.adapters.telemetry.store import telemetry_file_in
    from skylift.service.rooms import ROOMS

    _refuse_server(store_url, "pg_dump --format=custom --file=FILE URL")
    folder = data_dir or Path(platformdirs.user_data_dir("skylift", appauthor=False))
    file = sqlite_file_in(folder)
    _need(file)
    reported = telemetry_file_in(folder) if telemetry else None
    if reported is not None and not reported.is_file():
        reported = None
    found = back_up(file, to, ROOMS, reported)
    beside = None if reported is None else str(telemetry_beside(to))
    if as_json:
        document = {"file": str(to), "rows": found.rows, "head": found.head, "telemetry": beside}
        typer.echo(json.dumps(document))
    else:
        typer.echo(f"{found.rows} rows of the journal, and all that they made, are in {to}")
        if beside is not None:
            typer.echo(f"what dishes reported is in {beside}: keep both together")
        typer.echo(f"head {found.head or '(none yet)'}")


def restore(
    file: Annotated[Path, typer.Argument(help="What `skylift backup` has written.", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace", help="Give up the store that is there now.")] = False,
    data_dir: DATA_DIR = None,
    store_url: STORE_URL = None,
    as_json: AS_JSON = False,
) -> None:
    """Put a backup in the store's place, and FILE.telemetry in its. What was erased since is erased again.

    The service must not run. Whose data was erased, the list beside the store says (skylift.sqlite.erased):
    copy it elsewhere as well, so that it outlives the machine.
    """
    from skylift.adapters.sql.backing_up import restore as put_back
    from skylift.adapters.sql.store import sqlite_file_in
    from skylift.adapters.telemetry.store import telemetry_file_in
    from skylift.cli.run_common import prepare_data_dir
    from skylift.service.rooms import ROOMS

    _refuse_server(store_url, "pg_restore; the next `skylift run` erases again what its list says")
    folder = prepare_data_dir(data_dir)
    done = put_back(file, sqlite_file_in(folder), ROOMS, replace, telemetry_file_in(folder))
    if as_json:
        document = {"rows": done.audit.rows, "head": done.audit.head, "erased_again": done.erased_again}
        typer.echo(json.dumps(document))
    else:
        typer.echo(f"{done.audit.rows} rows of the journal, all as they were written")
        typer.echo(f"erased again: {done.erased_again} subjects, erased after the backup was made")
        typer.echo(f"head {done.audit.head or '(none yet)'}")


def _refuse_server(store_url: str | None, instead: str) -> None:
    from skylift.base.errors import Refused

    if store_url is not None:
        raise Refused(
            "backup.server", "the store", "a PostgreSQL server has backups of its own", f"use {instead}"
        )


def _need(file: Path) -> None:
    from skylift.base.errors import Refused

    if not file.is_file():
        raise Refused(
            "store.none",
            f"data folder {file.parent}",
            "skylift has kept nothing there yet",
            "name another with --data-dir or SKYLIFT_DATA_DIR",
        )
