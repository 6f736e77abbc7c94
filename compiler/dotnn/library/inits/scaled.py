"""Initialisers whose variance follows the sizes of the layer, so that signals keep theirs (K Eq. 59-70)."""

from __future__ import annotations

from collections.abc import Callable

from dotnn.core.arguments import Arg, Attrs, choice
from dotnn.library.inits.base import Init


def _draw(variance: str) -> Callable[[Attrs], str]:
    """Return the template of a draw with the given variance: a uniform one reaches to sqrt(3 variance)."""

    def template(attrs: Attrs) -> str:
        if attrs["distribution"] == "normal":
            return f"rng.normal(0, np.sqrt({variance}), {{shape}})"
        if attrs["distribution"] == "truncated":
            return f"truncated_normal(rng, {{shape}}) * np.sqrt({variance})"
        return f"rng.uniform(-1, 1, {{shape}}) * np.sqrt(3 * {variance})"

    return template


def _distribution(default: str) -> Arg:
    return Arg(
        "distribution",
        choice("uniform", "normal", "truncated"),
        default,
        "uniform on ±sqrt(3 var), normal, or normal without what lies beyond two sigma",
    )


XAVIER = Init(
    "xavier",
    "Variance 2 / (n_in + n_out) (Glorot and Bengio 2010).",
    _draw("2 / ({n_in} + {n_out})"),
    (_distribution("uniform"),),
    ("truncated_normal",),
)

XAVIER_IN = Init(
    "xavier_in",
    "Variance 1 / n_in, the simpler form of the same idea (LeCun et al. 1998).",
    _draw("1 / {n_in}"),
    (_distribution("uniform"),),
    ("truncated_normal",),
)

HE = Init(
    "he",
    "Variance 2 / n_in, for relu units (He et al. 2015).",
    _draw("2 / {n_in}"),
    (_distribution("normal"),),
    ("truncated_normal",),
)

ORTHOGONAL = Init(
    "orthogonal",
    "Orthonormal rows or columns (Saxe et al. 2014).",
    "orthogonal(rng, {shape})",
    helpers=("orthogonal",),
)

LSUV = Init(
    "lsuv",
    "Layer-sequential unit variance (Mishkin and Matas 2015): orthogonal, then, layer by layer, divided by the"
    " standard deviation of what the layer makes of the training examples. Weights inside of a recurrent or attention"
    " layer stay orthogonal.",
    "orthogonal(rng, {shape})",
    helpers=("orthogonal",),
    rescaled=True,
)
