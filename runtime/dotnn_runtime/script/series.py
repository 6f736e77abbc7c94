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
    Raises DataError where the series is shorter than a window.
    """
    first = min(spans[name][0] for name in arrays)
    length = max(spans[name][1] for name in arrays) - first
    count = len(next(iter(arrays.values()))) - length + 1
    if count < 1:
        raise DataError(
            f"the series has {count + length - 1} steps, a window needs {length}", help="give it a longer one"
        )
    found = {}
    for name, values in arrays.items():
        start, stop = spans[name]
        columns = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
        windows = np.lib.stride_tricks.sliding_window_view(columns, stop - start, axis=0)
        windows = np.moveaxis(windows, -1, 1)[start - first : start - first + count]
        found[name] = windows[:, 0] if stop - start == 1 else windows
    return found


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
