"""Fast NumPy for formulas: what is an op's line, a spec's expression, or the body of a definition, call by call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from dotnn.ir.expr import Binary, Expr, Method, Name, parse, reads, spell
from dotnn.ir.expr.common import common_parts
from dotnn.ir.expr.derive import sent
from dotnn.ir.node import Node, Value
from dotnn.targets.numpy.fast.formula import FormulaWriter, can_be_written, is_mask, read_late
from dotnn.targets.numpy.fast.kernels.base import Kernel, Step
from dotnn.targets.numpy.fast.kernels.pieces import FUNCTIONS, per_feature

SMALL_NUMBERS = {"0": "zero", "1": "one", "-1": "minus_one"}


def formula_of(node: Node) -> Expr | None:
    """Return the formula of a node, of numbers alone, that can be written call by call; None where it has none.

    That of a definition is its body, or its slope times what comes from behind, unless that is zero.
    """
    if "definition" in node.attrs and "values" in node.attrs:
        definition, values = node.attrs["definition"], node.attrs["values"]
        slope = len(node.ins) == 2
        found: Expr | None = sent(Name("d"), definition.slope_filled(values)) if slope else definition.filled(values)
    else:
        found = node.rule.formula(node) if node.rule.numpy and not node.rule.inference else None
    whole = found.operand if isinstance(found, Method) and "formula" in node.attrs else found
    real = all(v.type.dtype == "real" for v in (*node.ins, *node.outs))
    if not real or whole is None or isinstance(found, Name):
        return None
    of_operands = set(reads(whole))
    return found if set() < of_operands <= {*node.rule.names(len(node.ins))} and can_be_written(whole) else None


def shorter(name: str, formula: str) -> Kernel:
    """Return the kernel of an op whose numbers this formula has in fewer passes than the op's own."""
    tree = parse(formula)

    def write(e: Step, node: Node) -> bool:
        _write(e, node, tree)
        return True

    return Kernel(name, write, over=lambda node: _read_first(node, tree))


def _write(e: Step, node: Node, formula: Expr) -> None:
    """Write a formula into the array of a node's result, which may be that of operands that are overwritten."""
    writer = replace(_writer(e, node, node.out), shared=[node.ins[i].name for i in _read_first(node, formula)])
    writer.write(_common(writer, formula), e.out(node.out))


def write_formula(e: Step, node: Node) -> bool:
    """Write a formula; one that is summed over axes is summed in the end."""
    formula = formula_of(node)
    if formula is None or not node.out.type.shape:  # a number has no array to be written into, unless it is a gradient
        return False
    if not isinstance(formula, Method):
        if not _by_slope(e, node, formula):
            _write(e, node, formula)
        return True
    (largest, *_), axes = node.ins, node.attrs["axes"]
    writer = _writer(e, node, largest)
    whole = writer.operand(_common(writer, formula.operand))
    over = _behind(axes, len(largest.type.shape)) if largest.type.batched else axes
    where = over[0] if len(over) == 1 else over
    kept = ", True" if node.op == "expression_derivative" else ""
    e.run(f"add.reduce({whole}, {where}, None, {e.out(node.out)}{kept})")
    return True


def _by_slope(e: Step, node: Node, formula: Expr) -> bool:
    """Write a cotangent times a slope that is there for all steps of a loop already; return whether that is so."""
    slope, names = _slope(formula), dict(zip(node.rule.names(len(node.ins)), node.ins, strict=True))
    read = [] if slope is None else reads(slope)
    if slope is None or len(read) != 1:
        return False

    def write(array: str, target: str, dims: Sequence[int | str]) -> list[str]:
        lines: list[str] = []

        def scratch(dtype: str, number: int) -> str:
            return e.scratch(_scratch(dtype, number), *dims, dtype=dtype)

        FormulaWriter({read[0]: array}, lines.append, partial(_number, e), scratch, _word).write(slope, target)
        return lines

    found = e.slope(names[read[0]], slope, write, "bool" if is_mask(slope) else "dtype")
    if found:
        e.run(f"multiply({names['d'].name}, {found}, {e.out(node.out)})")
    return bool(found)


def _slope(formula: Expr) -> Expr | None:
    """Return what `d` is multiplied by, where a formula is such a product."""
    match formula:
        case Binary("*", Name("d"), slope):
            return slope
        case Binary("*", first, second):
            inner = _slope(first)
            return None if inner is None else Binary("*", inner, second)
    return None


def _writer(e: Step, node: Node, shape: Value) -> FormulaWriter:
    """Return what writes formulas of a node into arrays of a value's shape."""

    def scratch(dtype: str, number: int) -> str:
        return e.scratch_like(_scratch(dtype, number), shape, dtype=dtype)

    def filled(expr: Expr) -> str:
        return e.scratch_like(f"all_{_number(e, expr)}", shape, start=spell(expr))

    return FormulaWriter(_names(e, node), e.run, partial(_number, e), scratch, _word, filled=filled)


def _common(writer: FormulaWriter, formula: Expr) -> Expr:
    """Write what a formula computes several times, and return it with names for that."""
    parts, formula = common_parts(formula)
    for name, part in parts:
        writer.names[name] = writer.operand(part)
    return formula


def _number(e: Step, expr: Expr) -> str:
    """Return the name of a number, or of an expression of numbers."""
    text = spell(expr)
    word = "".join(c if c.isalnum() else "_" for c in text)
    return e.number(SMALL_NUMBERS.get(text, f"number_{word}" if len(word) < 12 else "number"), text)


def _scratch(dtype: str, number: int) -> str:
    return f"{'mask' if dtype == 'bool' else 'part'}{number}"


def _word(function: str) -> str:
    return function if function in FUNCTIONS else f"np.{function}"


def _names(e: Step, node: Node) -> dict[str, str]:
    """Return what the operands are called: parameters, which meet the last axes of an example, as columns."""
    meets = any(v.type.batched for v in node.ins)  # a penalty is of parameters alone
    found = [_column(e, v) if meets and not v.type.batched else v.name for v in node.ins]
    return dict(zip(node.rule.names(len(node.ins)), found, strict=True))


def _column(e: Step, value: Value) -> str:
    if len(value.type.shape) == 1:
        return per_feature(e, value.name)
    return e.bind(f"{value.name}_column", f"{value.name}[..., None]") if value.type.shape else value.name


def _behind(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """Return axes where the batch is the last: axis k of an example is axis k - 1."""
    return tuple(axis - 1 if axis else rank - 1 for axis in axes)


def over(node: Node) -> Sequence[int]:
    """Return the operands whose array a node may be written into that has no kernel of its own."""
    formula = formula_of(node)
    if formula is None:  # its line has been computed when it is copied
        return range(len(node.ins)) if node.rule.elementwise else ()
    return () if isinstance(formula, Method) else _read_first(node, formula)


def _read_first(node: Node, formula: Expr) -> Sequence[int]:
    """Return the operands that have been read when a formula writes the first of its numbers into the result."""
    late = read_late(formula)
    read = enumerate(zip(node.rule.names(len(node.ins)), node.ins, strict=True))
    return [i for i, (name, v) in read if v.type == node.out.type and name not in late]


EXPRESSION = Kernel("expression", write_formula, write_formula, over)
EXPRESSION_DERIVATIVE = Kernel("expression_derivative", write_formula, write_formula, over)
PARAMETER_DERIVATIVE = Kernel("parameter_derivative", write_formula, write_formula, over)
