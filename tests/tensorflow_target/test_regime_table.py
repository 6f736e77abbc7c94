"""The table of `members/test_regime_table.py` in TensorFlow: every regime trained beside all else that a spec may have.

A cell is right where the training is that of the NumPy script, through all epochs, and where it goes on from its first
epoch to the same bits. Dropout draws with TensorFlow's own generator: of it only the second is looked at. The tests
train each row beside one column, another one from row to row; all cells that are no refusals are trained by

    cd tests; python -m tensorflow_target.test_regime_table
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from members.test_regime_table import COLUMNS, FORMS, ROWS, examples, expected_refusal, spec
from support import model_of, module_of
from tensorflow_target.test_settings import numbers

from dotnn.core.diagnostics import CompileError
from dotnn.running.scripts import load_module
from dotnn.session import Options, compile_model

CLOSE = 1e-11


def script(row, column, form):
    """The text of a cell's script, "" where it cannot be, or TensorFlow refuses it: the other table says why."""
    if expected_refusal(row, column, form):
        return ""
    try:
        return compile_model(model_of(spec(row, column, form)), Options(target="tensorflow")).script
    except CompileError:
        return ""


def trained(row, column, form, text, folder, epochs=2):
    """Train a cell in TensorFlow and in NumPy, and again from the first epoch; return what is wrong, "" for nothing."""
    (folder / "cell.py").write_text(text)
    theirs, ours = load_module(folder / "cell.py"), module_of(spec(row, column, form))
    data, first, states = examples(column), ours.init_params(0, np.float64), []
    options = {"epochs": epochs, "dtype": "float64"}
    found, history = theirs.train(data, params=first, on_epoch=lambda _, s: states.append(numbers(s)), **options)
    again, resumed = theirs.train(data, resume=states[0], **options)
    if list(resumed) != list(history) or any((again[name] != w).any() for name, w in found.items()):
        return "goes on otherwise"
    if column == "dropout":
        return "" if all(np.isfinite(w).all() for w in found.values()) else "not finite"
    expected, records = ours.train(data, params=first, epochs=epochs, dtype=np.float64)
    apart = [np.abs(found[name] - w).max() / max(np.abs(w).max(), 1e-3) for name, w in expected.items()]
    for record, other in zip(records, history, strict=True):
        apart += [abs(value - other[key]) / max(abs(value), 1e-3) for key, value in record.items()]
    return "" if max(apart) < CLOSE else f"{max(apart):.1e} from NumPy"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("row", ROWS)
def test_a_regime_trains_in_tensorflow_as_in_numpy(row, form, tmp_path, step_by_step):
    place = [*ROWS].index(row) + [*FORMS].index(form)
    columns = [*COLUMNS][place % len(COLUMNS) :] + [*COLUMNS][: place % len(COLUMNS)]
    cells = ((column, script(row, column, form)) for column in columns)
    column, text = next((cell for cell in cells if cell[1]), ("", ""))
    if text:
        assert not trained(row, column, form, text, tmp_path), column


def main():
    import tensorflow as tf

    tf.config.run_functions_eagerly(True)
    begun, count, wrong = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for row, form, column in ((r, f, c) for r in ROWS for f in FORMS for c in COLUMNS):
            text = script(row, column, form)
            said = trained(row, column, form, text, Path(folder), 3) if text else ""
            count, wrong = count + bool(text), wrong + bool(said)
            if said:
                print(f"{row} | {form} | {column}: {said}", flush=True)
    print(f"{count} cells trained, {wrong} not as they should, {time.perf_counter() - begun:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
