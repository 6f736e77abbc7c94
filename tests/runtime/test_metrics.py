import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from dotnn_runtime.script import metrics
from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.encode import one_hot


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_accuracy_of_classes(rng):
    output, target = rng.random((40, 5)), rng.integers(0, 5, 40)
    expected = reference.accuracy_score(target, output.argmax(1))
    assert metrics.accuracy_class(output, target) == expected
    assert metrics.accuracy_onehot(output, one_hot(target, 5)) == expected


def test_accuracy_of_single_units(rng):
    output, target = rng.random((40, 1)), rng.integers(0, 2, (40, 1)).astype(float)
    expected = reference.accuracy_score(target, output > 0.5)
    assert metrics.accuracy_binary(output, target) == expected
    assert metrics.accuracy_sign(output - 0.5, 2 * target - 1) == expected


def test_the_borders_count_as_negative():
    assert metrics.accuracy_binary(np.array([[0.5]]), np.array([[0.0]])) == 1
    assert metrics.accuracy_sign(np.array([[0.0]]), np.array([[-1.0]])) == 1


def test_accuracy_of_sequences():
    output = one_hot(np.array([[0, 1, 2], [2, 1, 0]]), 3)
    assert metrics.accuracy_class(output, np.array([[0, 1, 2], [2, 2, 2]])) == pytest.approx(4 / 6)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_f1(rng, average):
    for target in (rng.integers(0, 5, 40), np.full(40, 3)):
        output = rng.random((40, 5))
        output[:, 4] = 0  # never predicted
        expected = reference.f1_score(target, output.argmax(1), average=average, zero_division=0)
        assert metrics.f1_class(output, target, average) == pytest.approx(expected)


def test_f1_has_three_averages():
    with pytest.raises(ValueError, match="not 'makro'"):
        metrics.f1_class(np.eye(2), np.arange(2), "makro")


def test_f1_of_a_single_unit(rng):
    output, target = rng.random((40, 1)), rng.integers(0, 2, (40, 1))
    assert metrics.f1_binary(output, target) == pytest.approx(reference.f1_score(target, output > 0.5))
    assert metrics.f1_binary(np.zeros((3, 1)), np.zeros((3, 1))) == 0


@pytest.mark.parametrize("outputs", [1, 3])
def test_regression(rng, outputs):
    output, target = rng.random((20, outputs)), rng.random((20, outputs))
    assert metrics.mae(output, target) == pytest.approx(reference.mean_absolute_error(target, output))
    assert metrics.rmse(output, target) == pytest.approx(np.sqrt(reference.mean_squared_error(target, output)))
    assert metrics.r2(output, target) == pytest.approx(reference.r2_score(target, output))


@given(st.lists(st.tuples(st.sampled_from([0.0, 1.0, 2.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=4))
def test_r2_of_constant_targets(rows):
    output, target = np.array(rows)[:, :1], np.array(rows)[:, 1:]
    assert metrics.r2(output, target) == pytest.approx(reference.r2_score(target, output))


def test_r2_of_one_example_is_no_number():
    assert np.isnan(metrics.r2(np.ones((1, 1)), np.ones((1, 1))))


@pytest.mark.parametrize("metric", [metrics.mae, metrics.rmse, metrics.r2, metrics.accuracy_binary, metrics.f1_binary])
def test_nothing_is_broadcast(metric):
    with pytest.raises(ValueError, match=r"\(4, 1\) and \(4,\)"):
        metric(np.zeros((4, 1)), np.zeros(4))


def test_one_hot():
    assert one_hot(np.array([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert one_hot(np.zeros((2, 5), int), 3).shape == (2, 5, 3)
    for label in (-1, 3):
        with pytest.raises(DataError, match=f"class {label} is outside"):
            one_hot(np.array([0, label]), 3)
