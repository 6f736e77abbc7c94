"""What a converter is: which files it takes, what must be installed, and what it makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from dotnn.running.requirement import Requirement

EXTRA = "install it with: pip install 'dotnn[data]'"


@dataclass(frozen=True)
class Converted:
    """What a file holds, by name: arrays, and the `texts` that the whole numbers of some of them stand for.

    `table` has columns of any kind, `(n,)` each, where the file is a table.
    """

    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    texts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    table: Any = None


@dataclass(frozen=True)
class Converter:
    """Reads one kind of file: `read` takes its path, and what else it knows by name, and raises `DataError`."""

    name: str
    doc: str
    takes: Callable[[Path], bool]
    needs: Requirement
    read: Callable[..., Converted]
