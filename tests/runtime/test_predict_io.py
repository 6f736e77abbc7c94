import numpy as np
import pytest

from dotnn_runtime.predict_io import read_inputs
from dotnn_runtime.script.csv_file import read_csv
from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.predictions import column_names, write_predictions


def test_column_names():
    assert column_names("y", (1,)) == column_names("y", ()) == ["y"]
    assert column_names("y", (3,)) == ["y1", "y2", "y3"]
    assert column_names("y", (2, 1, 2)) == ["y1_1_1", "y1_1_2", "y2_1_1", "y2_1_2"]


def test_inputs_from_csv_by_the_columns_of_the_spec(tmp_path):
    (tmp_path / "d.csv").write_text("humidity,extra,temperature\n1,9,2\n3,9,4\n")
    inputs = read_inputs(tmp_path / "d.csv", {"d": ("real", (2,))}, {"d": ["temperature", "humidity"]})
    assert inputs["d"].tolist() == [[2, 1], [4, 3]]


def test_inputs_from_csv_by_their_own_names(tmp_path):
    (tmp_path / "d.csv").write_text("x1,x2,x3,x4,tokens1,tokens2\n1,2,3,4,5,6\n")
    (tmp_path / "e.csv").write_text("x1_1,x1_2,x2_1,x2_2\n1,2,3,4\n")
    inputs = read_inputs(tmp_path / "d.csv", {"x": ("real", (4,)), "tokens": ("int:9", (2,))})
    assert inputs["x"].tolist() == [[1, 2, 3, 4]]
    assert inputs["tokens"].tolist() == [[5, 6]]
    assert inputs["tokens"].dtype == np.int64
    assert read_inputs(tmp_path / "e.csv", {"x": ("real", (2, 2))})["x"].tolist() == [[[1, 2], [3, 4]]]


def test_inputs_from_npz_and_npy(tmp_path):
    images = np.zeros((3, 8, 8), np.uint8)
    np.savez(tmp_path / "d.npz", images=images, label=np.arange(3))
    np.save(tmp_path / "d.npy", images)
    declared = {"x": ("real", (8, 8, 1))}
    assert read_inputs(tmp_path / "d.npz", declared, {"x": ["images"]})["x"].shape == (3, 8, 8, 1)
    assert read_inputs(tmp_path / "d.npy", declared)["x"].shape == (3, 8, 8, 1)
    with pytest.raises(DataError, match="no array x"):
        read_inputs(tmp_path / "d.npz", declared)


def test_wrong_inputs_are_refused_with_their_place(tmp_path):
    (tmp_path / "d.csv").write_text("a,b\n1,x\n")
    with pytest.raises(DataError) as caught:
        read_inputs(tmp_path / "d.csv", {"x": ("real", (2,))}, {"x": ["a", "b"]})
    assert (caught.value.row, caught.value.column) == (2, 2)
    with pytest.raises(DataError, match=r"needs 2"):
        read_inputs(tmp_path / "d.csv", {"x": ("real", (2,))}, {"x": ["a"]})


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predictions_read_back_exactly(tmp_path, dtype):
    p = np.random.default_rng(0).random((5, 2)).astype(dtype)
    write_predictions({"p": p, "q": p[:, :1]}, tmp_path / "o.csv")
    arrays, _ = read_csv(tmp_path / "o.csv", {"p": ["p1", "p2"], "q": ["q"]}, {})
    np.testing.assert_array_equal(arrays["p"].astype(dtype), p)
    np.testing.assert_array_equal(arrays["q"].astype(dtype), p[:, :1])


def test_predictions_may_be_strings(capsys):
    write_predictions({"probs": np.array([[0.25, 0.75]]), "species": np.array(["big, old"])})
    assert capsys.readouterr().out == 'probs1,probs2,species\n0.25,0.75,"big, old"\n'


def test_classes_are_headed_by_their_texts(capsys):
    p, labels = np.array([[0.5, 0.25, 0.25]]), {"p": ["a", "b"], "q": ["a", "b"]}
    write_predictions({"p": p, "q": p[:, :1]}, labels=labels)  # one class more than there are texts; one number
    write_predictions({"p": p[:, :2], "p_a": p[:, :1]}, labels=labels)  # no column twice
    assert capsys.readouterr().out == "p_a,p_b,p3,q\n0.5,0.25,0.25,0.5\np1,p2,p_a\n0.5,0.25,0.5\n"


def test_predictions_as_npz_keep_their_shape(tmp_path):
    write_predictions({"p": np.ones((2, 3, 4), np.float32)}, tmp_path / "o.npz")
    with np.load(tmp_path / "o.npz") as stored:
        assert stored["p"].shape == (2, 3, 4)


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "o.csv").write_text("mine")
    with pytest.raises(DataError, match="the file exists"):
        write_predictions({"p": np.ones((1, 1))}, tmp_path / "o.csv")
    assert (tmp_path / "o.csv").read_text() == "mine"
    write_predictions({"p": np.ones((1, 1))}, tmp_path / "o.csv", overwrite=True)
    assert (tmp_path / "o.csv").read_text() == "p\n1.0\n"
    with pytest.raises(DataError, match="cannot be written"):
        write_predictions({"p": np.ones((1, 1))}, tmp_path / "none" / "o.csv")
