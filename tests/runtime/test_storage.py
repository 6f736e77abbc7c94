import csv
import os
import re

import numpy as np
import pytest

from dotnn_runtime.script import storage
from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.scaling import scaling_to_json

PARAMS = {"h.W": np.arange(6, dtype=np.float32).reshape(2, 3), "h.b": np.zeros(3), "s": np.array(2.5)}
SHAPES = {name: array.shape for name, array in PARAMS.items()}


def test_weights_come_back_as_they_were(tmp_path):
    storage.save_weights(tmp_path / "w.npz", PARAMS)
    loaded = storage.load_weights(tmp_path / "w.npz", dict(reversed(SHAPES.items())))
    assert list(loaded) == ["s", "h.b", "h.W"]
    for name, array in PARAMS.items():
        np.testing.assert_array_equal(loaded[name], array, strict=True)
    with np.load(tmp_path / "w.npz") as plain:
        assert list(plain) == list(PARAMS)


def test_the_same_weights_give_the_same_bytes(tmp_path):
    storage.save_weights(tmp_path / "a.npz", PARAMS)
    storage.save_weights(tmp_path / "b.npz", PARAMS)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_all_that_does_not_fit_is_named(tmp_path):
    storage.save_weights(tmp_path / "w.npz", {"a": np.ones(2), "b": np.ones(3), "x": np.ones(1), "i": np.ones(1, int)})
    faults = "c is missing; x is unknown; b has shape (3,), needed is (4,); i holds int64, not floats"
    with pytest.raises(DataError, match=re.escape(faults)):
        storage.load_weights(tmp_path / "w.npz", {"a": (2,), "b": (4,), "c": (1,), "i": (1,)})


def test_the_history_has_a_column_for_every_key(tmp_path):
    storage.write_history(tmp_path / "h.csv", [{"epoch": 1, "loss": 1 / 3}, {"epoch": 2, "loss": None, "acc": 0.5}])
    with (tmp_path / "h.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["epoch", "loss", "acc"], ["1", repr(1 / 3), ""], ["2", "", "0.5"]]


def test_json(tmp_path):
    storage.write_json(tmp_path / "m.json", {"loss": 0.1, "label": "é"})
    assert storage.read_json(tmp_path / "m.json") == {"loss": 0.1, "label": "é"}
    (tmp_path / "m.json").write_text("{")
    with pytest.raises(DataError, match="not valid JSON"):
        storage.read_json(tmp_path / "m.json")
    with pytest.raises(DataError, match="cannot be read"):
        storage.read_json(tmp_path / "none.json")


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, step):
    storage.write_atomically(tmp_path / "f", b"old")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(OSError, match="disk full"):
        storage.write_atomically(tmp_path / "f", b"new")
    assert (tmp_path / "f").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["f"]


def test_the_folder_must_exist(tmp_path):
    with pytest.raises(FileNotFoundError):
        storage.write_atomically(tmp_path / "none" / "f", b"")


FITTED = {"x": {"shift": (1,), "scale": (1,)}}
WRONG = (
    {},
    {"x": {"shift": (2,), "scale": (2,)}},
    {**FITTED, "t": FITTED["x"]},
    {"t": FITTED["x"]},
    {"x": {**FITTED["x"], "fill": (1,)}},
    {"x": {"shift": (1,)}},
)


def test_a_changed_digit_is_noticed(tmp_path):
    scaling = {"x": {"shift": np.array([1.25]), "scale": np.array([0.5])}}
    storage.write_sealed_json(tmp_path / "s.json", scaling_to_json(scaling))
    assert storage.load_scaling(tmp_path / "s.json", FITTED)["x"]["shift"] == 1.25
    (tmp_path / "s.json").write_text((tmp_path / "s.json").read_text().replace("1.25", "1.35"))
    with pytest.raises(DataError, match="checksum"):
        storage.load_scaling(tmp_path / "s.json", FITTED)
    storage.write_json(tmp_path / "own.json", scaling_to_json(scaling))
    assert storage.load_scaling(tmp_path / "own.json", FITTED)["x"]["scale"] == 0.5
    for fitted in WRONG:
        with pytest.raises(DataError, match="does not fit"):
            storage.load_scaling(tmp_path / "own.json", fitted)
