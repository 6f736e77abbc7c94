"""What a training run leaves behind besides the parameters."""

import typing

import numpy as np


class History(list[dict[str, float]]):
    """One record per epoch, a dict of numbers; and how the run ended.

    `stopped_by` says why it ended, `best_epoch` which epoch's parameters were returned, `scaling` what was fitted on
    the training part (needed to predict in raw units), `test` the figures of the test part, `diverged_at` the name
    of the first value that was not finite.
    """

    def __init__(self, scaling: dict[str, dict[str, np.ndarray]]) -> None:
        super().__init__()
        self.stopped_by = "epochs"
        self.best_epoch = 0
        self.scaling = scaling
        self.test: dict[str, float] = {}
        self.diverged_at = ""


def first_not_finite(*tables: dict[str, typing.Any]) -> str:
    """Return the name of the first array that holds a NaN or an infinity, "" for none."""
    for table in tables:
        for name, value in table.items():
            if not np.all(np.isfinite(value)):
                return name
    return ""
