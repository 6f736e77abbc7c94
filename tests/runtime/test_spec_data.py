"""The data files of the specs hold what their README says, and are what `make_data.py` writes."""

import gzip
import importlib.util
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, load_iris

from dotnn_runtime.script.array_files import read_idx
from dotnn_runtime.script.data import check_arrays, read_csv, read_npz
from dotnn_runtime.script.storage import load_weights

DATA = Path(__file__).parents[2] / "specs" / "data"
COLUMNS = {"d": ["ambient_temperature", "relative_humidity"], "t": ["electrical_output"]}
SHAPES = {"hidden1.W": (2, 3), "hidden1.b": (3,), "hidden2.W": (3, 2), "hidden2.b": (2,), "y.W": (2, 1), "y.b": (1,)}


def test_digits():
    arrays = read_npz(DATA / "digits.npz", {"x": "images", "y": "label"})
    assert arrays["x"].dtype == np.uint8
    checked = check_arrays(arrays, {"x": ("real", (8, 8, 1)), "y": ("class:10", ())})
    np.testing.assert_array_equal(checked["x"][..., 0], load_digits().images)
    np.testing.assert_array_equal(checked["y"], load_digits().target)


def test_images_are_what_their_script_writes(tmp_path):
    module = importlib.util.module_from_spec(
        spec := importlib.util.spec_from_file_location("i", DATA / "make_images.py")
    )
    spec.loader.exec_module(module)
    (tmp_path / "digits.npz").write_bytes((DATA / "digits.npz").read_bytes())
    module.HERE = tmp_path
    module.make_digits()
    module.make_shapes()
    made = sorted(file.relative_to(tmp_path) for file in tmp_path.rglob("*") if file.is_file())
    assert len(made) == 1 + 4 + 90
    for file in made:
        ours, theirs = (path / file for path in (tmp_path, DATA))
        unpack = gzip.decompress if file.suffix == ".gz" else bytes  # zlib need not pack alike everywhere
        assert unpack(ours.read_bytes()) == unpack(theirs.read_bytes())
    digits = np.concatenate([read_idx(DATA / f"digits-{part}-images-idx3-ubyte.gz") for part in ("train", "test")])
    np.testing.assert_array_equal(digits, np.minimum(load_digits().images * 16, 255))


def test_iris():
    columns = {"x": ["sepal_length", "sepal_width", "petal_length", "petal_width"], "y": ["species"]}
    arrays, labels = read_csv(DATA / "iris.csv", columns, {"y": "class:3"})
    np.testing.assert_array_equal(arrays["x"], load_iris().data)
    np.testing.assert_array_equal(arrays["y"], load_iris().target)
    assert labels["y"] == ["setosa", "versicolor", "virginica"]


def test_tables():
    for name, rows, target, kind in (
        ("breast_cancer", 569, "benign", "unit"),
        ("diabetes", 442, "progression", "real"),
    ):
        path = DATA / f"{name}.csv"
        header = path.read_text().splitlines()[0].split(",")
        arrays, _ = read_csv(path, {"x": header[:-1], "t": [target]}, {})
        checked = check_arrays(arrays, {"x": ("real", (len(header) - 1,)), "t": (kind, (1,))})
        assert len(checked["x"]) == rows


def test_the_worked_example_starts_as_printed():
    arrays, _ = read_csv(DATA / "power_plant_scaled.csv", COLUMNS, {})
    w = load_weights(DATA / "power_plant_weights.npz", SHAPES)
    a = arrays["d"]
    for layer in ("hidden1", "hidden2", "y"):
        a = 1 / (1 + np.exp(-(a @ w[f"{layer}.W"] + w[f"{layer}.b"])))
    np.testing.assert_allclose(a[:, 0], [0.4715, 0.4718, 0.4717, 0.4716], atol=6e-5)
    np.testing.assert_allclose(0.5 * np.sum((arrays["t"] - a) ** 2), 0.17921847, atol=2e-6)


def test_the_raw_rows_are_the_scaled_ones():
    raw = np.hstack(list(read_csv(DATA / "power_plant.csv", COLUMNS, {})[0].values()))
    scaled = np.hstack(list(read_csv(DATA / "power_plant_scaled.csv", COLUMNS, {})[0].values()))
    low, high = np.array([1.81, 25.56, 420.26]), np.array([37.11, 100.16, 495.76])
    np.testing.assert_allclose((raw - low) / (high - low), scaled, atol=0.005001)


def test_the_files_are_what_the_program_writes(tmp_path):
    module = importlib.util.module_from_spec(spec := importlib.util.spec_from_file_location("m", DATA / "make_data.py"))
    spec.loader.exec_module(module)
    module.HERE = tmp_path
    for make in (module.make_digits, module.make_iris, module.make_breast_cancer, module.make_diabetes):
        make()
    module.make_passengers()
    module.make_power_plant()
    module.make_shops()
    module.make_pumps()
    for path in tmp_path.iterdir():
        if path.suffix == ".csv":
            assert path.read_bytes() == (DATA / path.name).read_bytes()
        elif path.suffix == ".gz":
            assert gzip.decompress(path.read_bytes()) == gzip.decompress((DATA / path.name).read_bytes())
        elif path.suffix == ".npy":
            np.testing.assert_array_equal(np.load(path), np.load(DATA / path.name))
        else:  # the compressed bytes depend on the version of zlib
            with np.load(path) as new, np.load(DATA / path.name) as old:
                assert list(new) == list(old)
                assert all(np.array_equal(new[key], old[key]) for key in new)
