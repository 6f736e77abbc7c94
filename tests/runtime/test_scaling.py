import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from dotnn_runtime.script.data import DataError
from dotnn_runtime.script.scaling import (
    fit_range,
    fit_standard,
    scaled,
    scaling_from_json,
    scaling_to_json,
    undo_scaling,
)


@pytest.fixture
def values():
    values = np.random.default_rng(0).normal([3, -200, 1e6], [1, 40, 1e3], (50, 3))
    return np.hstack([values, np.full((50, 1), 0.1)])  # and a constant feature


@pytest.mark.parametrize("bounds", [(0.0, 1.0), (-1.0, 1.0), (2.0, 5.0)])
def test_range_is_that_of_scikit_learn(values, bounds):
    small = scaled(values, fit_range(values, *bounds))
    np.testing.assert_allclose(small, MinMaxScaler(bounds).fit_transform(values), rtol=0, atol=1e-12)


def test_standard_is_that_of_scikit_learn(values):
    small = scaled(values, fit_standard(values))
    np.testing.assert_allclose(small, StandardScaler().fit_transform(values), rtol=0, atol=1e-10)


def test_a_constant_feature_becomes_exactly_low_or_zero(values):
    assert set(scaled(values, fit_range(values))[:, 3]) == {0.0}
    assert set(scaled(values, fit_standard(values))[:, 3]) == {0.0}
    assert fit_standard(values)["scale"][3] == 1


def test_every_position_of_an_image_is_a_feature():
    images = np.random.default_rng(0).random((9, 4, 4, 1))
    scaling = fit_range(images)
    assert scaling["shift"].shape == scaling["scale"].shape == (4, 4, 1)
    assert scaled(images, scaling).max(axis=0).min() == pytest.approx(1)


def test_the_textbook_example_scales_as_printed():
    raw = np.array([[3.21, 86.34, 491.35], [31.41, 68.5, 430.37], [19.31, 30.59, 463.0], [20.64, 99.97, 447.14]])
    whole = np.array([[1.81, 25.56, 420.26], [37.11, 100.16, 495.76]])
    printed = [[0.04, 0.81, 0.94], [0.84, 0.58, 0.13], [0.5, 0.07, 0.57], [0.53, 1.0, 0.36]]
    np.testing.assert_allclose(scaled(raw, fit_range(whole)), printed, atol=0.005001)


@pytest.mark.parametrize("values", [[0.0, 5e-324], [-1e308, 1e308], [np.nan, 1.0]])
def test_what_cannot_be_scaled_is_refused(values):
    with np.errstate(all="ignore"), pytest.raises(DataError, match="too large or too close"):
        fit_range(np.array(values))


FLOATS = st.floats(-1e6, 1e6, width=32)


@given(hnp.arrays(np.float64, st.tuples(st.integers(2, 9), st.integers(1, 3)), elements=FLOATS))
def test_a_range_stays_within_its_bounds_and_is_undone(values):
    scaling = fit_range(values)
    small = scaled(values, scaling)
    assert small.min() >= 0
    assert small.max() <= 1
    np.testing.assert_allclose(undo_scaling(small, scaling), values, rtol=1e-12, atol=1e-9)


@given(hnp.arrays(np.float64, (4, 2), elements=FLOATS))
def test_json_keeps_every_bit(values):
    scaling = {"d": fit_standard(values), "t": fit_range(values[:, :1], -1, 1)}
    back = scaling_from_json(json.loads(json.dumps(scaling_to_json(scaling))))
    for name, s in scaling.items():
        for key in s:
            np.testing.assert_array_equal(back[name][key], s[key], strict=True)


@pytest.mark.parametrize("stored", [[], {"d": 1}, {"d": {"shift": [0]}}, {"d": {"shift": ["a"], "scale": [1]}}])
def test_damaged_json_is_refused(stored):
    with pytest.raises(DataError):
        scaling_from_json(stored)
