"""Convolution of volumes [batch, plane, row, column, channel]: that of images, with one axis more."""

import numpy as np

from dotnn_runtime.script.formulas.convolution import padded


def met(x, offset, size, stride, dilation):
    """The view of what a kernel's element meets at all places: x[:, p s + i d, q s + j d, r s + k d]."""
    axes = zip(offset, size, stride, dilation, strict=True)
    return x[(slice(None), *(slice(i * d, i * d + s * (n - 1) + 1, s) for i, n, s, d in axes))]


def conv3d(x, W, stride=(1, 1, 1), pad=((0, 0), (0, 0), (0, 0)), dilation=(1, 1, 1)):
    """z[p, q, r] = sum over (i, j, k) of x[p s + i d, q s + j d, r s + k d] W[i, j, k]."""
    x, kernel, z = padded(x, pad), W.shape[:3], 0.0
    axes = zip(x.shape[1:4], kernel, stride, dilation, strict=True)
    size = tuple((n - d * (k - 1) - 1) // s + 1 for n, k, s, d in axes)
    for offset in np.ndindex(kernel):
        z = z + met(x, offset, size, stride, dilation) @ W[offset]
    return z


def conv3d_transpose(d, W, size, stride=(1, 1, 1), pad=((0, 0), (0, 0), (0, 0)), dilation=(1, 1, 1)):
    """The gradient of `conv3d` with respect to its volumes, of `size`:
    every place gives d W[i, j, k]ᵀ to what the element (i, j, k) met there.
    """
    x = padded(np.zeros((len(d), *size, W.shape[3]), np.result_type(d, W)), pad)
    for offset in np.ndindex(W.shape[:3]):
        met(x, offset, d.shape[1:4], stride, dilation)[...] += d @ W[offset].T
    cut = (slice(low, n - high) for n, (low, high) in zip(x.shape[1:4], pad, strict=True))
    return x[(slice(None), *cut)]


def conv3d_d_weight(x, d, kernel, stride=(1, 1, 1), pad=((0, 0), (0, 0), (0, 0)), dilation=(1, 1, 1)):
    """dE/dW[i, j, k] = sum over volumes and places of what the element met, transposed, times d = dE/dz."""
    x = padded(x, pad)
    d_W = np.empty((*kernel, x.shape[-1], d.shape[-1]), np.result_type(x, d))
    for offset in np.ndindex(kernel):
        seen = met(x, offset, d.shape[1:4], stride, dilation)
        d_W[offset] = seen.reshape(-1, seen.shape[-1]).T @ d.reshape(-1, d.shape[-1])
    return d_W
