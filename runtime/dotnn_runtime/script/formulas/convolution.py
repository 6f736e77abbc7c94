"""Convolution as textbooks write it: a sum over the offsets
(i, j) of a kernel, each times the image moved by them.

Images are [batch, row, column, channel], kernels [row, column, in, out]. `stride` s and `dilation` d stand
per axis, `pad` as (before, after) per axis. Nothing here flips a kernel: as everywhere in this field,
"convolution" is what signal processing calls a cross-correlation (Goodfellow et al. 2016, Eq. 9.6).
"""

import numpy as np


def padded(x, pad, value=0.0):
    """The images with a border around them."""
    return np.pad(x, ((0, 0), *pad, (0, 0)), constant_values=value)


def cropped(x, pad):
    """The images without their border."""
    (top, bottom), (left, right) = pad
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]


def places(x, kernel, stride, dilation):
    """How many places a kernel has on an image, down and across."""
    axes = zip(x.shape[1:3], kernel, stride, dilation, strict=True)
    return tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in axes)


def moved(x, i, j, size, stride, dilation):
    """The view x[:, p s + i d, q s + j d] for all places
    (p, q): what the kernel's element (i, j) meets there.
    """
    (rows, columns), (s, t), (d, e) = size, stride, dilation
    return x[:, i * d : i * d + s * (rows - 1) + 1 : s, j * e : j * e + t * (columns - 1) + 1 : t]


def conv2d(x, W, stride=(1, 1), pad=((0, 0), (0, 0)), dilation=(1, 1)):
    """z[p, q] = sum over (i, j) of x[p s + i d, q s + j d] W[i, j]."""
    x, kernel = padded(x, pad), W.shape[:2]
    size, z = places(x, kernel, stride, dilation), 0.0
    for i, j in np.ndindex(kernel):
        z = z + moved(x, i, j, size, stride, dilation) @ W[i, j]
    return z


def conv2d_transpose(d, W, size, stride=(1, 1), pad=((0, 0), (0, 0)), dilation=(1, 1)):
    """The gradient of `conv2d` with respect to its images, of `size`:
    (p, q) gives d[p, q] W[i, j]ᵀ to (p s + i d, q s + j d).
    """
    x = padded(np.zeros((len(d), *size, W.shape[2]), np.result_type(d, W)), pad)
    for i, j in np.ndindex(W.shape[:2]):
        moved(x, i, j, d.shape[1:3], stride, dilation)[...] += d @ W[i, j].T
    return cropped(x, pad)


def conv2d_d_weight(x, d, kernel, stride=(1, 1), pad=((0, 0), (0, 0)), dilation=(1, 1)):
    """dE/dW[i, j] = sum over images and places of x[p s + i d, q s + j d]ᵀ d[p, q], where d is dE/dz."""
    x, size = padded(x, pad), d.shape[1:3]
    d_W = np.empty((*kernel, x.shape[-1], d.shape[-1]), np.result_type(x, d))
    for i, j in np.ndindex(kernel):
        seen = moved(x, i, j, size, stride, dilation)
        d_W[i, j] = seen.reshape(-1, seen.shape[-1]).T @ d.reshape(-1, d.shape[-1])
    return d_W


def conv1d(x, W, stride=1, pad=(0, 0), dilation=1):
    """z[p] = sum over i of x[p s + i d] W[i]: a sequence is an image of one row."""
    return conv2d(x[:, None], W[None], (1, stride), ((0, 0), pad), (1, dilation))[:, 0]


def conv1d_transpose(d, W, size, stride=1, pad=(0, 0), dilation=1):
    """The gradient of `conv1d` with respect to its sequences, of `size` steps."""
    return conv2d_transpose(d[:, None], W[None], (1, size), (1, stride), ((0, 0), pad), (1, dilation))[:, 0]


def conv1d_d_weight(x, d, kernel, stride=1, pad=(0, 0), dilation=1):
    """dE/dW[i] = sum over sequences and places of x[p s + i d]ᵀ d[p], where d is dE/dz."""
    return conv2d_d_weight(x[:, None], d[:, None], (1, kernel), (1, stride), ((0, 0), pad), (1, dilation))[0]


def per_group(convolve, groups, a, b, **options):
    """Every group of channels by itself: it meets filters of its own, and no others."""
    pairs = zip(np.split(a, groups, axis=-1), np.split(b, groups, axis=-1), strict=True)
    return np.concatenate([convolve(*pair, **options) for pair in pairs], axis=-1)
