"""The functions behind convolution and pooling, against SciPy, sliding windows, and each other's definition."""

import numpy as np
import pytest
from scipy.signal import correlate

from dotnn_runtime.script.formulas.convolution import (
    conv1d,
    conv1d_d_weight,
    conv1d_transpose,
    conv2d,
    conv2d_d_weight,
    conv2d_transpose,
    per_group,
)
from dotnn_runtime.script.formulas.filter_banks import filter_bank, max_of_filters, max_of_filters_d_input
from dotnn_runtime.script.formulas.pooling import avg_pool2d, max_global_d_input, max_pool2d, max_pool2d_d_input
from dotnn_runtime.script.formulas.volume_pooling import (
    avg_pool3d,
    avg_pool3d_d_input,
    max_pool3d,
    max_pool3d_d_input,
)
from dotnn_runtime.script.formulas.volumes import conv3d, conv3d_d_weight, conv3d_transpose
from dotnn_runtime.script.windows import elements, filter_copies, inside, windows

RNG = np.random.default_rng(0)
X, W = RNG.standard_normal((2, 7, 6, 3)), RNG.standard_normal((3, 2, 3, 4))
PLACES = [
    {},
    {"stride": (2, 3)},
    {"pad": ((1, 2), (0, 1))},
    {"dilation": (2, 3), "pad": ((0, 3), (1, 0))},
    {"stride": (3, 1), "pad": ((2, 2), (1, 1))},
]


def test_conv2d_is_a_sum_of_cross_correlations():
    for image, z in zip(X, conv2d(X, W), strict=True):
        for k in range(4):
            expected = sum(correlate(image[:, :, c], W[:, :, c, k], "valid") for c in range(3))
            np.testing.assert_allclose(z[:, :, k], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("where", PLACES)
def test_the_three_convolutions_are_adjoint(where):
    """<conv(x, W), d> = <x, transpose(d, W)> = <W, d_weight(x, d)>: that is what a gradient is."""
    z = conv2d(X, W, **where)
    d = RNG.standard_normal(z.shape)
    d_x, d_W = conv2d_transpose(d, W, (7, 6), **where), conv2d_d_weight(X, d, (3, 2), **where)
    assert (d_x.shape, d_W.shape) == (X.shape, W.shape)
    np.testing.assert_allclose([np.vdot(X, d_x), np.vdot(W, d_W)], np.vdot(z, d), rtol=1e-12)


@pytest.mark.parametrize("where", [{}, {"stride": 2, "pad": (1, 0)}, {"dilation": 2}])
def test_sequences(where):
    x, w = X[:, :, 0], W[:, 0]
    z = conv1d(x, w, **where)
    d = RNG.standard_normal(z.shape)
    sides = [np.vdot(x, conv1d_transpose(d, w, 7, **where)), np.vdot(w, conv1d_d_weight(x, d, 3, **where))]
    np.testing.assert_allclose(sides, np.vdot(z, d), rtol=1e-12)
    if not where:
        expected = sum(correlate(x[0, :, c], w[:, c, 1], "valid") for c in range(3))
        np.testing.assert_allclose(z[0, :, 1], expected, rtol=1e-12)


V, K = RNG.standard_normal((2, 5, 6, 4, 3)), RNG.standard_normal((3, 2, 2, 3, 4))


def test_conv3d_is_a_sum_of_cross_correlations():
    for volume, z in zip(V, conv3d(V, K), strict=True):
        for k in range(4):
            expected = sum(correlate(volume[..., c], K[..., c, k], "valid") for c in range(3))
            np.testing.assert_allclose(z[..., k], expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"stride": (2, 3, 1)},
        {"pad": ((1, 2), (0, 1), (2, 0))},
        {"dilation": (2, 3, 1), "pad": ((0, 3), (1, 0), (0, 0))},
        {"stride": (3, 1, 2), "pad": ((2, 2), (1, 1), (0, 1))},
    ],
)
def test_the_three_convolutions_of_volumes_are_adjoint(where):
    z = conv3d(V, K, **where)
    d = RNG.standard_normal(z.shape)
    d_x, d_W = conv3d_transpose(d, K, (5, 6, 4), **where), conv3d_d_weight(V, d, (3, 2, 2), **where)
    assert (d_x.shape, d_W.shape) == (V.shape, K.shape)
    np.testing.assert_allclose([np.vdot(V, d_x), np.vdot(K, d_W)], np.vdot(z, d), rtol=1e-12)


def test_groups_meet_their_own_filters():
    w = RNG.standard_normal((2, 2, 1, 6))
    z = per_group(conv2d, 3, X, w)
    for g in range(3):
        own = conv2d(X[..., g : g + 1], w[..., 2 * g : 2 * g + 2])
        np.testing.assert_array_equal(z[..., 2 * g : 2 * g + 2], own)


