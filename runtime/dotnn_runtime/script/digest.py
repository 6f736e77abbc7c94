"""A checksum, by which data are known again."""

import zlib

import numpy as np


def digest_of(value: object) -> int:
    """Return a checksum (CRC-32) of a number, of an array, or of a dict of such values or dicts."""
    if isinstance(value, dict):
        return zlib.crc32(repr([(name, digest_of(inner)) for name, inner in value.items()]).encode())
    array = np.asarray(value)
    return zlib.crc32(
        repr((array.dtype.str, array.shape)).encode(), zlib.crc32(np.ascontiguousarray(array).data)
    )
