"""The type of a formula from the types of its names: shapes, and what kind of numbers.

Two values meet element by element where their shapes are equal, where one is a single number, a parameter that fits the
last axes of the other, or has axes of length 1 that a reduction left. Nothing else broadcasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import reduce

from dotnn.ir.expr.functions import FUNCTIONS
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
from dotnn.ir.tensor import BATCH, Dim, TensorType

MASKS = ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not")
REDUCTIONS = ("sum", "mean", "max", "min")


class NoType(ValueError):
    """Shapes do not fit, or a formula does something whose result has no shape here; the message says which."""


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
            found = infer(operand, types)
            return _typed(found, "bool") if op == "not" else found
        case Binary("@", left, right):
            return _product(infer(left, types), infer(right, types))
        case Binary(op, left, right):
            found = together(infer(left, types), infer(right, types))
            return _typed(found, "bool") if op in MASKS else _typed(found, "real") if op == "/" else found
        case Choice(_, yes, no):
            return together(infer(yes, types), infer(no, types))
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


def together(left: TensorType, right: TensorType) -> TensorType:
    """Return the type of an elementwise result. Raises `NoType` where two shapes do not meet."""
    longer, shorter = (left, right) if len(left.shape) >= len(right.shape) else (right, left)
    lead = len(longer.shape) - len(shorter.shape)
    if shorter.batched and lead:
        raise NoType(f"{left} and {right} do not fit: their batches are different axes")
    pairs = list(zip(longer.shape[lead:], shorter.shape, strict=True))
    if any(a != b and 1 not in (a, b) for a, b in pairs):
        raise NoType(f"{left} and {right} do not fit")
    kind = max(left.dtype, right.dtype, key=["bool", "int", "real"].index)
    return TensorType((*longer.shape[:lead], *(b if a == 1 else a for a, b in pairs)), kind)


def _typed(found: TensorType, kind: str) -> TensorType:
    return TensorType(found.shape, kind)


def _product(x: TensorType, weight: TensorType) -> TensorType:
    """Return the type of x @ W: the last axis of x with the first of W, or a product for each of the leading axes."""
    if not x.shape or not weight.shape:
        raise NoType(f"{x} @ {weight}: a single number has no axis to multiply along")
    paired = min(len(x.shape), len(weight.shape)) >= 3
    inner = weight.shape[-2 if paired else 0]
    if x.shape[-1] != inner or (paired and x.shape[:-2] != weight.shape[:-2]):
        raise NoType(f"{x} @ {weight}: the shapes do not fit")
    return TensorType((*x.shape[:-1], *(weight.shape[-1:] if paired else weight.shape[1:])))


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
        return _reduced(x, name, _keywords(args))
    if name == "reshape":
        sizes = args[0].items if len(args) == 1 and isinstance(args[0], Sequence) else args
        return _reshaped(x, [n for size in sizes if (n := _whole(size)) is not None])
    if name == "astype":
        return _typed(x, "real")
    raise NoType(f"the method {name} has no type here")


def _reduced(x: TensorType, name: str, keywords: Mapping[str, Expr]) -> TensorType:
    """Return the type of a sum, a mean, … over axes: all of them where none is named."""
    rank = len(x.shape)
    axes = _whole_all(keywords["axis"]) if "axis" in keywords else list(range(rank))
    if not all(-rank <= a < rank for a in axes):
        raise NoType(f"{x} has no axis {axes}")
    gone = {a % rank for a in axes}
    kept = keywords.get("keepdims") == Literal(True)
    shape = (1 if i in gone else d for i, d in enumerate(x.shape) if kept or i not in gone)
    return TensorType(tuple(shape), "real" if name == "mean" or x.dtype != "int" else "int")


def _reshaped(x: TensorType, sizes: list[int]) -> TensorType:
    """Return the type of x.reshape(sizes), where -1 is the batch, or what is left."""
    known = math.prod(n for n in sizes if n != -1)
    if x.batched and -1 in sizes and known == math.prod(x.example):
        return TensorType(tuple(BATCH if n == -1 else n for n in sizes), x.dtype)
    if x.batched or known == 0 or math.prod(x.example) % known or (-1 not in sizes and math.prod(x.example) != known):
        raise NoType(f"{x} cannot have the shape {sizes}")
    return TensorType(tuple(math.prod(x.example) // known if n == -1 else n for n in sizes), x.dtype)


def _call(name: str, args: tuple[Expr, ...], types: Mapping[str, TensorType]) -> TensorType:
    if name in SHAPES:
        return SHAPES[name](args, types)
    if name not in FUNCTIONS or not FUNCTIONS[name].elementwise:
        raise NoType(f"{name} has no type here")
    operands = [infer(a, types) for a in args if not isinstance(a, Keyword)]
    if name == "where":
        values = together(operands[1], operands[2])
        return _typed(together(operands[0], values), values.dtype)
    return _typed(reduce(together, operands, TensorType(())), "real")


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
    shapes = [[d for i, d in enumerate(p.shape) if i != axis % len(p.shape)] for p in parts]
    lengths = [p.shape[axis] for p in parts]
    if not parts or any(s != shapes[0] for s in shapes) or not all(isinstance(n, int) for n in lengths):
        raise NoType(f"{', '.join(map(str, parts))} cannot be put together along axis {axis}")
    shape = list(parts[0].shape)
    shape[axis] = sum(n for n in lengths if isinstance(n, int))
    return TensorType(tuple(shape), parts[0].dtype)


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
