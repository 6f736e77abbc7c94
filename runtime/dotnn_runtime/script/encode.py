"""Encodings of class labels."""

import numpy as np

from dotnn_runtime.script.errors import DataError


def one_hot(labels: np.ndarray, classes: int) -> np.ndarray:
    """Return float64 of shape `(*labels.shape, classes)`: 1 at the label, else 0.

    DataError outside 0…classes-1.
    """
    labels = np.asarray(labels)
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        raise DataError(f"the class {labels[outside][0]} is outside of 0…{classes - 1}")
    rows = np.zeros((*labels.shape, classes))
    np.put_along_axis(rows, labels[..., None], 1.0, axis=-1)
    return rows
