"""Gaps in a table: they are filled with a number, or their examples are left out."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, Arg
from dotnn.library.preparations.base import Preparation

PLAIN = {
    "fit_mean": '''
def fit_mean(values):
    """Return what gaps are filled with: the mean of the numbers that a feature has."""
    return {"fill": np.nanmean(values, axis=0)}
''',
    "fit_median": '''
def fit_median(values):
    """Return what gaps are filled with: the median of the numbers that a feature has."""
    return {"fill": np.nanmedian(values, axis=0)}
''',
    "fill_gaps": '''
def fill_gaps(values, s):
    """Return numbers without gaps: each is filled with what was fitted for its feature."""
    return np.where(np.isnan(values), s["fill"], values)
''',
}


def _statistic(name: str) -> Preparation:
    """Return the preparation that fills a gap with what `fit_<name>` finds for its feature."""
    return Preparation(
        name,
        f"A gap becomes the {name} of its feature.",
        "missing",
        gaps=True,
        fit=lambda attrs, shape: f"fit_{name}({{values}})",
        fitted=lambda attrs, shape: {"fill": shape},
        apply=lambda attrs, shape: "fill_gaps({values}, {s})",
        plain=PLAIN,
    )


MEAN = _statistic("mean")
MEDIAN = _statistic("median")
CONSTANT = Preparation(
    "constant",
    "A gap becomes the number that is given.",
    "missing",
    (Arg("value", NUMBER, doc="what a gap becomes"),),
    gaps=True,
    apply=lambda attrs, shape: f"np.nan_to_num({{values}}, nan={attrs['value']})",
)
DROP = Preparation(
    "drop",
    "Examples with a gap are left out of the training, and of the other parts; a prediction needs all numbers.",
    "missing",
    gaps=True,
    drops=True,
)
