"""Windows of a series: what an input or target has of the steps around each step."""

import typing

import numpy as np

from dotnn_runtime.script.errors import DataError
from dotnn_runtime.script.split import part_sizes


def in_windows(
    arrays: dict[str, np.ndarray], spans: typing.Mapping[str, tuple[int, int]]
) -> dict[str, np.ndarray]:
    """Return the windows of a series whose `arrays`, `(n, columns)` or `(n,)`, hold a row for each step.

    `spans` says which steps around step t a window has: `{"past": (-24, 0), "ahead": (0, 1)}` has the 24
    before t, and t itself. There is one for every t at which all of them are in the series: views
    `(count, steps, columns)`, without an axis of a single step, or of a single column.
    What has the span (0, 0) says how the rows go together: by `order` they are sorted, and rows of other
    `groups` are other series, one after the other; windows of several are left out.
    Raises DataError where the series is shorter than a window.
    """
    arrays = in_turn(arrays, [name for name in arrays if spans[name] == (0, 0)])
    keys = {name: arrays[name] for name in arrays if spans[name] == (0, 0)}
    seen = {name: values for name, values in arrays.items() if name not in keys}
    first = min(spans[name][0] for name in seen)
    length = max(spans[name][1] for name in seen) - first
    steps = len(next(iter(seen.values())))
    count = steps - length + 1
    whole = in_one_group(keys, count) if count > 0 else np.zeros(0, bool)
    if not whole.any():
        what = "no group has" if keys else f"the series has {steps} steps,"
        needed = f"{length} steps, which a window needs" if keys else f"a window needs {length}"
        raise DataError(f"{what} {needed}", help="give it a longer one")
    found = {name: key[:count] for name, key in keys.items()}
    for name, values in seen.items():
        start, stop = spans[name]
        found[name] = windows_of(values, stop - start)[start - first : start - first + count]
    return found if whole.all() else {name: values[whole] for name, values in found.items()}


def in_one_group(keys: dict[str, np.ndarray], count: int) -> np.ndarray:
    """Return which of `count` windows of a series begin and end in the same group; without groups all do."""
    whole = np.ones(count, bool)
    for key in keys.values():
        whole &= key[:count] == key[len(key) - count :]
    return whole


def windows_of(values: np.ndarray, length: int) -> np.ndarray:
    """Return the windows of so many steps, one for each that such a window can begin with: views
    `(count, length, columns)`, without an axis of a single step, or of a single column.
    """
    columns = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    windows = np.lib.stride_tricks.sliding_window_view(columns, length, axis=0)
    windows = np.moveaxis(windows, -1, 1)
    return windows[:, 0] if length == 1 else windows


def in_turn(arrays: dict[str, np.ndarray], keys: list[str]) -> dict[str, np.ndarray]:
    """Return the rows of a series in the order of the array `order`, which is left out, those that are equal
    in `groups` together, in the order of the first ones; `keys` are which of the two there are.
    """
    rows = np.arange(len(next(iter(arrays.values()))))
    if "order" in keys:
        rows = np.argsort(arrays["order"], kind="stable")
    if "groups" in keys:
        _, first, group = np.unique(arrays["groups"], return_index=True, return_inverse=True)
        rows = rows[np.argsort(first[group][rows], kind="stable")]
    return {n: v[rows] for n, v in arrays.items() if n not in keys or n != "order"} if keys else arrays


def split_windows(count: int, length: int, fractions: dict[str, float]) -> dict[str, np.ndarray]:
    """Split the windows of a series, `count` of so many steps, in order; return the places of each part.

    The steps are split as `split_in_order` splits examples. A window is of the part that all its steps are
    of; those that would straddle two parts are left out. Raises DataError as that does, and where a part is
    shorter than a window.
    """
    stops = np.cumsum(part_sizes(count + length - 1, fractions, "steps")[1])
    found = {}
    for name, start, stop in zip(fractions, [0, *stops], stops, strict=False):
        found[name] = np.arange(start, max(start, stop - length + 1))
        if fractions[name] and not len(found[name]):
            message = f"the part {name} has {stop - start} steps, a window needs {length}"
            raise DataError(message, help="give it a larger share, or take shorter windows")
    return found
