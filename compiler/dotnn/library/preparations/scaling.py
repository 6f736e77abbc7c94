"""Affine scalings, `(values - shift) * scale`, fitted on the training part, or a division; undone on prediction."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, Arg, Attrs, Kind, all_of, number
from dotnn.library.preparations.base import PER, Fitted, Preparation, Shape, by_feature, features

PLAIN = {
    "fit_standard": '''
def fit_standard(values):
    """Return the shift and scale to mean 0 and deviation 1; a constant feature is only shifted."""
    constant = values.max(axis=0) == values.min(axis=0)
    shift = np.where(constant, values[0], values.mean(axis=0))
    return {"shift": shift, "scale": 1 / np.where(constant, 1, values.std(axis=0))}
''',
    "fit_range": '''
def fit_range(values, low, high):
    """Return the shift and scale to the range from `low` to `high`; a constant feature is only shifted."""
    least, most = values.min(axis=0), values.max(axis=0)
    scale = (high - low) / np.where(most > least, most - least, 1)
    return {"shift": least - low / scale, "scale": scale}
''',
    "given_range": '''
def given_range(least, most, low, high):
    """Return the shift and scale that take `least` to `low` and `most` to `high`."""
    scale = (high - low) / (np.array(most) - least)
    return {"shift": least - low / scale, "scale": scale}
''',
    "scaled": '''
def scaled(values, s):
    """Return raw numbers scaled."""
    return (values - s["shift"]) * s["scale"]
''',
    "undo_scaling": '''
def undo_scaling(values, s):
    """Return scaled numbers in their own units."""
    return values / s["scale"] + s["shift"]
''',
}


def _one_or_more(value: object) -> float | tuple[float, ...] | None:
    return NUMBER.accept(value) if not isinstance(value, list) else all_of(NUMBER, value) or None


BOUND: Kind[float | tuple[float, ...]] = Kind("a number, or a list of them such as [0, 10]", _one_or_more)
"""One number for all features, or one for each."""


def _fitted(attrs: Attrs, shape: Shape) -> Fitted:
    return {"shift": features(attrs, shape), "scale": features(attrs, shape)}


def _range(attrs: Attrs, shape: Shape) -> str:
    values, low, high = by_feature(attrs, shape), attrs["low"], attrs["high"]
    least, most = attrs["min"], attrs["max"]
    if least is None and most is None:
        return f"fit_range({values}, {low}, {high})"
    first = f"{values}.min(axis=0)" if least is None else _each(least, features(attrs, shape))
    last = f"{values}.max(axis=0)" if most is None else _each(most, features(attrs, shape))
    return f"given_range({first}, {last}, {low}, {high})"


def _each(bound: float | tuple[float, ...], shape: Shape) -> str:
    """Return a bound as an array of the features' shape."""
    return f"np.array({list(bound)})" if isinstance(bound, tuple) else f"np.full({_extent(shape)}, {float(bound)})"


def _extent(shape: Shape) -> str:
    return str(shape[0]) if len(shape) == 1 else str(tuple(shape))


def _apply(attrs: Attrs, shape: Shape) -> str:
    return "scaled({values}, {s})"


def _undo(attrs: Attrs, shape: Shape) -> str:
    return "undo_scaling({values}, {s})"


RANGE = Preparation(
    "range",
    "The smallest number of each feature goes to `low`, the largest to `high`.",
    "scale",
    (
        Arg("low", NUMBER, 0.0, "where the minimum goes"),
        Arg("high", NUMBER, 1.0, "where the maximum goes"),
        Arg("min", BOUND, None, "the minimum, of all features or of each; default: that of the training part"),
        Arg("max", BOUND, None, "the maximum; default: that of the training part"),
        PER,
    ),
    fit=_range,
    fitted=_fitted,
    apply=_apply,
    undo=_undo,
    plain=PLAIN,
)
STANDARD = Preparation(
    "standard",
    "Each feature gets the mean 0 and the standard deviation 1.",
    "scale",
    (PER,),
    fit=lambda attrs, shape: f"fit_standard({by_feature(attrs, shape)})",
    fitted=_fitted,
    apply=_apply,
    undo=_undo,
    plain=PLAIN,
)
DIVIDE = Preparation(
    "divide",
    "All numbers are divided by the same one.",
    "scale",
    (Arg("by", number("a number other than 0", lambda v: v != 0), doc="the divisor"),),
    apply=lambda attrs, shape: f"{{operand}} / {attrs['by']}",
    undo=lambda attrs, shape: f"np.asarray({{values}}, float) * {attrs['by']}",
    divisor=lambda attrs: attrs["by"],
)
