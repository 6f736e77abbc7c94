"""Small changes of an expression that need nothing but itself: what a slip of the pen is put right by."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import combinations
from typing import Any


def parsed(text: str, **parts: ast.expr) -> ast.expr:
    """Return the expression that a text spells, with other expressions in the place of names.

    What it is put together from is shared by thousands of versions of a line, and must not be changed.
    """
    template = _template(text)
    return _filled(template, parts) if parts else template


@lru_cache(maxsize=4096)
def _template(text: str) -> ast.expr:
    """Return a text as an expression, the same one each time."""
    return ast.parse(text, mode="eval").body


def _filled(node: Any, parts: Mapping[str, ast.expr]) -> Any:
    """Return a copy of a piece of an expression with others in the place of names."""
    if isinstance(node, list):
        return [_filled(inner, parts) for inner in node]
    if isinstance(node, ast.Name):
        return parts.get(node.id, node)
    if not isinstance(node, ast.AST) or not node._fields:
        return node
    return changed(node, {name: _filled(inner, parts) for name, inner in ast.iter_fields(node)})


def changed(node: ast.AST, fields: Mapping[str, Any]) -> ast.AST:
    """Return a copy of a node, at its place, with other fields; all below it is shared."""
    return type(node)(**{**vars(node), **fields})


_OTHER: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult),
    ast.Sub: (ast.Add, ast.Mult),
    ast.Mult: (ast.Div, ast.Add),
    ast.Div: (ast.Mult,),
    ast.Mod: (),
    ast.Pow: (),
}


def changes(part: ast.expr) -> Iterator[ast.expr]:
    """Yield changes that need nothing else: signs, operators, transposes, numbers, axes, order."""
    yield from _CHANGES.get(type(part), _nothing)(part)


def _nothing(part: ast.expr) -> Iterator[ast.expr]:
    yield from ()


def _other_signs(part: ast.UnaryOp) -> Iterator[ast.expr]:
    if isinstance(part.op, ast.USub):
        yield part.operand


def _other_operations(part: ast.BinOp) -> Iterator[ast.expr]:
    if not isinstance(part.op, ast.MatMult):
        yield from (part.left, part.right)
    for op in _OTHER.get(type(part.op), ()):
        yield ast.BinOp(part.left, op(), part.right)
    if isinstance(part.op, ast.Sub | ast.Div | ast.MatMult):
        yield ast.BinOp(part.right, part.op, part.left)
    if isinstance(part.op, ast.MatMult):
        yield from (parsed(t, a=part.left, b=part.right) for t in ("a.T @ b", "a @ b.T", "b.T @ a", "b @ a.T"))
        yield parsed("(a @ b).T", a=part.left, b=part.right)


def _other_attributes(part: ast.Attribute) -> Iterator[ast.expr]:
    if part.attr == "T":
        yield part.value


def _constants(part: ast.Constant) -> Iterator[ast.expr]:
    yield from map(ast.Constant, _other_constants(part.value))


def _other_comparisons(part: ast.Compare) -> Iterator[ast.expr]:
    if len(part.ops) == 1:
        others = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
        yield from (ast.Compare(part.left, [op()], part.comparators) for op in others)


def _other_orders(part: ast.Tuple | ast.List) -> Iterator[ast.expr]:
    for i, j in combinations(range(len(part.elts)), 2):
        elements = [*part.elts]
        elements[i], elements[j] = elements[j], elements[i]
        yield type(part)(elements, ast.Load())
    yield from _other_borders(part)


def _other_borders(part: ast.Tuple | ast.List) -> Iterator[ast.expr]:
    """Yield a pair of numbers of the same sum, `(1, 2)` for `(2, 1)`: a border that is one too far to one side."""
    sizes = [e.value for e in part.elts if isinstance(e, ast.Constant) and type(e.value) is int]
    if len(sizes) == len(part.elts) == 2:
        for by in (1, -1):
            yield type(part)([ast.Constant(sizes[0] + by), ast.Constant(sizes[1] - by)], ast.Load())


def _other_choices(part: ast.IfExp) -> Iterator[ast.expr]:
    yield ast.IfExp(part.test, part.orelse, part.body)
    yield from (part.body, part.orelse)


def _other_constants(value: object) -> list[Any]:
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, int):
        return [value + 1, value - 1, -value, value + 2, value - 2, 0, 1, None]
    if isinstance(value, float):
        return [-value, 1 - value, 2 * value, value / 2, 1.0, 0.5, 2.0]
    if isinstance(value, str) and "->" in value:  # an einsum
        return list(_other_subscripts_of_einsum(value))
    return []


def _other_subscripts_of_einsum(text: str) -> Iterator[str]:
    inputs, _, output = text.partition("->")
    terms = [*inputs.split(","), output]
    for i, term in enumerate(terms):
        for a in range(len(term)):
            for b in range(a + 1, len(term)):
                letters = list(term)
                letters[a], letters[b] = letters[b], letters[a]
                yield _joined([*terms[:i], "".join(letters), *terms[i + 1 :]])
    if len(terms) == 3:
        yield _joined([terms[1], terms[0], output])
    letters_of_all = sorted(set(text) - set("->, "))
    for i, term in enumerate(terms):
        for a in range(len(term)):
            for letter in letters_of_all:
                if letter not in term:
                    yield _joined([*terms[:i], term[:a] + letter + term[a + 1 :], *terms[i + 1 :]])


def _joined(terms: Sequence[str]) -> str:
    return f"{','.join(terms[:-1])}->{terms[-1]}"


_OTHER_METHOD = {"sum": "mean", "mean": "sum", "max": "min", "min": "max", "argmax": "argmin"}
_OTHER_FUNCTION = {
    "zeros_like": "ones_like",
    "sin": "cos",
    "cos": "sin",
    "exp": "tanh",
    "add": "subtract",
    "maximum": "minimum",
    "minimum": "maximum",
    "ones_like": "zeros_like",
}


def _other_calls(part: ast.Call) -> Iterator[ast.expr]:
    if isinstance(part.func, ast.Attribute):
        yield from _other_methods(part, part.func)
    if part.args:
        yield part.args[0]
    for i in range(len(part.args) - 1):
        args = [*part.args]
        args[i], args[i + 1] = args[i + 1], args[i]
        yield ast.Call(part.func, args, part.keywords)
    if isinstance(part.func, ast.Name) and part.func.id == "range" and len(part.args) == 1:
        yield parsed("reversed(range(n))", n=part.args[0])
        yield parsed("range(1, n)", n=part.args[0])


def _other_methods(part: ast.Call, function: ast.Attribute) -> Iterator[ast.expr]:
    other = {**_OTHER_METHOD, **_OTHER_FUNCTION}.get(function.attr)
    if other:
        yield ast.Call(ast.Attribute(function.value, other, ast.Load()), part.args, part.keywords)
    if function.attr in ("reshape", "sum", "mean") and not part.keywords:
        yield function.value
    if function.attr in ("sum", "mean") and part.keywords:
        for axis in ("0", "1", "-1", "(0, 1)", "(0, 1, 2)", "None"):
            yield ast.Call(function, part.args, [ast.keyword("axis", parsed(axis)), *_without_axis(part)])
        yield ast.Call(function, part.args, [*part.keywords, ast.keyword("keepdims", ast.Constant(True))])


def _without_axis(part: ast.Call) -> list[ast.keyword]:
    return [k for k in part.keywords if k.arg != "axis"]


def _other_subscripts(part: ast.Subscript) -> Iterator[ast.expr]:
    if isinstance(part.slice, ast.Slice):
        yield part.value
    places = part.slice.elts if isinstance(part.slice, ast.Tuple) else [part.slice]
    for i, place in enumerate(places):
        for new in _other_places(place):
            inside = [*places[:i], new, *places[i + 1 :]]
            index = ast.Tuple(inside, ast.Load()) if isinstance(part.slice, ast.Tuple) else new
            yield ast.Subscript(part.value, index, part.ctx)
    if len(places) > 1:
        yield ast.Subscript(part.value, ast.Tuple(list(reversed(places)), ast.Load()), part.ctx)


def _other_places(place: ast.expr) -> Iterator[ast.expr]:
    if isinstance(place, ast.Slice):
        yield from _other_slices(place)
    elif isinstance(place, ast.Name | ast.BinOp | ast.Constant) and not _is_text(place):
        yield from (_one_off(place, shift) for shift in (1, -1))


def _other_slices(place: ast.Slice) -> Iterator[ast.Slice]:
    low, high = place.lower, place.upper
    for shift in (1, -1):
        if low is not None:
            yield ast.Slice(_one_off(low, shift), high, place.step)
        if high is not None:
            yield ast.Slice(low, _one_off(high, shift), place.step)
        if low is not None and high is not None:  # both bounds one off, the piece before or behind
            yield ast.Slice(_one_off(low, shift), _one_off(high, shift), place.step)
            bounds = (parsed(f"{x} + {shift} * (b - a)", a=low, b=high) for x in "ab")
            yield ast.Slice(next(bounds), next(bounds), place.step)
    yield ast.Slice(low, high, ast.Constant(-1) if place.step is None else None)


def _one_off(place: ast.expr, shift: int) -> ast.expr:
    """Return an index one more or less, written as somebody would."""
    if isinstance(place, ast.Constant) and isinstance(place.value, int):
        return ast.Constant(place.value + shift)
    return parsed("a + 1" if shift > 0 else "a - 1", a=place)


def _is_text(place: ast.expr) -> bool:
    return isinstance(place, ast.Constant) and not isinstance(place.value, int)


_CHANGES: dict[type[ast.expr], Callable[[Any], Iterator[ast.expr]]] = {
    ast.UnaryOp: _other_signs,
    ast.BinOp: _other_operations,
    ast.Attribute: _other_attributes,
    ast.Constant: _constants,
    ast.Compare: _other_comparisons,
    ast.Call: _other_calls,
    ast.Subscript: _other_subscripts,
    ast.Tuple: _other_orders,
    ast.List: _other_orders,
    ast.IfExp: _other_choices,
}
