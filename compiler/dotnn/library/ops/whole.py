"""Formulas over whole arrays: sums over axes, parts and picked classes between what acts on each element by itself.

Such a formula is a tree in which `x.sum(axis=1, keepdims=True)` and its like are methods, `x.reshape(-1, 1)` too, and
`pick(p, y)`, `softmax(z)` and `logsumexp(z, axis)` are calls. What lies between them becomes one `expression` each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.ir import expr as tree
from dotnn.ir.algebra import LINEAR, Algebra
from dotnn.ir.expr import (
    Binary,
    Call,
    Expr,
    Index,
    Keyword,
    Literal,
    Method,
    Name,
    Number,
    Slice,
    Unary,
    constant,
    map_children,
    parse,
    substitute,
)
from dotnn.ir.expr.visit import children
from dotnn.ir.node import Node, Value
from dotnn.ir.op import Builder, Op, scalar
from dotnn.ir.tensor import BATCH, Attrs, TensorType
from dotnn.library.ops.reduction import counted, divisor

REDUCING = ("sum", "mean", "max", "min")
_NAMES = {"sum": "total", "mean": "mean", "max": "largest", "min": "smallest"}
MIXING = ("pick", "softmax", "logsumexp")


def reduced(operand: Expr, method: str, axes: Sequence[int]) -> Expr:
    """Return a sum, mean or extreme over axes that stay with length 1; an extreme takes one axis after the other."""
    if method not in ("sum", "mean") and len(axes) > 1:
        return reduced(reduced(operand, method, axes[1:]), method, axes[:1])
    if method == "logsumexp":
        return Call(method, (operand, constant(axes[0])))
    over = constant(axes[0] if len(axes) == 1 else tuple(axes))
    return Method(operand, method, (Keyword("axis", over), Keyword("keepdims", Literal(True))))


def reshaped(operand: Expr, sizes: Sequence[int]) -> Expr:
    """Return a value with these sizes of an example."""
    return Method(operand, "reshape", tuple(map(constant, (-1, *sizes))))


def part(operand: Expr, places: Sequence[int | tuple[int, int]]) -> Expr:
    """Return a part of each example, the places as `ops.axes.PART` has them."""
    items = (constant(p) if isinstance(p, int) else Slice(*map(constant, p)) for p in places)
    return Index(operand, (Slice(), *items))


def in_numpy(expr: Expr) -> Expr:
    """Return the same without the functions that NumPy has not, as exactly."""
    expr = map_children(expr, in_numpy)
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


def _mixes(expr: Expr) -> bool:
    """Whether a node is an op of its own, and no part of an elementwise formula."""
    return isinstance(expr, Method | Index) or (isinstance(expr, Call) and expr.function in MIXING)


def leaves(expr: Expr) -> Iterator[Expr]:
    """Yield what the elementwise formula at the top of a tree reads: names, and what mixes elements."""
    if isinstance(expr, Name) or _mixes(expr):
        yield expr
        return
    for child in children(expr):
        yield from leaves(child)


def reaches(expr: Expr, names: Sequence[str]) -> bool:
    """Whether a gradient is sent back to any of these names: not through what is flat wherever it is smooth."""
    from dotnn.ir.expr.derive import derive  # only where it is needed: compiling starts faster without it

    match expr:
        case Name(name):
            return name in names
        case Method(operand) | Index(operand) | Call(function="pick" | "softmax" | "logsumexp", args=(operand, *_)):
            return reaches(operand, names)
    found = {leaf: Name(f"x{i}") for i, leaf in enumerate(dict.fromkeys(leaves(expr)))}
    formula = _replaced(expr, found)
    return any(reaches(leaf, names) and derive(formula, name.id) != Number(0) for leaf, name in found.items())


def _replaced(expr: Expr, known: Mapping[Expr, Expr]) -> Expr:
    return known.get(expr) or map_children(expr, lambda inner: _replaced(inner, known))


@dataclass
class Writer:
    """Writes a formula as ops. `values` are its names; what has been computed already is computed once.

    `like` is an array of numbers with one row for each example, or the parameter that the formula is of.
    """

    b: Builder
    values: Mapping[str, Value]
    like: Value
    made: dict[Expr, Value] = field(default_factory=dict)

    def value(self, expr: Expr, name: str = "") -> Value:
        """Return the value of a formula that reads at least one name; `name` is a hint for what it is called."""
        if isinstance(expr, Name):
            return self.values[expr.id]
        if expr not in self.made:
            self.made[expr] = self._mixed(expr) if _mixes(expr) else self._elementwise(expr, name or "part")
        return self.made[expr]

    def _elementwise(self, expr: Expr, name: str) -> Value:
        from dotnn.ir.expr.derive import in_arrays

        for inner in self._large(expr):
            self.value(inner)
        read = dict.fromkeys(self._read(expr))
        names = {leaf: Name(f"x{i}") for i, leaf in enumerate(read)}
        formula = in_arrays(_replaced(expr, names))
        return self.b.emit("expression", *map(self.value, read), name=name, formula=formula)

    def _large(self, expr: Expr) -> Iterator[Expr]:
        """Yield what is read by a part that mixes elements, and by the formula around it, too."""
        inside = [e for leaf in leaves(expr) if _mixes(leaf) for e in _operands(leaf)]
        for inner in inside:
            if not isinstance(inner, Name) and inner != expr and _occurs(inner, expr):
                yield inner

    def _read(self, expr: Expr) -> Iterator[Expr]:
        """Yield the leaves of a formula, and what has been computed of it."""
        if isinstance(expr, Name) or _mixes(expr) or expr in self.made:
            yield expr
            return
        for child in children(expr):
            yield from self._read(child)

    def _mixed(self, expr: Expr) -> Value:
        match expr:
            case Method(operand, "reshape", sizes):
                return self.b.emit("reshape", self.value(operand), shape=tuple(map(_integer, sizes[1:])))
            case Method(operand, method, (Keyword(value=axes), *_)):
                return self.b.emit(f"{method}_axes", self.value(operand), name=_NAMES[method], axes=_axes(axes))
            case Index(operand, (_, *places)):
                return self.b.emit("part", self.value(operand), places=tuple(map(_place, places)))
            case Call("pick", (p, y)):
                return self.b.emit("pick", self.value(p), self.value(y), name="picked")
            case Call("logsumexp", (z, axis)):
                return self.b.emit("logsumexp", self.value(z), axes=(_integer(axis),))
            case Call("softmax", (z,)):
                return self.b.emit("softmax", self.value(z))
        raise AssertionError(expr)

    def total(self, expr: Expr, reduce: str, name: str, said: str, weights: Sequence[Value] = ()) -> Value:
        """Return the sum of a formula over the examples, or its mean: `reduce` says which. `said` is a remark on it.

        Without `weights` of the examples, one array at most, all of them count alike.
        """
        factor, inner = _factor(expr)
        averages = False
        match inner:
            case Method(operand, "sum" | "mean" as method) if _is_whole(inner, self.value(operand, "terms")):
                inner, averages = operand, method == "mean"
        value = self.value(inner, "terms")
        attrs: Attrs = {"features": _size(value) if averages else 1, "factor": factor, "said": said}
        return self.b.emit("total_of_examples", value, self.like, *weights, name=name, **{"reduce": reduce, **attrs})


def _operands(mixed: Expr) -> tuple[Expr, ...]:
    """Return the values that a part that mixes elements reads."""
    match mixed:
        case Method(operand) | Index(operand):
            return (operand,)
        case Call(args=args):
            return args[:1]
    return ()


def _occurs(part: Expr, expr: Expr) -> bool:
    """Whether a part stands in the elementwise formula at the top of a tree."""
    if expr == part:
        return True
    return not (isinstance(expr, Name) or _mixes(expr)) and any(_occurs(part, child) for child in children(expr))


def _integer(expr: Expr) -> int:
    assert isinstance(expr, Number)
    return int(expr.value)


def _axes(expr: Expr) -> tuple[int, ...]:
    return tuple(map(_integer, expr.items)) if isinstance(expr, tree.Sequence) else (_integer(expr),)


def _place(expr: Expr) -> int | tuple[int, int]:
    if not isinstance(expr, Slice):
        return _integer(expr)
    assert expr.start is not None and expr.stop is not None
    return _integer(expr.start), _integer(expr.stop)


def _is_whole(sum_: Method, operand: Value) -> bool:
    """Whether a sum takes all axes of an example."""
    over = sum_.args[0]
    assert isinstance(over, Keyword)
    batch = operand.type.shape[0] == BATCH
    return set(_axes(over.value)) == {*range(batch, len(operand.type.shape))}


def _size(value: Value) -> int:
    return math.prod(size for size in value.type.shape if isinstance(size, int))


def _factor(expr: Expr) -> tuple[float, Expr]:
    """Return the number in front of a formula, and the formula without it."""
    match expr:
        case Unary("-", operand):
            factor, inner = _factor(operand)
            return -factor, inner
        case Binary("*", Number(value), operand):
            factor, inner = _factor(operand)
            return value * factor, inner
        case Binary("*", Unary("-", Number(value)), operand):
            factor, inner = _factor(operand)
            return -value * factor, inner
    return 1, expr


def _total(node: Node) -> str:
    weight = counted(node, len(node.ins[0].type.shape))
    terms = f"({weight}terms)" if weight else "terms"
    return f"{_front(node.attrs['factor'])}{terms}.sum(){divisor(node)}"


def _total_gradient(node: Node) -> Expr:
    weight = parse(f"{counted(node, len(node.out.type.shape))}share")
    return substitute(weight, {"share": _share(node)})


def _share(node: Node) -> Expr:
    """Return the gradient by the terms, but for their weights: the same number for all of them."""
    factor = node.attrs["factor"]
    d = parse(("-d" if factor == -1 else "d" if factor == 1 else f"d * {factor}") + divisor(node))
    sizes = node.out.type.shape
    if sizes == node.ins[1].type.shape:
        return substitute(parse("full_like(y, share)"), {"share": d})
    shape = tree.Sequence((*([parse("len(y)")] if sizes[0] == BATCH else []), *map(constant, node.out.type.example)))
    if sizes[0] != BATCH:
        shape = tree.Sequence(tuple(map(constant, sizes)))
    return substitute(parse("full(shape, share, y.dtype)"), {"share": d, "shape": shape})


def _front(factor: float) -> str:
    return "-" if factor == -1 else "" if factor == 1 else f"{factor} * "


def _total_vjp(b: Builder, node: Node, d: Value) -> list[Value | None]:
    terms, *others = node.ins
    gradient = b.emit("total_of_examples_gradient", d, *others, shape=terms.type.shape, **node.attrs)
    return [gradient, *(None for _ in others)]


TOTAL_OF_EXAMPLES = Op(
    "total_of_examples", ("terms", "y", "m"), scalar, _total, _total_vjp, helpers=("sum_of_weights",)
)
TOTAL_OF_EXAMPLES_GRADIENT = Op(
    "total_of_examples_gradient",
    ("d", "y", "m"),
    lambda types, attrs: TensorType(attrs["shape"]),
    _total_gradient,
    helpers=("sum_of_weights",),
    algebra=LINEAR,
)


def _one_each(types: Sequence[TensorType], attrs: Attrs) -> TensorType:
    return TensorType((*types[0].shape[:-1], 1))


def _rows_of(label: Value) -> str:
    return ":" if len(label.type.shape) == 1 else "..."


PICK = Op(
    "pick",
    ("x", "y"),
    _one_each,
    lambda node: f"np.take_along_axis(x, y[{_rows_of(node.ins[1])}, None], axis=-1)",
    lambda b, node, d: [b.emit("put_at", d, node.ins[1], units=node.ins[0].type.shape[-1]), None],
    equation="the element of each example's class",
    algebra=Algebra(linear=(0,)),
)
PUT_AT = Op(
    "put_at",
    ("d", "y"),
    lambda types, attrs: TensorType((*types[0].shape[:-1], attrs["units"])),
    "d * one_hot_rows(y, units, d.dtype)",
    helpers=("one_hot_rows",),
    algebra=Algebra(linear=(0,)),
)
