"""A convolution under max pooling as one convolution: what `passes.pool_filters` turns the two into.

Pooling by a window of (m, n) looks at m n places of a filter. They are the m n copies of the filter, each moved by one
place, at a single place of a larger kernel: so a convolution by all copies, in the pooling's own steps, gives all
candidates of a maximum side by side, and no place is computed apart from the others.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dotnn.ir.op import Op, sends
from dotnn.ir.tensor import Attrs, TensorType


def _infer_bank(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    *kernel, channels, filters = types[0].example
    larger = (k + w - 1 for k, w in zip(kernel, attrs["window"], strict=True))
    return TensorType((*larger, channels, math.prod(attrs["window"]) * filters))


def _infer_d_weight(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    *larger, channels, copies = types[0].example
    kernel = (k - w + 1 for k, w in zip(larger, attrs["window"], strict=True))
    return TensorType((*kernel, channels, copies // math.prod(attrs["window"])))


def _largest(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], types[0].example[-1] // attrs["copies"]))


FILTER_BANK = Op(
    "filter_bank",
    ("W",),
    _infer_bank,
    "filter_bank(W, window)",
    sends(W="filter_bank_d_weight(d, window=window)"),
    ("filter_bank",),
)

FILTER_BANK_D_WEIGHT = Op(
    "filter_bank_d_weight",
    ("d",),
    _infer_d_weight,
    "filter_bank_d_weight(d, window)",
    helpers=("filter_bank_d_weight",),
)

MAX_OF_FILTERS = Op(
    "max_of_filters",
    ("c",),
    _largest,
    "max_of_filters(c, copies)",
    sends(c="max_of_filters_d_input(d, c, copies=copies)"),
    ("max_of_filters",),
)

MAX_OF_FILTERS_D_INPUT = Op(
    "max_of_filters_d_input",
    ("d", "c"),
    lambda types, attrs: types[1],
    "max_of_filters_d_input(d, c, copies)",
    helpers=("max_of_filters_d_input",),
)

ADD_BIAS = Op("add_bias", ("x", "b"), lambda types, attrs: types[0], "x + b", sends(x="d", b="sum_examples(d)"))
