"""Losses that a spec defines: `loss quantile(y, t, q = 0.9) = mean(max(q * (t - y), (q - 1) * (t - y)))`."""

from __future__ import annotations

from dataclasses import dataclass, field

from dotnn.library.losses import LOSSES, Loss
from dotnn.library.losses.base import reduce_arg
from dotnn.model.definitions.base import DefinitionKind, Definitions
from dotnn.model.definitions.whole import Formula, check_slope, formula_of, said
from dotnn.syntax import nodes

REDUCE = reduce_arg("mean")


@dataclass(frozen=True)
class DefinedLoss(Loss):
    """A loss with a formula, which is read again with the shapes of what each use gives it."""

    formula: Formula = field(kw_only=True)


def _read(section: nodes.Definition, known: Definitions) -> DefinedLoss:
    formula = formula_of(section, known, taken=(REDUCE.name,), kinds=("class",))
    check_slope(formula, section.params)
    doc = known.documentation(section).text
    return DefinedLoss(formula.name, doc, "", args=(*formula.args, REDUCE), equation=said(formula), formula=formula)


LOSS = DefinitionKind("loss", _read, ("loss",), LOSSES, "loss = {name}(y, t)")
