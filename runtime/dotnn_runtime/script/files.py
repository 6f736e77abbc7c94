"""Where a script finds its files, and where it puts them. The name `-` is standard input or output."""

import contextlib
import io
import pathlib
import re
import sys
import typing

from dotnn_runtime.script.errors import DataError, reason_of


@contextlib.contextmanager
def open_input(path: str | pathlib.Path) -> typing.Iterator[typing.IO[bytes]]:
    """Open a file to read bytes from any place of it.

    `-` is standard input. Raises DataError where that fails.
    """
    with contextlib.ExitStack() as stack:
        try:
            stream = sys.stdin.buffer if str(path) == "-" else stack.enter_context(open(path, "rb"))
            file = stream if stream.seekable() else read_stream(stream)  # a pipe is read once
        except (AttributeError, OSError, ValueError) as error:  # a closed standard input, a NUL in the name
            raise DataError(f"cannot be read: {reason_of(error)}", path) from None
        yield file


def read_stream(stream: typing.IO[bytes], most: int = 2**33) -> io.BytesIO:
    """Return what comes through a pipe, `most` bytes at most, piece by piece: it may be little."""
    content = io.BytesIO()
    while content.tell() < most and (piece := stream.read(2**20)):
        content.write(piece)
    content.seek(0)
    return content


def is_table(path: str) -> bool:
    """Say whether a file is to be read as CSV: by its ending,
    standard input by its first bytes where they are seen.
    """
    if path != "-":
        return not path.lower().endswith((".npz", ".npy"))
    peek = getattr(getattr(sys.stdin, "buffer", None), "peek", None)
    return peek is None or peek(2)[:2] not in (b"PK", b"\x93N")


def locate(name: str, script: str, given: str | None = None) -> pathlib.Path:
    """Return the path of a data file: `given` where it is a file, inside `given` where
    that is a folder, else beside the script. Raises DataError where there is none.
    """
    base = pathlib.Path(given) if given else pathlib.Path(script).resolve().parent
    if given == "-":
        return base
    try:
        path = base / name if base.is_dir() else base
        found = path.exists() and not path.is_dir()
    except (OSError, ValueError) as error:
        raise DataError(f"cannot be the name of a file: {reason_of(error)}", base) from None
    if not found:
        raise DataError("there is no such file", path, help="name the data file or its folder with --data")
    return path


def locate_beside(name: str, script: str, given: str | None = None) -> pathlib.Path:
    """Return the path of a file of one part: as `locate` does, but beside `given` where that is a file."""
    beside = given
    if given and not pathlib.Path(given).is_dir():
        beside = str(pathlib.Path(given).parent)
    return locate(name, script, beside)


def make_results_folder(folder: pathlib.Path, files: tuple[str, ...], *, overwrite: bool) -> None:
    """Make the folder for the `files` that a training writes, where it is missing.

    Raises DataError where one of them stands there and nobody
    asked to overwrite it, and where no folder can be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ours = (*files, "checkpoint.npz", "best.npz")
        others = {path.name for path in folder.iterdir()} - {".lock"} - leftovers(folder, ours)
        # else what looks like a leftover may be somebody's
        if not others or any(name in others for name in ours):
            remove_leftovers(folder, ours)
        there = next((folder / name for name in files if (folder / name).exists()), None)
    except (OSError, ValueError) as error:
        raise DataError(
            f"no folder can be made: {reason_of(error)}", folder, help="name another one"
        ) from None
    if there is not None and not overwrite:
        raise DataError("the file is there already", there, help="name another folder, or use --overwrite")


def remove_leftovers(folder: pathlib.Path, files: typing.Iterable[str]) -> None:
    """Delete what killed programs have left of `files` half written, see `write_atomically`."""
    for name in leftovers(folder, files):
        with contextlib.suppress(OSError):
            (folder / name).unlink()


def leftovers(folder: pathlib.Path, files: typing.Iterable[str]) -> set[str]:
    """Return the names of what killed programs have left of `files` in a folder."""
    names = "|".join(re.escape(name) for name in files)
    there = [path.name for path in folder.iterdir()]
    return {name for name in there if re.fullmatch(rf"({names})\.[0-9]+\.tmp(\.keras)?", name)}
