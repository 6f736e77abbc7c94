"""Arrays that are written in the spec itself."""

from dotnn.library.sources.base import DataSource

INLINE = DataSource(
    "inline",
    "Arrays that are written in the spec, an entry for each example. `x = [[0, 1], [1, 0]]` and `y = [0, 1]` without "
    "it say the same.",
    reader="",
    file="a list in the spec",
    ending="",
    form="inline(x = [[0, 1], [1, 0]], y = [0, 1])",
    plain="np.array([{rows}])",
    wraps="rows",
)
