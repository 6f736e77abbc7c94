"""What has no rule for Keras, written from the formulas of its ops: TensorFlow differentiates them by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import count

from dotnn.codegen import paste
from dotnn.codegen.printer import docstring
from dotnn.core.diagnostics import CompileError, Diagnostic, Span
from dotnn.ir.builder import GraphBuilder
from dotnn.ir.definition import Definition
from dotnn.ir.expr import DIALECTS, Expr, Unspellable, parse, spell, substitute
from dotnn.ir.expr.stable import stable
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Op, no_gradient
from dotnn.library.layers.base import Attrs, Layer, Lowering, Types
from dotnn.library.ops import OPS
from dotnn.model.model import Model

OWN: paste.Packages = ("dotnn_runtime.keras",)
PACKAGES: paste.Packages = (*paste.SCRIPT, *OWN)
"""Whose functions are pasted: those for Keras stand for those of their names for NumPy."""
TENSORFLOW = DIALECTS["tensorflow"]
OPERAND = "z"


def numbered(name: str) -> Iterator[str]:
    """Yield `name`, `name_2`, `name_3`, …"""
    yield name
    yield from (f"{name}_{number}" for number in count(2))


def class_name(name: str) -> str:
    """Return `MaxNorm` for `max_norm`."""
    return "".join(part.capitalize() for part in name.split("_"))


def refusal(model: Model, span: Span | None, message: str, help: str = "use --target numpy") -> CompileError:
    """Return the error for what cannot be written, with its line in the spec."""
    return CompileError([Diagnostic("NN507", message, span, help=help)], model.source)


def written(node: Node, formula: str = "") -> str:
    """Return the line of a node, or another formula over its operands, in TensorFlow. Raises `Unspellable`."""
    return node.rule.written(node, lambda value: value.name, TENSORFLOW, _line(node, formula), _helpers(node.rule))


def read_by(node: Node, formula: str = "") -> tuple[Value, ...]:
    """Return the operands that the line of a node reads, or another formula over them."""
    return node.rule.read_by(node, _line(node, formula))


def _line(node: Node, formula: str) -> str | Expr:
    definition: Definition | None = node.attrs.get("definition")
    return formula if definition is None else definition.filled(node.attrs["values"])


def spelt(loss: Op) -> str:
    """Return what a loss sums, over the operands and attributes by their names. Raises `Unspellable`."""
    if loss.term is None:
        raise Unspellable(f"{loss.name} has no rule for TensorFlow")
    return spell(parse(loss.term.formula), TENSORFLOW, _helpers(loss))


def _helpers(op: Op) -> set[str]:
    """Return the functions that an op's formula may call besides those of TensorFlow."""
    return {name for name in op.helpers if name in paste.library(OWN) and not TENSORFLOW.has(name)}


def function(layer: Layer, name: str, types: Types, attrs: Attrs) -> str:
    """Return the definition of a function that computes a layer without parameters. Raises `Unspellable`."""
    if layer.params(types, attrs):
        raise Unspellable("it has no counterpart in Keras")
    builder = GraphBuilder(OPS)
    names = [OPERAND] if len(types) == 1 else [f"x{i}" for i in range(len(types))]
    operands = tuple(builder.value(name, type) for name, type in zip(names, types, strict=True))
    result = layer.lower(builder, Lowering(operands, {}, attrs))
    lines = [f"    {node.out.name} = {line_of(node)}" for node in _named(builder.nodes, result)]
    formula = attrs.get("formula")
    written = f"{substitute(formula, {'x0': names[0]})}" if isinstance(formula, Expr) else ""
    said = written or layer.equation or layer.doc.rstrip(".")
    return "\n".join(
        [
            '@keras.saving.register_keras_serializable("dotnn")',
            f"def {name}({', '.join(names)}):",
            *docstring(f"{said}."),
            *lines[:-1],
            f"    return {lines[-1].partition(' = ')[2]}",
        ]
    )


def _named(nodes: list[Node], result: Value) -> list[Node]:
    """Return nodes whose last one makes the result."""
    if not nodes or nodes[-1].out.id != result.id:
        raise Unspellable("it has no counterpart in Keras")
    return nodes


def line_of(node: Node) -> str:
    """Return the line of a node that TensorFlow may differentiate and that is the same in both modes."""
    op = node.rule
    if node.loop is not None or op.random or op.inference or op.vjp is no_gradient:
        raise Unspellable(f"there is no formula of {op.name} that TensorFlow could differentiate")
    formula = node.attrs.get("formula")
    if isinstance(formula, Expr):
        node = replace(node, attrs={**node.attrs, "formula": stable(formula)})
    return written(node)
