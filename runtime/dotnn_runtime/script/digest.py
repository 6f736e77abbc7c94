"""A checksum, by which data are known again."""

import typing
import zlib

import numpy as np

from dotnn_runtime.script.rows import pieces


def digest_of(value: object) -> int:
    """Return a checksum (CRC-32) of a number, of an array, or of a dict of such values or dicts."""
    if isinstance(value, dict):
        return zlib.crc32(repr([(name, digest_of(inner)) for name, inner in value.items()]).encode())
    array: typing.Any = (
        value if hasattr(value, "shape") else np.asarray(value)
    )  # `Rows` of any script have one
    found = zlib.crc32(repr((array.dtype.str, array.shape)).encode())
    for piece in pieces(array.shape) if array.shape else (...,):
        found = zlib.crc32(np.ascontiguousarray(array[piece]).data, found)
    return found
