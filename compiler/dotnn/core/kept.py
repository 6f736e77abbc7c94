"""What is made of the program's own files and takes long: kept beside Python's compiled modules, under their rules.

Who can write there can write the program, so that what is read from there is trusted as it is: no user's file is ever
kept. `PYTHONDONTWRITEBYTECODE` and `PYTHONPYCACHEPREFIX` hold here, too, and a folder that cannot be written to costs
the time alone.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from pathlib import Path


def read(path: Path, name: str, made_of: str) -> bytes | None:
    """Return what was kept as `name` for the module at `path`, if it was made of the very same text."""
    with suppress(OSError):
        digest, _, kept = _place(path, name).read_bytes().partition(b"\n")
        if digest == _digest(made_of, kept):
            return kept
    return None


def write(path: Path, name: str, made_of: str, kept: bytes) -> None:
    """Keep bytes that were made of a text, where Python would keep the compiled module at `path`."""
    if sys.dont_write_bytecode:
        return
    place = _place(path, name)
    whole = place.with_suffix(f".{os.getpid()}")
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        whole.write_bytes(_digest(made_of, kept) + b"\n" + kept)
        whole.replace(place)  # at once, or not at all: others read and write it meanwhile
    except OSError:
        with suppress(OSError):
            whole.unlink()


def _place(path: Path, name: str) -> Path:
    return Path(cache_from_source(str(path))).with_suffix(f".{name}")


def _digest(made_of: str, kept: bytes) -> bytes:
    return hashlib.sha256(made_of.encode() + b"\0" + kept).hexdigest().encode()
