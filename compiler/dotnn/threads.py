"""How many threads NumPy's linear algebra may use. OpenBLAS reads it once, when NumPy is imported.

Two threads make a large product faster and a small one slower, on a busy machine by orders of magnitude.
"""

from __future__ import annotations

import os

from dotnn.model.model import Model

LARGE_PRODUCT = 50_000_000
"""Multiplications in one product from which several threads pay."""

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def use_one_thread() -> None:
    """Ask for one thread, unless the user has said otherwise. To be called before NumPy is imported."""
    for name in VARIABLES:
        os.environ.setdefault(name, "1")


def choose_threads(model: Model) -> None:
    """Ask for one thread where even the largest product of a training step is small."""
    batch = model.train.batch or 256
    largest = max((batch * p.size for p in model.params.values() if len(p.shape) > 1), default=0)
    if largest < LARGE_PRODUCT:
        use_one_thread()
