"""What a file says of sizes that a spec leaves open: the shape of an example, and how many classes there are."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dotnn.core.limits import MAX_SIZE
from dotnn.library.sources import SOURCES
from dotnn.running.spec_files import array_reader, table_reader
from dotnn_runtime.script.errors import DataError


def measured(format: str, path: Path, words: Sequence[str], classes: bool) -> tuple[tuple[int, ...], int]:
    """Return the shape of an example, and how many classes there are where it is of `classes`.

    Texts are as many classes as there are different ones, numbers one more than the largest. Raises ValueError.
    """
    entry = SOURCES[format]
    try:
        if entry.table:
            kinds = {"it": f"class:{MAX_SIZE}" if classes else "real"}
            with warnings.catch_warnings(action="ignore"):
                arrays, labels = table_reader(entry)(path, {"it": list(words)}, kinds)
        else:
            arrays, labels = array_reader(entry)(path, {"it": words[0]}), {}
    except DataError as error:
        raise ValueError(str(error)) from None
    found = np.asarray(arrays["it"])
    if not classes:
        return found.shape[1:], 0
    if "it" in labels:
        return found.shape[1:], len(labels["it"])
    if not found.size or found.dtype.kind not in "iub":
        raise ValueError("its classes are neither texts nor whole numbers")
    return found.shape[1:], int(found.max()) + 1
