"""Activations that a spec defines; the attribute `definition` says which, `values` are the numbers of its arguments."""

from __future__ import annotations

from dotnn.ir.algebra import LINEAR
from dotnn.ir.expr import Binary, Expr, Name
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, same_as_first


def _call(node: Node) -> Expr:
    call: Expr = node.attrs["definition"].call(node.attrs["values"])
    return call


def _slope_call(node: Node) -> Expr:
    call: Expr = node.attrs["definition"].slope_call(node.attrs["values"])
    return Binary("*", Name("d"), call)


def _vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
    if not node.attrs["definition"].has_slope():
        return [None]
    return [b.emit("defined_derivative", d, node.ins[0], **node.attrs)]


DEFINED = Op("defined", ("z",), same_as_first, _call, _vjp, elementwise=True)
DEFINED_DERIVATIVE = Op("defined_derivative", ("d", "z"), same_as_first, _slope_call, elementwise=True, algebra=LINEAR)
