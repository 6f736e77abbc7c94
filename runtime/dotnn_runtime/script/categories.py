"""Texts as whole numbers: those of the training part have numbers from 1 on, all others 0."""

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.rows import Rows


def fit_category(values: np.ndarray | Rows, size: int) -> dict[str, np.ndarray]:
    """Return `{"texts": …}`: the different texts of `values`, `(n,)`, in sorted order, an empty one left out.

    DataError where there are more than `size - 1`.
    """
    texts = np.asarray(values)
    known = np.unique(texts[texts != ""])
    if len(known) >= size:
        raise DataError(
            f"there are {len(known)} different texts, but category[{size}] has room for {size - 1}",
            help=f"declare category[{len(known) + 1}]: 0 is for all other texts",
        )
    return {"texts": known}


def category_numbers(texts: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return the number of each of the `texts`, `(n,)`: its place from 1 on, 0 where it is not known."""
    number = {str(text): i for i, text in enumerate(s["texts"], 1)}
    return np.array([number.get(str(text), 0) for text in texts], dtype=np.int64)
