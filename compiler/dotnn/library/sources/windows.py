"""A series, a row for each step, as windows of several steps."""

from dotnn.library.sources.base import DataSource

PLAIN = '''
def in_windows(series):
    """Return the windows of a series: for each step t what WINDOWS says of the steps around it."""
    spans = {name: WINDOWS[name] for name in series}
    first, last = min(start for start, stop in spans.values()), max(stop for start, stop in spans.values())
    steps = np.arange(-first, len(next(iter(series.values()))) - last + 1)
    return {name: series[name][steps[:, None] + np.arange(*span)] for name, span in spans.items()}
'''
ORDER = """
    order = np.argsort(series.pop("order"), kind="stable")
    series = {name: values[order] for name, values in series.items()}"""
GROUPS = """
    _, begin, group = np.unique(series.pop("groups"), return_index=True, return_inverse=True)
    order = np.argsort(begin[group], kind="stable")  # one series after the other
    series, group = {name: values[order] for name, values in series.items()}, group[order]"""
INSIDE = """
    steps = steps[group[steps + first] == group[steps + last - 1]]  # no window is of two series"""

STEPS = "{name: series[name][steps[:, None] + np.arange(*span)] for name, span in spans.items()}"
ONE_OR_MORE = """{
        name: series[name][steps if span == (0, 1) else steps[:, None] + np.arange(*span)]
        for name, span in spans.items()
    }"""


def plain(*, ordered: bool, grouped: bool, texts: bool) -> str:
    """Return the plain text of `in_windows` for a table that is sorted, or holds several series, or texts of a step."""
    doc, rest = PLAIN.split("    spans =")
    rest = f"{ORDER * ordered}{GROUPS * grouped}\n    spans ={rest}".lstrip("\n")
    if grouped:
        before, made = rest.rstrip("\n").split("\n    return ")
        rest = f'{before}{INSIDE}\n    windows = {made}\n    return windows | {{"groups": group[steps + first]}}\n'
    return f"{doc}{rest.replace(STEPS, ONE_OR_MORE) if texts else rest}"


SPLIT = '''
def split_windows(count, length, shares):
    """Split the steps of a series in order; a window is of the part that all its steps are of, or of none."""
    exact = (count + length - 1) * np.array(list(shares.values()))
    sizes = np.floor(exact + 1e-9).astype(int)
    sizes[np.argsort(sizes - exact, kind="stable")[: count + length - 1 - sizes.sum()]] += 1
    stops = np.cumsum(sizes)
    ends = zip(shares, sizes, stops, strict=True)
    return {part: np.arange(stop - size, stop - length + 1) for part, size, stop in ends}
'''

WINDOWS = DataSource(
    "windows",
    "A series: a table with a row for each step. An input has the `n` steps before a step t, a target the `n` from t "
    "on, and what has no number the step t. Where the columns have another name, all that have none take them.",
    reader="series.in_windows",
    file="a series",
    ending="",
    form='windows(csv("file", z = columns), x = n, y = n)',
    plain=PLAIN,
    table=True,
    wraps="table",
)
