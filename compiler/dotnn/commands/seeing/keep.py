"""What a run says of examples, beside what is true of them, as a table in a file."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dotnn.commands.seeing.run import Run, outputs_of
from dotnn.running.preparing import in_own_units, targets_in_own_units
from dotnn.running.run_contents import faults_of_runs
from dotnn.running.spec_files import Arrays
from dotnn_runtime.script.labels import add_likeliest
from dotnn_runtime.script.predictions import write_predictions

TRUE = "true_"
"""What stands before the name of a target in the columns of what is true."""


ROW = "row"


def keep_predictions(
    run: Run, examples: Arrays, places: np.ndarray, file: str, *, outputs: Arrays | None = None, force: bool
) -> None:
    """Write the predictions of prepared examples as `dotnn predict` does, and then their targets in the same units.

    A row for each example, in their order; the first column counts the `places` of the examples in their file from 1.
    `outputs` are those in their own units in place of the run's. Raises `CompileError` where the file cannot be
    written.
    """
    if outputs is None:
        outputs = in_own_units(run.model, outputs_of(run, examples), run.kept.scaling)
    classes, labels = getattr(run.module, "CLASSES", {}), run.kept.labels
    targets = {name: examples[name] for name in run.model.targets}
    own = targets_in_own_units(run.model, targets, run.kept.scaling)
    true = {f"{TRUE}{name}": _worded(values, labels.get(name, ())) for name, values in own.items()}
    named = {name: labels[target] for name, target in classes.items() if target in labels}
    with faults_of_runs(file):
        table = {**add_likeliest(outputs, classes, labels), **true}
        row = ROW if ROW not in table else f"{ROW}_in_file"
        write_predictions({row: places + 1, **table}, file, overwrite=force, labels=named)


def _worded(values: np.ndarray, texts: Sequence[str]) -> np.ndarray:
    """Return the texts of class numbers, of rows with a single 1, or of two signs; other numbers as they are."""
    numbers = np.asarray(values)
    if len(texts) == 2 and numbers.shape[1:] == (1,):
        numbers = (numbers[:, 0] > 0).astype(int)
    if (
        texts
        and numbers.shape[1:] == (len(texts),)
        and ((numbers == 1).sum(axis=1) == (numbers != 0).sum(axis=1)).all()
    ):
        numbers = numbers.argmax(axis=1)
    known = texts and numbers.dtype.kind in "iu" and numbers.max(initial=0) < len(texts)
    return np.array(texts)[numbers] if known else numbers
