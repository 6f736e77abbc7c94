"""Writes the two .npz files beside it; the .csv files are written by hand."""

from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
np.savez(
    HERE / "numbers.npz",
    x=np.zeros((3, 4)), y=np.arange(3), names=np.array(["a", "b", "c"]), wide=np.zeros((3, 5)),
)  # fmt: skip
np.savez(HERE / "objects.npz", x=np.array([{"a": 1}, None], dtype=object), y=np.arange(2))
