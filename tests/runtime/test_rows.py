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


def test_what_is_read_as_it_lies_is_not_copied_where_copies_are_made_of_what_is_scaled():
    values = np.arange(40.0, dtype=np.float32).reshape(10, 4)
    plain = Rows(values, np.array([7, 1, 5]))
    parts = {"train": {"x": plain, "z": plain.then(lambda a: a / 2)}}
    size = 2 * 3 * 4 * 4
    few, some, many = (prepared(parts, np.float32, resident=size * k)["train"] for k in (9, 4, 0.5))
    assert [type(few[k]) for k in "xz"] == [np.ndarray, np.ndarray]
    assert [type(some[k]) for k in "xz"] == [Rows, np.ndarray]
    assert [type(many[k]) for k in "xz"] == [Rows, Rows]
    out = np.empty((2, 4), np.float32)
    for held in (few, some, many):
        for name, factor in (("x", 1), ("z", 2)):
            np.take(held[name], np.array([2, 0]), 0, out, "clip")
            np.testing.assert_array_equal(out, values[[5, 7]] / factor)
            np.testing.assert_array_equal(held[name][1:], values[[1, 5]] / factor)


def test_what_overflows_is_named_by_its_place_in_the_part():
    values = np.ones((2000, 1000))
    values[1700, 3] = 1e300
    with pytest.raises(DataError, match=r"x\[1699, 3\] is 1e\+300, which is not finite in float32"):
        prepared({"train": {"x": Rows(values, np.arange(1, 2000))}}, np.float32)
