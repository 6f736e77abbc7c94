"""The type of a formula from the types of its names: its shape, and what kind of numbers it holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

from dotnn.ir.expr.functions import FUNCTIONS
from dotnn.ir.expr.shapes import NoType, product, reduced, reshaped, together, typed
from dotnn.ir.expr.tree import (
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Expr,
    Index,
    Keyword,
    Literal,
    Method,
    Name,
    Number,
    Sequence,
    Slice,
    Unary,
)
from dotnn.ir.tensor import Dim, TensorType

MASKS = ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not")
REDUCTIONS = ("sum", "mean", "max", "min")


def infer(expr: Expr, types: Mapping[str, TensorType]) -> TensorType:
    """Return the type of an expression. Raises `NoType`."""
    match expr:
        case Name(id) if id in types:
            return types[id]
        case Number(value):
            return TensorType((), "int" if isinstance(value, int) else "real")
        case Bracketed(inner):
            return infer(inner, types)
        case Unary(op, operand):
            return _result_of(op, infer(operand, types))
        case Binary("@", left, right):
            return product(infer(left, types), infer(right, types))
        case Binary(op, left, right):
            return _result_of(op, together(infer(left, types), infer(right, types)))
        case Choice(_, yes, no):
            return together(infer(yes, types), infer(no, types))
    return _of_part_or_call(expr, types)


def _result_of(op: str, operands: TensorType) -> TensorType:
    """Return the type of an elementwise operator's result."""
    if op in MASKS:
        return typed(operands, "bool")
    return typed(operands, "real") if op == "/" else operands


def _of_part_or_call(expr: Expr, types: Mapping[str, TensorType]) -> TensorType:
    """Return the type of what stands behind a dot, an index or a function's name. Raises `NoType`."""
    match expr:
        case Attribute(operand, "T"):
            shape = infer(operand, types).shape
            return TensorType((*shape[:-2], *shape[:-3:-1]))
        case Index(operand, items):
            return _indexed(infer(operand, types), items)
        case Method(operand, name, args):
            return _method(infer(operand, types), name, args)
        case Call(name, args):
            return _call(name, args, types)
    raise NoType(f"a {type(expr).__name__.lower()} has no shape")


def _indexed(x: TensorType, items: tuple[Expr, ...]) -> TensorType:
    shape: list[Dim] = []
    given = len([i for i in items if i not in (Literal(None), Literal(...))])
    left = list(x.shape)
    if given > len(left):
        raise NoType(f"{x} has no {given} axes to index")
    for item in items:
        if item == Literal(None):
            shape.append(1)
        elif item == Literal(...):
            skipped = len(left) - given
            shape, left = [*shape, *left[:skipped]], left[skipped:]
        else:
            given -= 1
            shape += _part(left.pop(0), item)
    return TensorType((*shape, *left), x.dtype)


def _part(size: Dim, item: Expr) -> list[Dim]:
    """Return what an index leaves of an axis: nothing of it for a number, a part for a slice."""
    match item:
        case Slice(None, None):
            return [size]
        case Slice(start, stop) if isinstance(size, int):
            return [len(range(*slice(_whole(start), _whole(stop)).indices(size)))]
        case Number() | Unary("-", Number()) if isinstance(size, int) and -size <= (_whole(item) or 0) < size:
            return []
    raise NoType(f"an index into an axis of {size} must be a number of it, or a slice between numbers")


def _whole(expr: Expr | None) -> int | None:
    match expr:
        case None:
            return None
        case Number(value) if isinstance(value, int):
            return value
        case Unary("-", Number(value)) if isinstance(value, int):
            return -value
    raise NoType("an axis, a size or an index must be a whole number")


def _whole_all(expr: Expr) -> list[int]:
    items = expr.items if isinstance(expr, Sequence) else (expr,)
    return [n for item in items if (n := _whole(item)) is not None]


def _keywords(args: tuple[Expr, ...]) -> dict[str, Expr]:
    return {a.name: a.value for a in args if isinstance(a, Keyword)}


def _method(x: TensorType, name: str, args: tuple[Expr, ...]) -> TensorType:
    if name in REDUCTIONS:
        keywords = _keywords(args)
        axes = _whole_all(keywords["axis"]) if "axis" in keywords else range(len(x.shape))
        found = reduced(x, axes, kept=keywords.get("keepdims") == Literal(True))
        return typed(found, "real") if name == "mean" else found
    if name == "reshape":
        sizes = args[0].items if len(args) == 1 and isinstance(args[0], Sequence) else args
        return reshaped(x, [n for size in sizes if (n := _whole(size)) is not None])
    if name == "astype":
        return typed(x, "real")
    raise NoType(f"the method {name} has no type here")


def _call(name: str, args: tuple[Expr, ...], types: Mapping[str, TensorType]) -> TensorType:
    if name in SHAPES:
        return SHAPES[name](args, types)
    if name not in FUNCTIONS or not FUNCTIONS[name].elementwise:
        raise NoType(f"{name} has no type here")
    operands = [infer(a, types) for a in args if not isinstance(a, Keyword)]
    if name == "where":
        values = together(operands[1], operands[2])
        return typed(together(operands[0], values), values.dtype)
    return typed(reduce(together, operands, TensorType(())), "real")


def _einsum(args: tuple[Expr, ...], types: Mapping[str, TensorType]) -> TensorType:
    match args:
        case (Literal(str(text)), *operands):
            letters, _, result = text.partition("->")
        case _:
            raise NoType("einsum needs its equation first")
    sizes: dict[str, Dim] = {}
    for word, operand in zip(letters.split(","), operands, strict=True):
        for letter, size in zip(word, infer(operand, types).shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise NoType(f"einsum {text}: {letter} is {sizes[letter]} and {size}")
    return TensorType(tuple(sizes[letter] for letter in result))


def _concatenated(args: tuple[Expr, ...], types: Mapping[str, TensorType]) -> TensorType:
    parts = [infer(part, types) for part in args[0].items] if isinstance(args[0], Sequence) else []
    axis = _whole(_keywords(args).get("axis", Number(0))) or 0
    others = {_other_axes(p.shape, axis) for p in parts}
    lengths = [n for p in parts if isinstance(n := p.shape[axis], int)]
    if len(others) != 1 or len(lengths) < len(parts):
        raise NoType(f"{', '.join(map(str, parts))} cannot be put together along axis {axis}")
    shape = list(parts[0].shape)
    shape[axis] = sum(lengths)
    return TensorType(tuple(shape), parts[0].dtype)


def _other_axes(shape: tuple[Dim, ...], axis: int) -> tuple[Dim, ...]:
    return tuple(size for i, size in enumerate(shape) if i != axis % len(shape))


def _repeated(args: tuple[Expr, ...], types: Mapping[str, TensorType]) -> TensorType:
    found, times = infer(args[0], types), _whole(args[1]) or 1
    axis = _whole(_keywords(args).get("axis", Number(0))) or 0
    size = found.shape[axis]
    if not isinstance(size, int):
        raise NoType("a batch is not repeated")
    shape = list(found.shape)
    shape[axis] = size * times
    return TensorType(tuple(shape), found.dtype)


SHAPES: dict[str, Callable[[tuple[Expr, ...], Mapping[str, TensorType]], TensorType]] = {
    "einsum": _einsum,
    "concatenate": _concatenated,
    "repeat": _repeated,
    "zeros_like": lambda args, types: infer(args[0], types),
    "len": lambda args, types: TensorType((), "int"),
}
"""Functions of whole arrays whose results have a shape here."""
