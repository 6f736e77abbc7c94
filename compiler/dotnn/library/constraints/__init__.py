"""Constraints: where the weights are put back to after every update."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.core.arguments import Arg, Attrs
from dotnn.core.registry import collect
from dotnn.ir.expr import Expr, constant, parse, spell, substitute


@dataclass(frozen=True)
class Constraint:
    """One constraint of a weight. `line` is one formula over `w` and the arguments, of the shape of `w`.

    `helper` names the function of `dotnn_runtime.script.constraints` that it calls, if any.
    """

    name: str
    doc: str
    equation: str
    line: str
    args: tuple[Arg, ...]
    source: str
    helper: str = ""

    def written(self, weight: str, attrs: Attrs, shape: tuple[int, ...]) -> str:
        """Return the line in NumPy for a weight of this name and shape, the arguments as constants."""
        values: dict[str, Expr | str] = {name: constant(value) for name, value in attrs.items()}
        return spell(substitute(parse(self.line), values | {"w": weight}), helpers=(self.helper,))


CONSTRAINTS: dict[str, Constraint] = collect(__name__, __path__, Constraint)
