"""Reads files of one array each: .npy, mapped into memory, and IDX, plain or packed by gzip."""

import functools
import io
import math
import os
import pathlib

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.files import open_input, read_stream
from dotnn_runtime.script.npz_file import check_header, damage_named, load_arrays, rewound
from dotnn_runtime.script.text_file import check_limit, unpacked


def read_npy(path: str | pathlib.Path) -> np.ndarray:
    """Return the array of an .npy file, in its type. Its numbers stay in the file until they are read.

    Raises DataError for an unreadable file, and for an array of objects or text.
    """
    if not os.path.isfile(path):  # a pipe
        return load_arrays(path, ["array"])["array"]
    with open_input(path) as file, damage_named(path):
        if file.read(6) != b"\x93NUMPY":
            raise DataError("not an .npy file", path, help="write it with numpy.save")
        check_header(path, "", functools.partial(rewound, file), file.seek(0, io.SEEK_END))
        array: np.ndarray = np.load(path, mmap_mode="r")
        return array


def read_idx(path: str | pathlib.Path, max_bytes: int = 8 * 2**30) -> np.ndarray:
    """Return the array of an IDX file, in its type: the format of the MNIST digits (LeCun, Cortes, Burges).

    Two zero bytes, one for the type and one for the number of axes; the sizes and the numbers follow, with
    the highest byte first. Raises DataError for anything else, and for more than `max_bytes`.
    """
    types = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
    with open_input(path) as file, damage_named(path):
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        content = unpacked(path, file, max_bytes) if packed else read_stream(file, max_bytes + 1).getvalue()
    check_limit(path, len(content), max_bytes)
    if content[:2] != b"\0\0" or len(content) < 4 or content[2] not in types:
        raise DataError("not an IDX file", path, help="its first bytes must be 0, 0, the type and the axes")
    dtype, start = np.dtype(types[content[2]]), 4 + 4 * content[3]
    if len(content) < start:
        raise DataError("the head of the IDX file is cut off", path, help="it is damaged: write it anew")
    shape = tuple(int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4))
    declared = start + math.prod(shape) * dtype.itemsize
    if declared != len(content):
        message = f"the IDX file declares {declared:,} bytes and has {len(content):,}"
        raise DataError(message, path, help="it is damaged: write it anew")
    array = np.frombuffer(content, dtype, offset=start).reshape(shape)
    return array.astype(dtype.newbyteorder("="), copy=False)
