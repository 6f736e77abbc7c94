"""The specs that read data as they come: what they promise, and that a prediction takes the raw file again."""

import csv
import gzip
import io

import numpy as np
import pytest
from errors.runner import dotnn
from sklearn.metrics import precision_score, recall_score
from support import SPECS, STYLES, script_of

from dotnn_runtime.script.split import split_indices

DATA = SPECS / "data"
ROWS = {
    "the raw rows by given ranges, a binned target": ("power_plant_levels", "power_plant.csv", 0),
    "gaps, texts, a logarithm": ("passengers", "passengers.csv", 0),
    "dates, semicolons, decimal commas, gzip, windows of groups": ("shops", "shops.csv.gz", 0),
    "windows split in order": ("load", "load.csv", 24),
    "weights of examples": ("survey", "survey.csv", 0),
    "weights of classes, mapped arrays": ("pumps", "pumps_x.npy", 0),
    "a text": ("number_writer", "number_names.txt", 1),
}
"""A spec, its raw file, and how many windows at the end have all inputs and not yet all targets.

Images and IDX have a test of their own beside this one.
"""


@pytest.mark.parametrize(("name", "file", "later"), ROWS.values(), ids=[*ROWS])
def test_a_prediction_takes_the_raw_file_again(name, file, later, tmp_path):
    """What the command says of the file is what the script says of what it reads of the spec's data."""
    run = tmp_path / "run"
    train = dotnn("train", str(SPECS / f"{name}.nn"), "--epochs", "1", "--run", str(run), folder=tmp_path)
    assert train.exit_code == 0, train.stderr
    outcome = dotnn("predict", str(run), "--input", str(DATA / file), folder=tmp_path)
    assert outcome.exit_code == 0, outcome.stderr
    module = script_of(SPECS / f"{name}.nn", STYLES[-1])
    _, history = module.train(epochs=1)
    raw = {key: values for key, values in module.load_data().items() if key in module.INPUTS}
    with np.load(run / "weights.npz") as weights:
        wanted = module.predict(dict(weights), raw, getattr(history, "scaling", {}))
    wanted = np.hstack([values.reshape(len(values), -1) for values in wanted.values()])
    rows = [row[: wanted.shape[1]] for row in csv.reader(io.StringIO(outcome.stdout))][1:]
    found = np.array(rows, float)
    assert len(found) == len(wanted) + later
    np.testing.assert_allclose(found[: len(wanted)], wanted, rtol=1e-5, atol=1e-6)


def trained(name, *sets):
    module = script_of(SPECS / f"{name}.nn", STYLES[-1], sets)
    return module, *module.train()


def test_the_levels_are_those_of_table_14():
    module, _, history = trained("power_plant_levels")
    examples = module.prepare(module.load_data(), np.float64)[0]["train"]
    np.testing.assert_allclose(examples["d"], [[0.04, 0.81], [0.84, 0.58], [0.5, 0.07], [0.53, 1]], atol=0.005001)
    assert np.eye(3)[examples["level"]].tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert history[-1]["accuracy"] == 1


def test_shops_are_told_better_than_by_their_past():
    """Of three shops that no step was trained on; those are found by hand, and so are the naive forecasts."""
    history = trained("shops")[2]
    with gzip.open(DATA / "shops.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    names = sorted({row["shop"] for row in rows})
    held = np.array(names)[np.random.default_rng(0).permutation(16)[13:]]
    sold = np.array([[float(row["sales"].replace(",", ".")) for row in rows if row["shop"] == n] for n in held])
    day, week = (abs(sold[:, 14:] - sold[:, 14 - lag : -lag]).mean() for lag in (1, 7))
    assert (round(day, 1), round(week, 1)) == (7.0, 7.3)
    assert history.test["mae"] <= 4


@pytest.mark.parametrize(("rare", "recall", "right", "accuracy"), [(20, 2 / 3, 1 / 7, 0.77), (1, 0.05, 0.5, 0.95)])
def test_rare_failures_are_found_where_they_count_more(rare, recall, right, accuracy):
    """Recall and precision are scikit-learn's."""
    module, params, history = trained("pumps", f"rare={rare}")
    raw = module.load_data()
    rows = split_indices(3000, {"train": 0.6, "val": 0.1, "test": 0.3}, 0)["test"]
    x, failed = (np.asarray(raw[name])[rows] for name in ("x", "failed"))
    found = module.predict(params, {"x": x}, history.scaling)["p"] > 0.5
    assert abs(recall_score(failed, found) - recall) < 0.06
    assert precision_score(failed, found) >= right - 0.01
    assert abs(history.test["accuracy"] - accuracy) < 0.02
