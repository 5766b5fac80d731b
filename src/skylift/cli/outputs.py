"""Refuses files that could not be written, before the work for them is done and before any other is."""

from __future__ import annotations

from pathlib import Path

PICTURES = (".png", ".svg", ".pdf")


def check_picture(plot: Path | None, endings: tuple[str, ...] = PICTURES, option: str = "--plot") -> None:
    """Refuses a picture of another format, or where no file can be."""
    if plot is not None:
        _check_place(plot, "picture", option)
        _check_ending(plot, "picture", option, endings)
        _check_writable(plot, option)


def check_output(
    out: Path | None, option: str = "-o", endings: tuple[str, ...] = (), makes_folder: bool = False
) -> None:
    """Refuses a file in a folder that is not there, one that is a folder itself, and an ending of no format.

    option        by which the caller named the file
    endings       by which a file names its format; of one alone a file may go without. none: any will do
    makes_folder  its folder is made by the command, once it begins
    """
    if out is None:
        return
    if not makes_folder:
        _check_place(out, "output", option)
    plain = not out.suffix or (out.exists() and not out.is_file())
    if endings and not (plain and len(endings) == 1):
        _check_ending(out, "output", option, endings)
    if not makes_folder:
        _check_writable(out, option)


def _check_place(path: Path, kind: str, option: str) -> None:
    from skylift.base.errors import Refused

    if path.is_dir():
        raise Refused(f"{kind}.is-folder", option, "it is a folder", "name a file in it")
    if not path.absolute().parent.is_dir():
        raise Refused(f"{kind}.folder", option, "its folder does not exist", "create the folder first")


def _check_ending(path: Path, kind: str, option: str, endings: tuple[str, ...]) -> None:
    from skylift.base.errors import Refused

    if path.suffix.lower() in endings:
        return
    listed = " or ".join(filter(None, (", ".join(endings[:-1]), endings[-1])))
    raise Refused(
        f"{kind}.format",
        option,
        f"the ending of {'a picture' if kind == 'picture' else 'the file'} names its format, and is {listed}",
        f"name it {path.stem[:40] or kind}{endings[0]}",
    )


def _check_writable(path: Path, option: str) -> None:
    """Makes a file beside `path` and takes it away again, as writing it will: rights alone do not tell.

    A device or a pipe, such as /dev/stdout, is written into when the time comes.
    """
    import tempfile

    from skylift.base.errors import Unavailable

    if path.exists() and not path.is_file():
        return
    try:
        with tempfile.NamedTemporaryFile(prefix=f".{path.stem[:40]}-", dir=path.absolute().parent):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise Unavailable(
            "output.unwritable",
            option,
            f"no file can be made in its folder ({reason})",
            "choose a folder that you may write to, with space left",
        ) from None
