"""What a training run leaves behind besides the parameters."""

import numpy as np


class History(list[dict[str, float]]):
    """One record per epoch, a dict of numbers; and how the run ended.

    `stopped_by` says why it ended, `best_epoch` which epoch's parameters were returned, `scaling` what was
    fitted on the training part (needed to predict in raw units), `test` the figures of the test part,
    `diverged_at` the name of the first value that was not finite ("v of y.W": of the optimizer's memory of a
    parameter).
    """

    def __init__(self, scaling: dict[str, dict[str, np.ndarray]]) -> None:
        super().__init__()
        self.stopped_by = "epochs"
        self.best_epoch = 0
        self.scaling = scaling
        self.test: dict[str, float] = {}
        self.diverged_at = ""


def first_not_finite(*tables: dict[str, np.ndarray]) -> str:
    """Return the name of the first array that holds a NaN or an infinity, "" for none."""
    for table in tables:
        for name, value in table.items():
            if not np.all(np.isfinite(value)):
                return name
    return ""


def note_overflow(
    history: History,
    params: dict[str, np.ndarray],
    memories: dict[str, dict[str, np.ndarray]],
    values: dict[str, np.ndarray] | None = None,
) -> None:
    """Let a training end as diverged where something is not finite that no loss has shown.

    The last update in `params` has no loss behind it; a memory of squared gradients that has overflowed
    makes every step zero, and a variance that has overflowed every output. `memories` maps the name of each
    memory of the optimizer to its arrays by parameter, `values` are those of the network for some examples.
    """
    named = [{f"{memory} of {name}": a for name, a in arrays.items()} for memory, arrays in memories.items()]
    lost = first_not_finite(params, *named, values or {})
    if lost and history.stopped_by != "diverged":
        history.stopped_by, history.diverged_at = "diverged", lost
