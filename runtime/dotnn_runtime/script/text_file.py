"""Reads files of text in UTF-8, plain or packed by gzip."""

import contextlib
import gzip
import io
import os
import pathlib
import typing
import zlib

from dotnn_runtime.script.errors import DataError, reason_of
from dotnn_runtime.script.files import open_input, read_stream


def read_utf8(path: str | pathlib.Path, max_bytes: int) -> str:
    """Return the text of a UTF-8 file, with or without a byte order mark, packed by gzip or not.

    DataError for all that can go wrong.
    """
    with open_table(path, max_bytes) as file:
        content = file.read()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise DataError("the text is not UTF-8", path, row, help="save it with the encoding UTF-8") from None


@contextlib.contextmanager
def open_table(path: str | pathlib.Path, max_bytes: int) -> typing.Iterator[typing.IO[bytes]]:
    """Open a file of `max_bytes` at most, and what gzip has packed as if it were not."""
    with open_input(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        if packed:
            yield io.BytesIO(unpacked(path, file, max_bytes))
        elif os.path.isfile(path):
            check_limit(path, os.path.getsize(path), max_bytes)
            yield file
        else:
            yield io.BytesIO(read_limited(path, file, max_bytes))


def unpacked(path: str | pathlib.Path, file: typing.IO[bytes], max_bytes: int) -> bytes:
    """Return what gzip has packed; DataError where it is damaged, or takes more than `max_bytes`."""
    try:
        with gzip.GzipFile(fileobj=file) as packed:
            content = read_stream(typing.cast(typing.IO[bytes], packed), max_bytes + 1).getvalue()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"cannot be unpacked: {reason_of(error)}", path, help="it is damaged: write it anew"
        ) from None
    check_limit(path, len(content), max_bytes)
    return content


def check_limit(path: str | pathlib.Path, size: int, max_bytes: int) -> None:
    """Raise DataError for a file of more bytes than are read."""
    if size > max_bytes:
        message = f"the file has {size:,} bytes, the limit is {max_bytes:,}"
        raise DataError(message, path, help="store the arrays in an .npz file")


def read_limited(path: str | pathlib.Path, file: typing.IO[bytes], max_bytes: int) -> bytes:
    """Return the bytes of an open file; DataError for more than `max_bytes`, before they are read."""
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        # A device has no size, and perhaps no end.
        content = file.read(size or max_bytes + 1) if size <= max_bytes else b""
    except OSError as error:
        raise DataError(f"cannot be read: {reason_of(error)}", path) from None
    check_limit(path, max(size, len(content)), max_bytes)
    return content
