import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotnn_runtime.script.arrays import in_precision
from dotnn_runtime.script.data import DataError, check_arrays
from dotnn_runtime.script.selfcheck import generic_batch


def check(value, kind, shape=()):
    return check_arrays({"v": value}, {"v": (kind, shape)})["v"]


def fails(value, kind, shape=()):
    with pytest.raises(DataError) as caught:
        check(value, kind, shape)
    return str(caught.value)


@pytest.mark.parametrize(
    ("kind", "shape", "value", "dtype"),
    [
        ("real", (2,), np.ones((3, 2), np.uint8), np.uint8),
        ("real", (2,), np.ones((3, 2), np.uint32), np.float64),
        ("real", (2,), [[1, 2], [3, 4]], np.float64),
        ("unit", (1,), np.array([[0.0], [1.0]], np.float32), np.float32),
        ("sign", (1,), np.array([[-1], [1]]), np.float64),
        ("distribution", (3,), np.full((5, 3), 1 / 3, np.float32), np.float32),
        ("class:3", (), np.array([0, 2], np.uint8), np.int64),
        ("class:3", (), np.array([0.0, 2.0]), np.int64),
        ("class:3", (4,), np.zeros((2, 4), int), np.int64),
        ("int:9", (4,), np.full((2, 4), 8), np.int64),
        ("int", (1,), np.array([[-5], [7]]), np.int64),
    ],
)
def test_what_fits_is_returned_in_the_right_type(kind, shape, value, dtype):
    checked = check(value, kind, shape)
    assert checked.dtype == dtype
    assert checked.shape[1:] == shape
    np.testing.assert_array_equal(checked, value)


@pytest.mark.parametrize(
    ("given_shape", "shape"), [((5,), (1,)), ((5, 8, 8), (8, 8, 1)), ((5, 1), ()), ((5, 7), (7, 1))]
)
def test_a_last_axis_of_length_one_is_added_or_dropped(given_shape, shape):
    assert check(np.zeros(given_shape), "real", shape).shape == (5, *shape)


@pytest.mark.parametrize(
    ("given_shape", "shape", "hint"),
    [
        ((5, 64), (8, 8, 1), "v.reshape(-1, 8, 8, 1)"),
        ((5, 2), (1,), ""),
        ((5,), (2,), ""),
        ((5, 1), (2,), ""),
        ((5, 2, 3), (3, 2), "if the order is right"),
    ],
)
def test_any_other_shape_is_refused(given_shape, shape, hint):
    message = fails(np.zeros(given_shape), "real", shape)
    assert str(given_shape) in message
    assert hint in message


def test_the_shape_needed_is_shown():
    assert "needed is (n, 8, 8, 1)" in fails(np.zeros((5, 64)), "real", (8, 8, 1))


def test_one_hot_rows_and_indices_are_told_apart():
    assert "v.argmax(axis=-1)" in fails(np.eye(3), "class:3")
    assert "one_hot(v, 3)" in fails(np.array([0, 1]), "distribution", (3,))


@pytest.mark.parametrize(
    ("value", "kind", "shape", "message"),
    [
        ([[0, 1], [2, np.nan]], "real", (2,), "v[1, 1] is nan, which is not finite"),
        ([[0], [np.inf]], "unit", (1,), "v[1, 0] is inf"),
        ([0, 3, 4], "class:3", (), "v[1] is 3, allowed is 0…2"),
        ([0, -1], "class:3", (), "v[1] is -1, allowed is 0…2"),
        ([0, 0.5], "class:3", (), "v[1] is 0.5, which is no integer"),
        ([[0, 9]], "int:9", (2,), "v[0, 1] is 9, allowed is 0…8"),
        ([[1e300]], "int", (1,), "64 bits"),
        ([[0.5], [1.5]], "unit", (1,), "v[1, 0] is 1.5, allowed is 0…1"),
        ([[1], [0]], "sign", (1,), "v[1, 0] is 0, allowed is -1 and +1"),
        ([[0.5, 0.5], [1.5, -0.5]], "distribution", (2,), "v[1, 1] is -0.5"),
        ([[0.5, 0.5], [0.5, 0.4]], "distribution", (2,), "the sum of v[1] is 0.9"),
        ([["a"]], "real", (1,), "not real numbers"),
        ([[1j]], "real", (1,), "not real numbers"),
        ([[1, 2], [3]], "real", (2,), "ragged"),
        (np.zeros((0, 2)), "real", (2,), "no examples"),
        (1.0, "real", (), "no examples"),
    ],
)
def test_the_first_wrong_value_is_named(value, kind, shape, message):
    assert message in fails(value, kind, shape)


def test_names_must_be_those_declared():
    declared = {"images": ("real", (2,)), "y": ("class:2", ())}
    with pytest.raises(DataError, match="no data for y"):
        check_arrays({"images": np.zeros((1, 2))}, declared)
    with pytest.raises(DataError, match=r"no image .*did you mean images"):
        check_arrays({"image": np.zeros((1, 2)), "y": np.zeros(1)}, declared)


def test_all_values_have_the_same_number_of_examples():
    with pytest.raises(DataError, match="x has 3, t has 4"):
        check_arrays({"x": np.zeros((3, 1)), "t": np.zeros((4, 1))}, {"x": ("real", (1,)), "t": ("real", (1,))})


KINDS = st.sampled_from(["real", "unit", "sign", "distribution", "class:4", "int:7", "int"])
SHAPES = st.lists(st.integers(1, 3), min_size=1, max_size=3).map(tuple)


@given(st.dictionaries(st.sampled_from("abc"), st.tuples(KINDS, SHAPES), min_size=1), st.integers(1, 5))
def test_generic_batches_pass_unchanged(declarations, size):
    batch = generic_batch(declarations, np.random.default_rng(0), size)
    for name, checked in check_arrays(batch, declarations).items():
        np.testing.assert_array_equal(checked, batch[name])
        assert checked.dtype == batch[name].dtype


LAYOUTS = {
    "rows": lambda a: a,
    "columns": np.asfortranarray,
    "turned": lambda a: np.ascontiguousarray(a.T).T,
    "gaps": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: a[::-1, ::-1].copy()[::-1, ::-1],
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("wrong", [None, np.nan, np.inf, -np.inf])
def test_one_number_that_is_not_finite_is_found_wherever_it_lies(layout, dtype, wrong):
    """Numbers whose squares are too large are numbers all the same."""
    large = np.finfo(dtype).max
    plain = np.full((4, 5), large, dtype)
    if wrong is not None:
        plain[2, 3] = wrong
    array = layout(plain)
    for refuse in (
        lambda: check_arrays({"x": array}, {"x": ("real", (5,))}),
        lambda: in_precision({"x": array}, dtype),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            if wrong is None:
                np.testing.assert_array_equal(refuse()["x"], plain)
            else:
                with pytest.raises(DataError) as error:
                    refuse()
                assert str(error.value).startswith("x[2, 3]")
