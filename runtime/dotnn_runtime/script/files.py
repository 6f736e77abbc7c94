"""Where a script finds its files, and where it puts them."""

import pathlib

from dotnn_runtime.script.errors import DataError


def locate(name: str, script: str, given: str | None = None) -> pathlib.Path:
    """Return the path of a data file: `given` where it is a file, inside `given` where that is a folder, else beside
    the script. Raises DataError where there is none."""
    base = pathlib.Path(given) if given else pathlib.Path(script).resolve().parent
    path = base / name if base.is_dir() else base
    if not path.is_file():
        raise DataError("there is no such file", path, help="name the data file or its folder with --data")
    return path


def make_results_folder(folder: pathlib.Path, files: tuple[str, ...], *, overwrite: bool) -> None:
    """Make the folder for the `files` that a training writes, where it is missing.

    Raises DataError where one of them stands there and nobody asked to overwrite it, and where no folder can be made.
    """
    for path in [folder / name for name in files]:
        if path.exists() and not overwrite:
            raise DataError("the file is there already", path, help="name another folder, or use --overwrite")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"no folder can be made: {error.strerror}", folder, help="name another one") from None
