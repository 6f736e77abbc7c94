import inspect
import math
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference

from dotnn.library.metrics import METRICS
from dotnn_runtime.script import metrics, weighted_metrics
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


# ----------------------------------------------------------------------- every metric of the registry, in every case
COUNT = 41


def scores_and_classes(rng, case):
    scores, actual = rng.dirichlet(np.ones(4), COUNT), rng.integers(0, 4, COUNT)
    return {
        "random": (scores, actual),
        "perfect": (np.eye(4)[actual], actual),
        "constant output": (np.full((COUNT, 4), 0.25), actual),
        "one class": (scores, np.full(COUNT, 2)),
        "a class that never occurs": (scores * [1, 1, 1, 1e-9], actual % 3),
        "one example": (scores[:1], actual[:1]),
    }[case]


def numbers(rng, case):
    output, target = rng.normal(size=(COUNT, 3)), rng.normal(size=(COUNT, 3))
    return {
        "random": (output, target),
        "perfect": (target, target),
        "constant output": (np.ones((COUNT, 3)), target),
        "one class": (output, np.full((COUNT, 3), 1.5)),
        "a class that never occurs": (1e150 * output, 1e150 * target),
        "one example": (output[:1], target[:1]),
    }[case]


def arrays_for(kind, rng, case):
    """The output and the target of a kind, and how scikit-learn takes the two."""
    if kind in ("class", "distribution"):
        scores, actual = scores_and_classes(rng, case)
        target = actual if kind == "class" else one_hot(actual, 4).astype(float)
        return scores, target, (actual, scores.argmax(axis=1))
    output, target = numbers(rng, case)
    if kind in ("unit", "binary", "sign"):
        target = (target > 0.2).astype(float)
        found = (output[:, :1] > (0 if kind == "sign" else 0.5), target[:, :1] > 0)
        output, target = output[:, :1], (2 * target - 1 if kind == "sign" else target)[:, :1]
        return output, target, (found[1].ravel(), found[0].ravel())
    return output, target, ()


def wanted(name, kind, output, target, told, weights, **args):
    """What scikit-learn says."""
    kept = {"sample_weight": weights}
    if name == "accuracy":
        return reference.accuracy_score(*told, **kept)
    if name == "f1":
        average = args["average"] if kind in ("class", "distribution") else "binary"
        return reference.f1_score(*told, average=average, zero_division=0, **kept)
    if name == "mae":
        return reference.mean_absolute_error(target, output, **kept)
    if name == "rmse":
        return math.sqrt(reference.mean_squared_error(target / SCALE[0], output / SCALE[0], **kept)) * SCALE[0]
    assert name == "r2", f"{name} has no counterpart here: say which function of scikit-learn it is"
    if weights is not None and len(target) > 1 and (target == target[0]).all() and not (target == output).all():
        return 0.0  # as without weights; scikit-learn's weighted mean of equal numbers is off by rounding
    return reference.r2_score(target, output, **kept)


SCALE = [1.0]
CASES = ["random", "perfect", "constant output", "one class", "a class that never occurs", "one example"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("weighted", ["alike", "weighted"])
@pytest.mark.parametrize(("name", "kind"), [(m.name, kind) for m in METRICS.values() for kind in m.functions])
def test_every_metric_is_scikit_learn_s(name, kind, weighted, case):
    """To 1e-12. Where nothing is left to count, or scikit-learn has no number, it is no number."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        output, target, told = arrays_for(kind, rng, case)
        weights = (
            rng.exponential(size=len(target)) * (rng.random(len(target)) < 0.8) if weighted == "weighted" else None
        )
        if weights is not None and not weights.any():
            weights[0] = 0.5
        SCALE[0] = 1e150 if case == "a class that never occurs" else 1.0
        function = METRICS[name].functions[kind]
        choices = [{}]
        if "average" in inspect.signature(getattr(metrics, function)).parameters:
            choices = [{"average": average} for average in ("macro", "micro", "weighted")]
        for args in choices:
            if weights is None:
                found = getattr(metrics, function)(output, target, **args)
            else:
                if args.get("average") == "macro":  # scikit-learn averages over classes of weight 0, too
                    weights = weights + 0.01
                found = getattr(weighted_metrics, f"weighted_{function}")(output, target, weights, **args)
            with warnings.catch_warnings(action="ignore"), np.errstate(all="ignore"):
                right = wanted(name, kind, output, target, told, weights, **args)
            assert found == pytest.approx(right, rel=1e-12, abs=1e-12, nan_ok=True), (seed, args)
