"""The logarithm, for numbers that spread over orders of magnitude, such as prices."""

from __future__ import annotations

from dotnn.core.arguments import NUMBER, Arg, Attrs
from dotnn.library.preparations.base import Preparation, Shape


def _apply(attrs: Attrs, shape: Shape) -> str:
    return f"np.log({{values}} + {attrs['plus']})" if attrs["plus"] else "np.log({values})"


def _undo(attrs: Attrs, shape: Shape) -> str:
    return "np.exp({values})" + (f" - {attrs['plus']}" if attrs["plus"] else "")


LOG = Preparation(
    "log",
    "The natural logarithm, `log(t)`, or that of the numbers with something added, `log(t, plus = 1)`.",
    "scale",
    (Arg("plus", NUMBER, 0.0, "what is added before; the sum must be positive"),),
    raw=lambda attrs, shape: f"above:{0.0 - attrs['plus']}",
    apply=_apply,
    undo=_undo,
)
