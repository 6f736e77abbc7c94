"""Penalties and constraints that a spec defines: formulas of a whole parameter, whatever its rank.

`penalty group(w, s) = s * sum(sqrt(sum(w^2, axis = 0)))`; a reduction without an axis takes all of the array.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dotnn.core.arguments import Attrs
from dotnn.core.diagnostics import Span
from dotnn.ir import expr as tree
from dotnn.ir.definition import HELPERS
from dotnn.ir.expr import Expr
from dotnn.ir.expr.derive import in_arrays
from dotnn.library.constraints import CONSTRAINTS, Constraint
from dotnn.library.ops import whole
from dotnn.library.penalties import PENALTIES, Penalty
from dotnn.model import messages
from dotnn.model.definitions.base import DefinitionKind, Definitions
from dotnn.model.definitions.whole import Formula, Operands, check_slope, formula_of, said, used_in
from dotnn.model.formulas import Part, shape_or_number
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes

WEIGHT = "w"
"""What the formula calls its parameter, whatever the spec calls it."""
Shape = tuple[int, ...]


def _of(formula: Formula, shape: Shape, attrs: Attrs, span: Span) -> Part:
    """Return what a formula computes of a parameter of this shape. Raises `Fail`."""
    (operand,) = formula.operands
    parts = {operand.name.id: Part(tree.Name(WEIGHT), operand.span, shape)}
    parts |= {p.name.id: Part(tree.number(attrs[p.name.id]), p.span) for p in formula.numbers}
    origins = {WEIGHT: f"{operand.name.id}: [{', '.join(map(str, shape))}]"}
    with used_in(formula, span):
        return formula.read(Operands(parts, {}, origins))


@dataclass(frozen=True)
class DefinedPenalty(Penalty):
    """A penalty with a formula."""

    formula: Formula = field(kw_only=True)

    def of(self, shape: Shape, attrs: Attrs, span: Span) -> Expr:
        """Return the formula for a parameter w of this shape: one number. Raises `Fail`."""
        part = _of(self.formula, shape, attrs, span)
        if part.shape is None or any(size != 1 for size in part.shape):
            with used_in(self.formula, span):
                where, origin = self.formula.section.value.span, f"w: [{', '.join(map(str, shape))}]"
                found = shape_or_number(part)
                raise Fail(messages.definitions.several_numbers(where, "penalty", self.name, found, origin))
        return part.tree


@dataclass(frozen=True)
class DefinedConstraint(Constraint):
    """A constraint with a formula."""

    formula: Formula = field(kw_only=True)

    def of(self, shape: Shape, attrs: Attrs, span: Span) -> Expr:
        """Return the formula for a weight w of this shape, of the same shape. Raises `Fail`."""
        part = _of(self.formula, shape, attrs, span)
        if part.shape != shape:
            with used_in(self.formula, span):
                wanted = f"[{', '.join(map(str, shape))}]"
                where, found = self.formula.section.value.span, shape_or_number(part)
                raise Fail(messages.definitions.other_shape(where, self.name, found, wanted))
        return part.tree

    def written(self, weight: str, attrs: Attrs, shape: Shape) -> str:
        """Return the line in NumPy for a weight of this name and shape."""
        formula = whole.in_numpy(in_arrays(self.of(shape, attrs, self.formula.section.span)))
        return tree.spell(tree.substitute(formula, {WEIGHT: weight}), helpers=HELPERS)


def _penalty(section: nodes.Definition, known: Definitions) -> DefinedPenalty:
    formula = formula_of(section, known, batched=False)
    check_slope(formula, formula.operands)
    doc = known.documentation(section).text
    return DefinedPenalty(formula.name, doc, "total_of_examples", formula.args, formula=formula)


def _constraint(section: nodes.Definition, known: Definitions) -> DefinedConstraint:
    formula = formula_of(section, known, batched=False)
    formula.read(formula.unread(), shapes=False)
    doc, source = known.documentation(section)
    return DefinedConstraint(formula.name, doc, f"w = {said(formula)}", "", formula.args, source, formula=formula)


PENALTY = DefinitionKind("penalty", _penalty, ("penalty", "decay"), PENALTIES, "x -> dense(8, penalty = {name}(0.01))")
CONSTRAINT = DefinitionKind("constraint", _constraint, ("constraint",), CONSTRAINTS, "train {{ constraint = {name} }}")
