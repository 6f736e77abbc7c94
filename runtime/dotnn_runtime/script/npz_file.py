"""Reads arrays from .npz and .npy files; pickled objects are never loaded."""

import pathlib
import zipfile
import zlib

import numpy as np

from dotnn_runtime.script.errors import DataError, suggest


def read_npz(path: str | pathlib.Path, names: dict[str, str]) -> dict[str, np.ndarray]:
    """Read arrays from an .npz file, `names` mapping a value to its key: `{"x": "images", "y": "label"}`.

    A file with one plain array (.npy) serves one value, whatever its key. Shapes and dtypes stay as stored.
    Raises DataError for an unreadable file, a missing key and an array of objects or text; arrays of more than 8 GiB
    in all are refused.
    """
    arrays = load_arrays(path, list(names.values()))
    return {name: arrays[key] for name, key in names.items()}


def load_arrays(
    path: str | pathlib.Path, keys: list[str] | None = None, max_bytes: int = 8 * 2**30
) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file by key, all of them or those of `keys`; raises as `read_npz` does."""
    wanted = None if keys is None else list(dict.fromkeys(keys))
    try:
        if not zipfile.is_zipfile(path):
            return {key: load_npy(path, max_bytes) for key in one_key(path, wanted)}
        with zipfile.ZipFile(path) as archive:
            sizes = {info.filename.removesuffix(".npy"): info.file_size for info in archive.infolist()}
        wanted = list(sizes) if wanted is None else wanted
        for key in wanted:
            if key not in sizes:
                raise DataError(f"there is no array {key}", path, help=suggest(key, list(sizes)))
        check_size(path, sum(sizes[key] for key in wanted), max_bytes)
        with np.load(path, allow_pickle=False) as stored:
            return {key: plain_array(path, key, stored[key]) for key in wanted}
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"cannot be read: {error.strerror or error}", path) from None
    except (ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        hint = "only arrays of numbers are read, never pickled objects"
        raise DataError(f"cannot be read: {error}", path, help=hint) from None


def one_key(path: str | pathlib.Path, keys: list[str] | None) -> list[str]:
    """Return the only key asked for; DataError where a file of one array cannot serve the request."""
    with pathlib.Path(path).open("rb") as file:
        if file.read(6) != b"\x93NUMPY":
            raise DataError("neither an .npz nor an .npy file", path, help="write it with numpy.savez")
    if keys is None or len(keys) != 1:
        raise DataError("the file holds one array without a name", path, help="write an .npz file with numpy.savez")
    return keys


def load_npy(path: str | pathlib.Path, max_bytes: int) -> np.ndarray:
    """Return the array of an .npy file."""
    check_size(path, pathlib.Path(path).stat().st_size, max_bytes)
    return plain_array(path, "", np.load(path, allow_pickle=False))


def check_size(path: str | pathlib.Path, size: int, max_bytes: int) -> None:
    """Raise DataError where `size` bytes of arrays are more than `max_bytes`."""
    if size > max_bytes:
        raise DataError(f"the arrays take {size:,} bytes, the limit is {max_bytes:,}", path)


def plain_array(path: str | pathlib.Path, key: str, array: np.ndarray) -> np.ndarray:
    """Return `array` where it holds numbers; DataError where it holds text, dates or records."""
    if array.dtype.kind not in "biufc":
        named = f"the array {key}" if key else "the array"
        hint = "store numbers, and classes as integers from 0"
        raise DataError(f"{named} holds {array.dtype}, not numbers", path, help=hint)
    return array
