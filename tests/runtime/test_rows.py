"""Parts that are read where they are needed hold the numbers that copies would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotnn_runtime.script.arrays import prepared
from dotnn_runtime.script.digest import digest_of
from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.rows import Rows, pieces, with_ones
from dotnn_runtime.script.scaling import fit_range, fit_standard, scaled

RAW = st.sampled_from([np.uint8, np.int16, np.float32, np.float64])
SHAPES = st.sampled_from([(5, 3), (400, 200), (7, 4, 2, 3), (6, 1), (9,)])


def scaled_rows(seed, raw, shape, dtype):
    """Return rows of random numbers, and the copy that they are to be: in double precision, then cast."""
    rng = np.random.default_rng(seed)
    values = (rng.normal(size=shape) * 20 + 60).astype(raw)
    rows = np.sort(rng.permutation(shape[0])[: shape[0] - 1])
    s = {"shift": rng.normal(size=shape[1:]), "scale": rng.uniform(0.5, 2, shape[1:])}
    copy = ((values[rows].astype(np.float64) - s["shift"]) * s["scale"]).astype(dtype)
    return Rows(values, rows, dtype).then(lambda a: scaled(a, s)), copy


@given(st.integers(0, 99), RAW, SHAPES, st.sampled_from([np.float32, np.float64]))
def test_rows_read_as_their_copy_does(seed, raw, shape, dtype):
    lazy, copy = scaled_rows(seed, raw, shape, dtype)
    chosen = np.random.default_rng(seed).integers(len(copy), size=2 * len(copy))
    assert (len(lazy), lazy.shape, lazy.dtype, lazy.nbytes) == (len(copy), copy.shape, copy.dtype, copy.nbytes)
    np.testing.assert_array_equal(np.asarray(lazy), copy)
    np.testing.assert_array_equal(lazy[chosen], copy[chosen])
    np.testing.assert_array_equal(lazy[1:3], copy[1:3])
    out = np.empty((len(chosen), *shape[1:]), dtype)
    np.take(lazy, chosen, 0, out, "clip")
    np.testing.assert_array_equal(out, copy[chosen])
    assert digest_of(lazy) == digest_of(copy)


def test_a_row_of_ones_stands_behind_the_numbers():
    lazy, copy = scaled_rows(0, np.float32, (50, 4), np.float32)
    whole = with_ones(copy)
    out = np.empty((3, 5), np.float32)
    np.take(with_ones(lazy), np.array([40, 0, 7]), 0, out, "clip")
    np.testing.assert_array_equal(out, whole[[40, 0, 7]])
    np.testing.assert_array_equal(np.asarray(with_ones(lazy)), np.hstack([copy, np.ones((49, 1))]))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 300))
def test_pieces_are_all_rows_in_order(shape, numbers):
    found = [np.arange(shape[0])[piece] for piece in pieces(tuple(shape), numbers)]
    assert np.concatenate(found).tolist() == list(range(shape[0]))
    assert all(len(rows) == 1 or (len(rows) - 1) * np.prod(shape[1:]) <= numbers for rows in found)


@pytest.mark.parametrize("raw", [np.uint8, np.float32, np.float64])
def test_figures_of_many_pieces_are_those_of_the_whole(raw):
    values = (np.random.default_rng(1).normal(size=(3000, 900)) * 9 + 100).astype(raw)
    values[:, 7] = 3
    rows = np.arange(0, 3000, 2)
    whole, part = values[rows].astype(np.float64), Rows(values, rows)
    assert len(list(pieces(part.shape))) > 1
    found, constant = fit_standard(part), np.arange(900) == 7
    deviation = np.where(constant, 1, whole.std(axis=0))
    np.testing.assert_allclose(found["shift"], whole.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(found["scale"], 1 / deviation, rtol=1e-12)
    width = fit_range(part, -1, 1)["scale"] * np.ptp(whole, axis=0)
    np.testing.assert_allclose(width, np.where(constant, 0, 2), rtol=1e-15)


def test_large_parts_are_rows_and_small_ones_arrays():
    parts = {"train": {"x": Rows(np.arange(12.0).reshape(6, 2)), "y": Rows(np.arange(6))}}
    small, large = prepared(parts, np.float32), prepared(parts, np.float32, resident=0)
    assert {type(v) for v in small["train"].values()} == {np.ndarray}
    assert {type(v) for v in large["train"].values()} == {Rows}
    for name, dtype in (("x", np.float32), ("y", np.int64)):
        assert small["train"][name].dtype == large["train"][name].dtype == dtype
        np.testing.assert_array_equal(small["train"][name], large["train"][name])


def over_twice(a):
    return a / 2


PLACES = {"train": np.array([7, 1, 5]), "val": np.array([0, 9])}


@pytest.mark.parametrize("raw", [np.uint8, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("columns", [(4,), (5000, 9)])
def test_parts_written_over_their_raw_array_hold_the_numbers_of_copies(raw, dtype, columns):
    values = (np.random.default_rng(0).random((10, *columns)) * 99).astype(raw)
    given = values.copy()
    parts = {part: {"x": Rows(given, rows).then(over_twice)} for part, rows in PLACES.items()}
    fits = np.dtype(dtype).itemsize <= np.dtype(raw).itemsize
    for more in ({"resident": np.inf}, {"resident": 0}, {"resident": 0, "copy": False}):
        found = prepared(parts, dtype, **more)
        for part, rows in PLACES.items():
            assert found[part]["x"].dtype == dtype
            np.testing.assert_array_equal(found[part]["x"], (values[rows] / 2.0).astype(dtype))
        assert (given == values).all() != (fits and "copy" in more)
    assert np.may_share_memory(found["val"]["x"].values, given)
    assert found["val"]["x"].as_they_lie == fits


def test_nothing_is_written_over_what_something_else_reads():
    alone, shared, mapped = np.ones((10, 4)), np.ones((10, 4)), np.ones((10, 4))
    mapped.setflags(write=False)
    across = np.ones((4, 10)).T
    arrays = {"a": alone, "b": shared, "c": shared[:, :2], "d": mapped, "e": across}
    parts = {part: {n: Rows(v, rows).then(over_twice) for n, v in arrays.items()} for part, rows in PLACES.items()}
    parts["val"]["f"], parts["train"]["f"] = (Rows(np.ones((10, 4)), rows).then(over_twice) for rows in PLACES.values())
    held = prepared(parts, np.float64, copy=False, resident=0)
    for some in held.values():
        assert [name for name, rows in some.items() if rows.as_they_lie] == ["a"]
        assert all((np.asarray(rows) == 0.5).all() for rows in some.values())
    assert (alone == 0.5).all() and all((v == 1).all() for name, v in arrays.items() if name != "a")


def test_what_is_refused_is_not_written_over():
    values = np.ones((10, 4))
    parts = {"train": {"x": Rows(values).then(lambda a: a * 1e300)}}
    with pytest.raises(DataError, match=r"x\[0, 0\] is 1e\+300"):
        prepared(parts, np.float32, copy=False, resident=0)
    assert (values == 1).all()


def test_what_overflows_is_named_by_its_place_in_the_part():
    values = np.ones((2000, 1000))
    values[1700, 3] = 1e300
    with pytest.raises(DataError, match=r"x\[1699, 3\] is 1e\+300, which is not finite in float32"):
        prepared({"train": {"x": Rows(values, np.arange(1, 2000))}}, np.float32)