def test_pooling_of_windows():
    seen = np.lib.stride_tricks.sliding_window_view(X, (3, 2), axis=(1, 2))[:, ::2, ::2]
    np.testing.assert_array_equal(max_pool2d(X, (3, 2), (2, 2)), seen.max(axis=(-2, -1)))
    np.testing.assert_allclose(avg_pool2d(X, (3, 2), (2, 2)), seen.mean(axis=(-2, -1)), rtol=1e-12)


def test_a_border_is_no_maximum_and_does_not_count():
    below = -1 - X**2
    border = ((1, 1), (1, 1))
    assert (max_pool2d(below, (3, 3), (2, 2), border) < 0).all()
    np.testing.assert_allclose(avg_pool2d(np.full_like(X, 7), (3, 3), (2, 2), border), 7)


def test_of_equal_ones_the_first_receives_the_gradient():
    x = np.array([[1, 2, 2], [2, 0, 0]], dtype=float)[None, :, :, None]
    d = np.array([[10.0, 1.0]])[None, :, :, None]
    best = max_pool2d(x, (2, 2), (1, 1))
    found = max_pool2d_d_input(d, x, best, (2, 2), (1, 1))[0, :, :, 0]
    np.testing.assert_array_equal(found, [[0, 11, 0], [0, 0, 0]])
    np.testing.assert_array_equal(max_global_d_input(np.array([[5.0]]), x)[0, :, :, 0], [[0, 5, 0], [0, 0, 0]])
    candidates = np.array([[1.0, 3.0, 3.0, 3.0, 2.0, 1.0]])  # three copies of two filters
    np.testing.assert_array_equal(max_of_filters(candidates, 3), [[3, 3]])
    np.testing.assert_array_equal(max_of_filters_d_input(np.array([[5.0, 7.0]]), candidates, 3), [[0, 7, 5, 0, 0, 0]])


def test_a_bank_of_filters_holds_what_pooling_looks_at():
    c = conv2d(X, filter_bank(W, (2, 3)), (2, 3))
    np.testing.assert_allclose(max_of_filters(c, 6), max_pool2d(conv2d(X, W), (2, 3), (2, 3)), rtol=1e-12)
    bank = np.zeros((4, 4, 3, 24))
    for copy in filter_copies(bank, (3, 2), (2, 3)):
        copy[...] = W
    np.testing.assert_array_equal(bank, filter_bank(W, (2, 3)))


def test_windows_are_views():
    planes = np.ascontiguousarray(X.transpose(3, 1, 2, 0))
    seen = windows(planes, (3, 2), (2, 1), (1, 3), groups=3)
    assert np.shares_memory(seen, planes)
    for (i, j), element in zip(np.ndindex(3, 2), elements(seen, (3, 2)), strict=True):
        np.testing.assert_array_equal(element[:, 0], planes[:, i : i + 5 : 2, 3 * j : 3 * j + 3])
    np.testing.assert_array_equal(inside(planes, ((1, 2), (0, 3))), planes[:, 1:5, 0:3])


@pytest.mark.parametrize(("window", "stride", "pad"), [
    ((2, 2, 2), (2, 2, 2), ((0, 0), (0, 0), (0, 0))),
    ((3, 1, 2), (1, 2, 1), ((1, 1), (0, 0), (0, 1))),
])  # fmt: skip
def test_pooling_of_volumes_by_every_window(window, stride, pad):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((2, 4, 5, 4, 3))
    around = ((0, 0), *pad, (0, 0))
    with_border = np.pad(x, around, constant_values=np.nan)
    views = np.lib.stride_tricks.sliding_window_view(with_border, window, axis=(1, 2, 3))
    views = views[:, :: stride[0], :: stride[1], :: stride[2]]
    np.testing.assert_allclose(max_pool3d(x, window, stride, pad), np.nanmax(views, axis=(-3, -2, -1)), rtol=1e-14)
    np.testing.assert_allclose(avg_pool3d(x, window, stride, pad), np.nanmean(views, axis=(-3, -2, -1)), rtol=1e-13)
    best, d = max_pool3d(x, window, stride, pad), rng.standard_normal(max_pool3d(x, window, stride, pad).shape)
    direction = rng.standard_normal(x.shape)
    tiny = 1e-7
    for pool, back in ((max_pool3d, max_pool3d_d_input(d, x, best, window, stride, pad)),
                       (avg_pool3d, avg_pool3d_d_input(d, x.shape[1:4], window, stride, pad))):  # fmt: skip
        after, before = (pool(x + sign * tiny * direction, window, stride, pad) for sign in (1, -1))
        assert (d * (after - before)).sum() / (2 * tiny) == pytest.approx((back * direction).sum(), rel=1e-6)
