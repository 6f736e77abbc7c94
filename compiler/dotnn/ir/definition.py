"""A function that a spec defines: its body as a tree, its slope by differentiation, and both as text of a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from dotnn.core.diagnostics import Span
from dotnn.ir.expr import DIALECTS, Call, Expr, Name, Number, calls, constant, reads, spell, substitute
from dotnn.ir.expr.common import common_parts

OPERAND = "z"
HELPERS = ("sigmoid", "softplus", "erf")
"""Functions of a formula that NumPy has not."""


@dataclass(frozen=True)
class Written:
    """A function of a script: what it computes on the way, by name, and what it returns.

    `steps` is how many axes the values have that a metric is the mean of, beside that of the examples.
    """

    name: str
    arguments: tuple[str, ...]
    doc: str
    assignments: tuple[tuple[str, str], ...]
    result: str
    steps: int = 0

    def __str__(self) -> str:
        lines = [f"    {name} = {value}" for name, value in self.assignments]
        return "\n".join([f"def {self.name}({', '.join(self.arguments)}):", *lines, f"    return {self.result}"])


@dataclass(frozen=True)
class Definition:
    """`name(z, params) = body`; the operand is called z, whatever the spec calls it, and `said` is what it says."""

    name: str
    params: tuple[str, ...]
    body: Expr
    said: str
    span: Span

    @property
    def slope_name(self) -> str:
        """What the function of the derivative is called."""
        return f"{self.name}_slope"

    def __str__(self) -> str:
        return self.said

    def filled(self, values: Sequence[float]) -> Expr:
        """Return the body with numbers for the parameters."""
        return self._with(self.body, values)

    def slope_filled(self, values: Sequence[float]) -> Expr:
        """Return the derivative by z with numbers for the parameters."""
        return self._with(self.slope, values)

    def _with(self, expr: Expr, values: Sequence[float]) -> Expr:
        from dotnn.ir.expr.simplify import without_units

        return without_units(substitute(expr, dict(zip(self.params, map(constant, values), strict=True))))

    @cached_property
    def slope(self) -> Expr:
        """The derivative by z. Raises `NoDerivative`."""
        from dotnn.ir.expr.derive import derive  # only where it is needed: compiling starts faster without it

        return derive(self.body, OPERAND)

    def has_slope(self) -> bool:
        """Whether anything is sent back: not through a function that is flat wherever it is smooth."""
        return self.slope != Number(0)

    def call(self, values: Sequence[float]) -> Expr:
        """Return the call of the function."""
        return Call(self.name, (Name(OPERAND), *map(constant, values)))

    def slope_call(self, values: Sequence[float]) -> Expr:
        """Return the call of the derivative."""
        return Call(self.slope_name, (Name(OPERAND), *map(constant, values)))

    def helpers(self) -> tuple[str, ...]:
        """Return the functions of ours that the text of both calls."""
        found = {*calls(self.body), *calls(self.slope)}
        return tuple(h for h in HELPERS if h in found)

    def sources(self) -> dict[str, Written]:
        """Return both functions by their names; the forward one runs on complex numbers, too."""
        from dotnn.ir.expr.derive import in_arrays

        doc = f"The derivative of {self.name} by {OPERAND}."
        return {
            self.name: self._function(self.name, self.said, self.body, "analytic"),
            self.slope_name: self._function(self.slope_name, doc, in_arrays(self.slope, self.params), "numpy"),
        }

    def _function(self, name: str, doc: str, body: Expr, dialect: str) -> Written:
        numbers = {*self.params}

        def text(expr: Expr) -> str:
            return spell(expr, DIALECTS[dialect], HELPERS, numbers)

        parts, body = common_parts(body)
        named = []
        for part, expr in parts:
            named.append((part, text(expr)))
            if numbers.issuperset(reads(expr)):  # NumPy's choice between numbers would be an array of another precision
                numbers.add(part)
        return Written(name, (OPERAND, *self.params), doc, tuple(named), text(body))
