"""How much a spec's file of arrays holds, without reading it: from what its directory says."""

from __future__ import annotations

import zipfile
from pathlib import Path

from dotnn.core.diagnostics import CompileError, Span
from dotnn.model.files import path_beside
from dotnn.model.model import FileSource, Model

LARGE = 32 * 2**20
"""So many bytes of arrays are not copied; of fewer, copies are plainer to read."""
MOST_PACKED = 1000
"""No packed file holds more than so many times its own bytes, about."""


def is_large(size: int) -> bool:
    """Whether arrays of so many bytes are better held in memory once."""
    return size >= LARGE


def holds_much(model: Model) -> bool:
    """Whether the file that a spec reads arrays from is there, and holds much."""
    source = model.data.source if model.data else None
    if source is None or source.entry.table:
        return False
    try:
        paths = [path_beside(model, path, span) for path, span in _read_by_script(source).items()]
        most = sum(path.stat().st_size for path in paths) * MOST_PACKED
        return is_large(most) and is_large(sum(map(_unpacked, paths)))
    except (CompileError, OSError, ValueError, zipfile.BadZipFile):
        return False  # what is wrong with the file is said where it is read


def _read_by_script(source: FileSource) -> dict[str, Span]:
    """Return the files that a script reads, with their places in the spec."""
    return {source.file: source.span} if source.entry.converted else source.paths


def _unpacked(path: Path) -> int:
    """Return the bytes of what a file holds; of one that gzip has packed, modulo 4 GiB."""
    with path.open("rb") as file:
        if file.read(2) == b"\x1f\x8b":
            file.seek(-4, 2)
            return int.from_bytes(file.read(4), "little")
    if not zipfile.is_zipfile(path):
        return path.stat().st_size
    with zipfile.ZipFile(path) as archive:
        return sum(member.file_size for member in archive.infolist())
