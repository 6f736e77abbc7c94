"""Figures of merit are scikit-learn's, to 1e-12: on random examples, on degenerate ones, and with weights."""

import math
import warnings

import numpy as np
import pytest
from scipy.stats import binomtest
from sklearn import metrics as reference
from sklearn.calibration import calibration_curve

from dotnn_runtime.merit import calibration, classes, errors, intervals, ranking

CLOSE = {"rel": 1e-12, "abs": 1e-12}
SEEDS = range(4)


def drawn(seed, kind, count=57, size=4):
    """Return scores (n, classes) that add up to 1, and the true classes."""
    rng = np.random.default_rng(seed)
    scores, actual = rng.dirichlet(np.ones(size), count), rng.integers(0, size, count)
    if kind == "constant":
        scores = np.full_like(scores, 1 / size)
    if kind == "perfect":
        scores = np.eye(size)[actual]
    if kind == "ties":
        scores = np.round(scores * 4) + 1
        scores /= scores.sum(axis=1, keepdims=True)
    if kind == "absent":
        actual = rng.integers(0, size - 1, count)
    if kind == "one class":
        actual = np.full(count, 2)
    return scores, actual


def weights_for(seed, weighted, count=57):
    rng = np.random.default_rng(seed + 100)
    weights = rng.exponential(size=count)
    weights[rng.random(count) < 0.2] = 0
    return weights if weighted else None


@pytest.fixture(params=["random", "constant", "perfect", "ties", "absent", "one class"])
def kind(request):
    return request.param


@pytest.fixture(params=[False, True], ids=["alike", "weighted"])
def weighted(request):
    return request.param


@pytest.fixture(autouse=True)
def quiet():
    with warnings.catch_warnings(action="ignore"):
        yield


