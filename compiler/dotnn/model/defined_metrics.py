"""The functions of metrics that a spec defines, as text of a script: NumPy alone, whatever the target."""

from __future__ import annotations

from dotnn.ir import expr as tree
from dotnn.ir.expr import Binary, Call, Expr, Number
from dotnn.ir.expr.common import common_parts
from dotnn.ir.expr.derive import in_arrays
from dotnn.library.ops.whole import reduced
from dotnn.model.definitions.base import safe
from dotnn.model.definitions.metric import DefinedMetric


def function(metric: DefinedMetric, name: str, formula: Expr) -> str:
    """Return the function that computes the mean of a metric over the examples. Raises `Unspellable`."""
    names = ", ".join(safe(p.name.id) for p in metric.formula.operands)
    parts, body = common_parts(in_numpy(in_arrays(formula)))
    lines = [f"    {part} = {tree.spell(expr)}" for part, expr in parts]
    doc = f'    """Return the mean over the examples of {metric.equation}."""'
    return "\n".join([f"def {name}({names}):", doc, *lines, f"    return float(np.mean({tree.spell(body)}))"])


def in_numpy(expr: Expr) -> Expr:
    """Return the same without the functions that NumPy has not, as exactly."""
    expr = tree.map_children(expr, in_numpy)
    match expr:
        case Call("sigmoid", (x,)):  # which tanh never overflows for
            half = Binary("/", x, Number(2))
            return Binary("/", Binary("+", Number(1), Call("tanh", (half,))), Number(2))
        case Call("softplus", (x,)):
            return Call("logaddexp", (Number(0), x))
        case Call("logsumexp", (x, Number(axis))):
            largest = reduced(x, "max", (int(axis),))
            inner = reduced(Call("exp", (Binary("-", x, largest),)), "sum", (int(axis),))
            return Binary("+", largest, Call("log", (inner,)))
        case Call("softmax", (x,)):
            powers = Call("exp", (Binary("-", x, reduced(x, "max", (-1,))),))
            return Binary("/", powers, reduced(powers, "sum", (-1,)))
    return expr
