"""How many threads NumPy's linear algebra may use. OpenBLAS reads it once, when NumPy is imported.

Two threads make a large product faster and a small one slower, on a busy machine by orders of magnitude.
"""

from __future__ import annotations

from dotnn.model.model import Model

LARGE_PRODUCT = 50_000_000
"""Multiplications in one product from which several threads pay."""

VARIABLES = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def one_thread_pays(model: Model) -> bool:
    """Return whether even the largest product of a training step is small."""
    batch = model.train.batch or 256
    return max((batch * p.size for p in model.params.values() if len(p.shape) > 1), default=0) < LARGE_PRODUCT


def thread_lines(model: Model) -> list[str]:
    """Return the lines that a script runs before it imports NumPy; none where several threads pay."""
    if not one_thread_pays(model):
        return []
    comment = "# Products as small as these are slower on several threads. NumPy looks when it is imported."
    return [comment, *(f'os.environ.setdefault("{name}", "1")' for name in VARIABLES)]
