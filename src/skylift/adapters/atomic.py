"""Writes files so that a reader, or a crash, never sees half of one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from skylift.base.errors import Unavailable


def write_atomically(path: Path, content: str | bytes) -> None:
    """Puts `content` (a text as UTF-8) where `path` is, at once: it is written beside it, synced and renamed.

    Raises Unavailable, and leaves an existing file as it was, if the disk refuses.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    save_atomically(path, lambda temporary: _write(temporary, data))


def save_atomically(path: Path, save: Callable[[Path], object]) -> None:
    """Lets `save` write a file of its own format beside `path` (same suffix), then puts it there at once.

    Raises Unavailable if the disk refuses; whatever `save` raises leaves an existing file as it was.
    A device or a pipe, such as /dev/stdout, is written into and never replaced.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        special = path.exists() and not path.is_file() and not path.is_dir()
        folder = None if special else path.parent
        handle, name = tempfile.mkstemp(prefix=f".{path.stem}-", suffix=path.suffix, dir=folder)
        os.close(handle)
        temporary = Path(name)
        save(temporary)
        if special:
            _write(path, temporary.read_bytes())
            return
        _sync(temporary)
        # mkstemp gives 0600; a new file gets what the user's umask says, an existing one keeps its mode.
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        os.replace(temporary, path)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(
            "file.unwritable",
            str(path),
            f"the file could not be written ({reason})",
            "check that the folder exists, is writable and has space",
        ) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