@pytest.mark.parametrize("seed", SEEDS)
def test_classes(seed, kind, weighted):
    scores, actual = drawn(seed, kind)
    weights, predicted = weights_for(seed, weighted), scores.argmax(axis=1)
    labels = range(4)
    confusion = classes.confusion_matrix(predicted, actual, 4, weights)
    kept = {"sample_weight": weights}
    np.testing.assert_allclose(confusion, reference.confusion_matrix(actual, predicted, labels=labels, **kept), 1e-12)
    found = classes.by_class(confusion)
    wanted = reference.precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=0, **kept)
    for ours, theirs in zip((found.precision, found.recall, found.f1, found.support), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-12)
    assert classes.accuracy(confusion) == pytest.approx(reference.accuracy_score(actual, predicted, **kept), **CLOSE)
    balanced = reference.balanced_accuracy_score(actual, predicted, **kept)
    assert classes.balanced_accuracy(confusion) == pytest.approx(balanced, **CLOSE)
    if weights is None:  # scikit-learn also averages over classes that only examples of weight 0 have
        macro = reference.f1_score(actual, predicted, average="macro", zero_division=0)
        assert classes.macro_f1(confusion) == pytest.approx(macro, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranking(seed, kind, weighted):
    scores, actual = drawn(seed, kind)
    weights = weights_for(seed, weighted)
    areas = ranking.roc_auc_by_class(scores, actual, weights)
    for c, area in enumerate(areas):
        if len(np.unique(actual == c)) == 1:
            assert math.isnan(area)
        else:
            wanted = reference.roc_auc_score(actual == c, scores[:, c], sample_weight=weights)
            assert area == pytest.approx(wanted, **CLOSE)
    if len(np.unique(actual)) == 4:
        wanted = reference.roc_auc_score(actual, scores, multi_class="ovr", sample_weight=weights)
        assert areas.mean() == pytest.approx(wanted, **CLOSE)
    for k in (1, 2, 3):
        wanted = reference.top_k_accuracy_score(actual, scores, k=k, labels=range(4), sample_weight=weights)
        assert ranking.top_k(scores, actual, k, weights) == pytest.approx(wanted, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_roc_curve(seed, weighted):
    scores, actual = drawn(seed, "ties")
    weights = weights_for(seed, weighted)
    false, true = ranking.roc_curve(scores[:, 0], actual == 0, weights)
    theirs = reference.roc_curve(actual == 0, scores[:, 0], sample_weight=weights, drop_intermediate=False)
    np.testing.assert_allclose(false, theirs[0], atol=1e-12)
    np.testing.assert_allclose(true, theirs[1], atol=1e-12)
    assert np.trapezoid(true, false) == pytest.approx(ranking.roc_auc(scores[:, 0], actual == 0, weights), **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
def test_probabilities(seed, kind, weighted):
    scores, actual = drawn(seed, kind)
    weights = weights_for(seed, weighted)
    wanted = reference.brier_score_loss(actual, scores, labels=range(4), sample_weight=weights, scale_by_half=False)
    assert calibration.brier(scores, actual, weights) == pytest.approx(wanted, **CLOSE)
    if weights is None:  # scikit-learn's curve takes no weights
        happened = actual == 1
        observed, predicted = calibration_curve(happened, scores[:, 1], n_bins=10) if happened.any() else ([], [])
        found = calibration.calibration(scores[:, 1], happened)
        if happened.any() and not happened.all():
            np.testing.assert_allclose(found.observed, observed, atol=1e-12)
            np.testing.assert_allclose(found.predicted, predicted, atol=1e-12)


EDGES = np.linspace(0, 1, 11)
ODD_PROBABILITIES = {
    "one example": [0.3],
    "all sure": [1.0] * 7,
    "none": [0.0] * 7,
    "all equal": [0.45] * 9,
    "on the edges": [*EDGES, *EDGES[1:4]],
    "beside the edges": [*np.nextafter(EDGES[1:], 0), *np.nextafter(EDGES[:-1], 1)],
    "both ends": [0.0, 1.0, 0.0, 1.0, 0.5],
}


@pytest.mark.parametrize("odd", [*ODD_PROBABILITIES, "random"])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_point_of_calibration_says_how_many_examples_it_has(seed, odd):
    """As many as NumPy's histogram of -p has, whose bins are closed below: those of p are above."""
    rng = np.random.default_rng(seed)
    p = rng.random(200) if odd == "random" else np.array(ODD_PROBABILITIES[odd])
    happened, times = rng.random(len(p)) < p, rng.integers(0, 4, len(p))
    times[0] = 2  # one counts at least
    counts = np.histogram(-p, [-np.inf, *-EDGES[-2:0:-1], np.inf])[0][::-1]
    found = calibration.calibration(p, happened)
    assert found.count.tolist() == counts[counts > 0].tolist() and found.count.sum() == len(p)
    np.testing.assert_array_equal(found.weight, found.count)
    weighted = calibration.calibration(p, happened, times)
    q, t = np.repeat(p, times), np.repeat(happened, times)
    if len(set(t)) == 2:
        observed, predicted = calibration_curve(t, q, n_bins=10)
        np.testing.assert_allclose(weighted.observed, observed, atol=1e-12)
        np.testing.assert_allclose(weighted.predicted, predicted, atol=1e-12)
    drawn_at = [np.searchsorted(EDGES[1:-1], value) for value in np.unique(q)]
    assert weighted.count.tolist() == [counts[bin] for bin in sorted(set(drawn_at))]
    assert weighted.weight.sum() == len(q)


def test_weights_of_calibration_count_examples():
    """An example of weight 3 is three examples; the error is that of a loop over the tenths."""
    scores, actual = drawn(1, "random")
    times = np.random.default_rng(5).integers(0, 4, len(actual))
    found = calibration.calibration(scores[:, 1], actual == 1, times)
    p, t = np.repeat(scores[:, 1], times), np.repeat(actual == 1, times)
    other = calibration.calibration(p, t)
    np.testing.assert_allclose(found.observed, other.observed, rtol=1e-12)
    np.testing.assert_allclose(found.weight, other.weight, rtol=1e-12)
    total = 0.0
    for low in range(10):
        inside = (p > low / 10) & (p <= (low + 1) / 10)
        total += abs(p[inside].sum() - t[inside].sum()) / len(p)
    assert found.error == pytest.approx(total, **CLOSE)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("which", ["random", "constant target", "constant output", "perfect", "large"])
def test_errors_of_numbers(seed, outputs, which, weighted):
    rng = np.random.default_rng(seed)
    output, target = rng.standard_normal((57, outputs)), rng.standard_normal((57, outputs))
    output = {"constant output": np.ones_like(output), "perfect": target}.get(which, output)
    if which == "constant target":
        target = np.full_like(target, 2.0)
    if which == "large":
        output, target = output * 1e100, target * 1e100
    weights = weights_for(seed, weighted)
    kept = {"sample_weight": weights}
    pairs = [
        (errors.mean_absolute_error(output, target, weights), reference.mean_absolute_error(target, output, **kept)),
        (
            errors.root_mean_squared_error(output, target, weights) ** 2,
            reference.mean_squared_error(target, output, **kept),
        ),
        (errors.r2(output, target, weights), reference.r2_score(target, output, **kept)),
        (errors.max_error(output, target), max(map(reference.max_error, target.T, output.T))),
        (errors.mean_error(output, target, weights), np.average((output - target).mean(axis=1), weights=weights)),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, **CLOSE)


def test_one_example_has_no_coefficient_of_determination():
    assert math.isnan(errors.r2(np.ones((1, 1)), np.ones((1, 1))))


def test_weights_must_fit():
    with pytest.raises(ValueError, match=r"weights of shape \(3,\)"):
        ranking.roc_auc(np.arange(3.0), np.array([True, False, True]), np.ones(2))


def test_the_interval_of_a_mean_is_the_normal_one():
    """Of 400 normal numbers: the mean, 1.96 standard errors off."""
    values = np.random.default_rng(2).standard_normal(400)
    low, high = intervals.interval(lambda w: float(np.average(values, weights=w)), 400)
    error = values.std() / math.sqrt(400)
    assert (low, high) == pytest.approx((values.mean() - 1.96 * error, values.mean() + 1.96 * error), abs=0.2 * error)
    assert intervals.interval(lambda w: float(np.average(values, weights=w)), 400) == (low, high)


def test_what_is_undefined_has_no_interval():
    assert all(map(math.isnan, intervals.interval(lambda w: math.nan, 3)))


@pytest.mark.parametrize(("right", "count"), [(0, 5), (5, 5), (29, 30), (17, 1000)])
def test_the_interval_of_a_share_is_wilson_s(right, count):
    wanted = binomtest(right, count).proportion_ci(method="wilson")
    found = intervals.interval_of_share(right / count, count)
    assert found == pytest.approx((wanted.low, wanted.high), **CLOSE)


def test_a_figure_that_never_changes_has_no_interval():
    assert all(map(math.isnan, intervals.interval(lambda w: 1.0, 30)))
