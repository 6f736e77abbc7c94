"""The state of a training on disk: nothing is lost, nothing half written, nothing of another network taken."""

import json

import numpy as np
import pytest

from dotnn_runtime.script.checkpoint import load_state, resumed_state, save_checkpoint, save_state
from dotnn_runtime.script.errors import DataError

SHAPES = {"h.W": (2, 3), "h.b": (3,)}


def state(loss=0.1, epochs=3):
    rng = np.random.default_rng(1)
    return {
        "params": {"h.W": rng.standard_normal((2, 3)).astype(np.float32), "h.b": np.array([0.1, -0.0, 5e-324])},
        "optimizer": {"t": 7, "m": np.arange(9.0), "v": {"h.W": np.zeros((2, 3)), "h.b": np.zeros(3)}},
        "rng": rng.bit_generator.state,
        "history": [{"epoch": e, "loss": loss / 3 if e == epochs else 1 / e} for e in range(1, epochs + 1)],
        "best": float("inf"),
        "worst": float("nan"),
    }


def assert_same(found, expected):
    assert type(found) is type(expected)
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert_same(found[name], value)
    elif isinstance(expected, np.ndarray):
        assert found.dtype == expected.dtype and found.tobytes() == expected.tobytes()
    elif isinstance(expected, list):
        for one, other in zip(found, expected, strict=True):
            assert_same(one, other)
    else:
        assert repr(found) == repr(expected)


def test_a_state_comes_back_bit_by_bit(tmp_path):
    save_state(tmp_path / "s.npz", state())
    found = load_state(tmp_path / "s.npz", SHAPES)
    assert_same(found, state())
    rng = np.random.default_rng(9)
    rng.bit_generator.state = found["rng"]
    other = np.random.default_rng(1)
    other.standard_normal((2, 3))
    np.testing.assert_array_equal(rng.random(5), other.random(5))


@pytest.mark.parametrize("shapes", [{"h.W": (3, 2), "h.b": (3,)}, {**SHAPES, "y.W": (1,)}])
def test_a_state_of_another_network(shapes, tmp_path):
    save_state(tmp_path / "s.npz", state())
    with pytest.raises(DataError, match="not one of this network"):
        load_state(tmp_path / "s.npz", shapes)


def test_what_is_no_state(tmp_path):
    path = tmp_path / "s.npz"
    np.savez(path, **{"params/h.W": np.zeros((2, 3))})
    faults = [path.read_bytes(), b"", b"PK\x03\x04", b"text"]
    save_state(path, state())
    whole = path.read_bytes()
    faults += [whole[: len(whole) // 2], whole[:-1]]
    for rest in ({}, {"params": 3}, [], {"params": {}, "optimizer": []}):
        np.savez(path, rest=np.frombuffer(json.dumps(rest).encode(), np.uint8), **{"optimizer/m": np.zeros(2)})
        faults.append(path.read_bytes())
    for content in faults:
        path.write_bytes(content)
        with pytest.raises(DataError):
            load_state(path, SHAPES)


def test_the_best_of_what_was_saved(tmp_path):
    """Every second epoch and the last: 1/2 and 1/4 are each the best so far, and the last one is if it is smaller."""
    weights = []
    for epochs, loss in ((2, 3 / 2), (4, 3 / 4), (5, 3 / 5), (6, 2.0)):
        now = state(loss, epochs)
        now["params"]["h.b"][0] = epochs
        save_checkpoint(tmp_path / "out", now, 0, epochs=5 if epochs == 5 else 9, every=2, best_by="loss")
        weights.append(np.load(tmp_path / "out" / "best.npz")["h.b"][0])
        assert len(load_state(tmp_path / "out" / "checkpoint.npz", SHAPES)["history"]) == epochs
    assert weights == [2, 4, 5, 5]


def test_without_best_there_is_one_file(tmp_path):
    save_checkpoint(tmp_path, state(), 7, epochs=3)
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint.npz"]


def test_a_checkpoint_is_not_overwritten_unasked(tmp_path):
    assert resumed_state(tmp_path, SHAPES, 7, resume=False) is None
    assert resumed_state(tmp_path, SHAPES, 7, resume=True) is None
    save_checkpoint(tmp_path, state(), 7, epochs=3)
    with pytest.raises(DataError, match="--resume"):
        resumed_state(tmp_path, SHAPES, 7, resume=False)
    assert_same(resumed_state(tmp_path, SHAPES, 7, resume=True), {**state(), "data": 7})
    with pytest.raises(DataError, match="another training"):
        resumed_state(tmp_path, SHAPES, 8, resume=True)
    assert resumed_state(tmp_path, SHAPES, 7, resume=False, overwrite=True) is None
    with pytest.raises(DataError, match="give one of them"):
        resumed_state(tmp_path, SHAPES, 7, resume=True, overwrite=True)


@pytest.mark.parametrize("key", ["rest", "optimizer/m", "params/h.b", "optimizer/v/h.W", "seal"])
def test_nothing_may_be_missing(key, tmp_path):
    save_state(tmp_path / "s.npz", state())
    with np.load(tmp_path / "s.npz") as stored:
        np.savez(tmp_path / "s.npz", **{name: array for name, array in stored.items() if name != key})
    with pytest.raises(DataError, match="no checkpoint, or it is damaged"):
        load_state(tmp_path / "s.npz", SHAPES)


def test_best_weights_of_a_killed_training_do_not_stand_in_the_way_of_its_resumption(tmp_path):
    (tmp_path / "best.npz").write_bytes(b"written before the first checkpoint")
    assert resumed_state(tmp_path, SHAPES, 7, resume=True) is None
    with pytest.raises(DataError, match="--resume"):
        resumed_state(tmp_path, SHAPES, 7, resume=False)
