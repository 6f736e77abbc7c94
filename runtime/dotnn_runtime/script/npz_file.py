"""Reads arrays from .npz and .npy files.

Pickled objects are never loaded. Every array that is read comes from here.
"""

import contextlib
import functools
import io
import math
import pathlib
import typing
import zipfile

import numpy as np

from dotnn_runtime.script.errors import DataError, reason_of, suggest
from dotnn_runtime.script.files import open_input


def read_npz(path: str | pathlib.Path, names: dict[str, str]) -> dict[str, np.ndarray]:
    """Read arrays from an .npz file, `names` mapping a value to its key: `{"x": "images", "y": "label"}`.

    A file with one plain array (.npy) serves one value, whatever its key. Shapes and dtypes stay as stored.
    Raises DataError for an unreadable file, a missing key and an array
    of objects or text; arrays of more than 8 GiB in all are refused.
    """
    arrays = load_arrays(path, list(names.values()))
    return {name: arrays[key] for name, key in names.items()}


def load_arrays(
    path: str | pathlib.Path, keys: list[str] | None = None, max_bytes: int = 8 * 2**30
) -> dict[str, np.ndarray]:
    """Return the arrays of an .npz file by key, all of them or those of `keys`; raises as `read_npz` does.

    What a file declares is checked before any of it is read: it may be a few bytes that unpack to a terabyte.
    """
    with open_input(path) as file, damage_named(path):
        members = open_members(path, file, keys)
        check_size(path, sum(size for _, size in members.values()), max_bytes)
        for key, (opened, size) in members.items():
            check_header(path, key, opened, size)
        return {key: read_array(path, key, opened) for key, (opened, _) in members.items()}


def declared_shapes(path: str | pathlib.Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return shape and dtype of every array of an .npz file by key, without reading one.

    Raises as `read_npz` does.
    """
    with open_input(path) as file, damage_named(path):
        members = open_members(path, file, None)
        return {key: check_header(path, key, opened, size) for key, (opened, size) in members.items()}


def npz_comment(path: str | pathlib.Path) -> str:
    """Return the comment of an .npz file, a note that readers of its arrays do not see; "" for none."""
    with open_input(path) as file, damage_named(path), zipfile.ZipFile(file) as archive:
        return archive.comment.decode("ascii", "replace")


@contextlib.contextmanager
def damage_named(path: str | pathlib.Path, key: str = "") -> typing.Iterator[None]:
    """Turn what a damaged file, or its array `key`, makes
    the readers of Python and NumPy raise into a DataError.
    """
    what = f"the array {key} cannot be read" if key else "cannot be read"
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        raise DataError(f"{what}: {reason_of(error)}", path) from None
    except (
        Exception
    ) as error:  # of a dozen kinds, none of them documented: NotImplementedError, RuntimeError, …
        reason = " ".join(str(error).partition(": <")[0].split()) or type(error).__name__
        raise DataError(f"{what}: {reason}", path, help="it is damaged: write it anew") from None


def open_members(
    path: str | pathlib.Path, file: typing.IO[bytes], keys: list[str] | None
) -> dict[str, tuple[typing.Callable[[], typing.IO[bytes]], int]]:
    """Return, by key, what opens an array of the file, and its size in bytes: of all, or those of `keys`."""
    if not zipfile.is_zipfile(file):
        key, size = one_key(path, file, keys), file.seek(0, io.SEEK_END)
        return {key: (functools.partial(rewound, file), size)}
    archive = zipfile.ZipFile(file)
    found: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        key = info.filename.removesuffix(".npy")
        if key in found:
            raise DataError(f"the array {key} is there twice", path, help="write the file anew")
        found[key] = info
    wanted = list(found) if keys is None else list(dict.fromkeys(keys))
    for key in wanted:
        if key not in found:
            raise DataError(f"there is no array {key}", path, help=suggest(key, list(found)))
        check_member(path, key, found[key])
    return {key: (functools.partial(archive.open, found[key]), found[key].file_size) for key in wanted}


def check_member(path: str | pathlib.Path, key: str, info: zipfile.ZipInfo) -> None:
    """Raise DataError for what NumPy did not write: a file
    that is no array, an encrypted or otherwise packed one.
    """
    if not info.filename.endswith(".npy"):
        raise DataError(
            f"{key} is no array: its name in the file does not end in .npy", path, help="use numpy.savez"
        )
    if info.flag_bits & 1:
        raise DataError(f"the array {key} is encrypted", path, help="only plain .npz files are read")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise DataError(
            f"the array {key} is packed by an unknown method", path, help="use numpy.savez_compressed"
        )


def one_key(path: str | pathlib.Path, file: typing.IO[bytes], keys: list[str] | None) -> str:
    """Return the only key asked for; DataError where a file of one array cannot serve the request."""
    mark = rewound(file).read(6)
    if mark[:2] == b"PK":
        raise DataError("the end of the .npz file is missing", path, help="it is damaged: write it anew")
    if mark != b"\x93NUMPY":
        raise DataError("neither an .npz nor an .npy file", path, help="write it with numpy.savez")
    if keys is None or len(set(keys)) != 1:
        raise DataError(
            "the file holds one array without a name", path, help="write an .npz file with numpy.savez"
        )
    return keys[0]


def rewound(file: typing.IO[bytes]) -> typing.IO[bytes]:
    """Return the file, at its start."""
    file.seek(0)
    return file


def check_size(path: str | pathlib.Path, size: int, max_bytes: int) -> None:
    """Raise DataError where `size` bytes of arrays are more than `max_bytes`."""
    if size > max_bytes:
        raise DataError(f"the arrays take {size:,} bytes, the limit is {max_bytes:,}", path)


def check_header(
    path: str | pathlib.Path, key: str, opened: typing.Callable[[], typing.IO[bytes]], size: int
) -> tuple[tuple[int, ...], np.dtype]:
    """Return the shape and dtype that the head of an array declares;
    DataError where they do not fill its `size`, or are not of numbers.
    """
    with damage_named(path, key):
        head = io.BytesIO(opened().read(2**14))  # NumPy takes no longer ones
        version = np.lib.format.read_magic(head)
        read = (
            np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(head)
        declared = head.tell() + math.prod(shape) * dtype.itemsize
    named = f"the array {key}" if key else "the array"
    if dtype.kind not in "biufc":
        hint = "store numbers, and classes as integers from 0; pickled objects are never read"
        raise DataError(f"{named} holds {dtype}, not numbers", path, help=hint)
    if min(shape, default=0) < 0 or declared != size:
        raise DataError(f"{named} declares {declared:,} bytes and has {size:,}", path, help="it is damaged")
    return shape, dtype


def read_array(
    path: str | pathlib.Path, key: str, opened: typing.Callable[[], typing.IO[bytes]]
) -> np.ndarray:
    """Return an array whose head has been checked. Read to its end, its checksum is compared on the way."""
    with damage_named(path, key), opened() as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
        return array
