"""Refuses files that could not be written, before the work for them is done and before any other is."""

from __future__ import annotations

from pathlib import Path

PICTURES = (".png", ".svg", ".pdf")


def check_picture(plot: Path | None, suffixes: tuple[str, ...] = PICTURES) -> None:
    """Refuses a picture of another format, or where no file can be."""
    from skylift.base.errors import Refused

    if plot is None:
        return
    if plot.suffix.lower() not in suffixes:
        ends = " or ".join([", ".join(suffixes[:-1]), suffixes[-1]] if len(suffixes) > 1 else suffixes)
        raise Refused("picture.format", "--plot", f"a picture ends in {ends}", "name it sky.png")
    if not plot.absolute().parent.is_dir():
        raise Refused("picture.folder", "--plot", "its folder does not exist", "create the folder first")
    if plot.is_dir():
        raise Refused("picture.is-folder", "--plot", "it is a folder", "name a file in it")
    _check_writable(plot, "--plot")


def check_output(out: Path | None) -> None:
    """Refuses an output file in a folder that is not there, and one that is a folder itself."""
    from skylift.base.errors import Refused

    if out is None:
        return
    if out.is_dir():
        raise Refused("output.is-folder", "the output file", "it is a folder", "name a file in it")
    if not out.absolute().parent.is_dir():
        raise Refused(
            "output.folder", "the output file", "its folder does not exist", "create the folder first"
        )
    _check_writable(out, "the output file")


def _check_writable(path: Path, thing: str) -> None:
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
            thing,
            f"no file can be made in its folder ({reason})",
            "choose a folder that you may write to, with space left",
        ) from None
