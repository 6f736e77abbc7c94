"""Gaps in the data, which are NaN: filled with what the training part tells, or left out."""

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.rows import Rows


def fit_mean(values: np.ndarray | Rows) -> dict[str, np.ndarray]:
    """Return `{"fill": means}` of the numbers that each feature of `values`, `(n, *shape)`, has.

    DataError where a feature has none.
    """
    return {"fill": np.nanmean(with_numbers(values), axis=0)}


def fit_median(values: np.ndarray | Rows) -> dict[str, np.ndarray]:
    """Return `{"fill": medians}` of the numbers that each feature of `values`, `(n, *shape)`, has.

    DataError where a feature has none.
    """
    return {"fill": np.nanmedian(with_numbers(values), axis=0)}


def with_numbers(values: np.ndarray | Rows) -> np.ndarray:
    """Return the values as an array; DataError where a feature has gaps alone."""
    array = np.asarray(values)
    empty = np.isnan(array).all(axis=0)
    if empty.any():
        place = ", ".join(str(i + 1) for i in np.argwhere(empty)[0])
        raise DataError(
            f"number {place} of every training example is a gap: there is nothing to fill it with",
            help="leave the column out, or fill it: constant(x, 0)",
        )
    return array


def fill_gaps(values: np.ndarray, s: dict[str, np.ndarray]) -> np.ndarray:
    """Return `values`, `(n, *shape)`, with every gap filled by the `fill` of its feature."""
    return np.where(np.isnan(values), s["fill"], values)


def rows_without_gaps(
    chosen: dict[str, np.ndarray], arrays: dict[str, np.ndarray], names: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """Return of the rows of each part those that have no gap in the arrays of these names.

    DataError where a part has none.
    """
    whole = {}
    for part, rows in chosen.items():
        gaps = [np.isnan(arrays[name][rows].reshape(len(rows), -1)).any(axis=1) for name in names]
        whole[part] = rows[~np.any(gaps, axis=0)]
        if len(rows) and not len(whole[part]):
            message = f"every window of the part {part} has a gap in {' or '.join(names)}"
            raise DataError(message, help="fill the gaps: missing = median(x)")
    return whole


def without_gaps(arrays: dict[str, np.ndarray], names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Return the examples that have no gap in the arrays of these names.

    DataError where there are none.
    """
    rows = [arrays[name].reshape(len(arrays[name]), -1) for name in names]
    whole = ~np.any([np.isnan(values).any(axis=1) for values in rows], axis=0)
    if not whole.any():
        message = f"every example has a gap in {' or '.join(names)}: all of them are left out"
        raise DataError(message, help="fill the gaps of the inputs: missing = median(x)")
    return {name: values[whole] for name, values in arrays.items()}
