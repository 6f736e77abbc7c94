"""Other ways to write an expression, one small change away: what somebody may have meant.

They are the inverse of the mistakes that people make: a sign, a transpose, another variable, another key, an index one
off, a lost factor or term. The likeliest come first.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any, cast

import numpy as np

from ..tracing.values import Followed, stripped

Edit = ast.expr
MOST_NAMES = 40


TIERS = 4


def edits(whole: ast.expr, names: Mapping[str, Any], slopes: Sequence[str], tier: int) -> Iterator[Edit]:
    """Yield changed copies of an expression; `names` are the values that are known where it stands.

    `slopes` are functions of one argument that the script has. The first tier changes what is there, the second puts
    other values in, the third and the fourth add factors and terms.
    """
    arrays = _arrays(names)
    if tier == 1:
        yield from _renamed(whole, arrays)
    for kind in ((_small, _swapped(arrays, names), _wrapped, _extended(arrays, slopes))[tier],):
        for i, part in enumerate(ast.walk(whole)):
            if isinstance(part, ast.expr):
                for new in kind(part):
                    yield _replaced(whole, i, new)


def _renamed(whole: ast.expr, arrays: Mapping[str, Any]) -> Iterator[ast.expr]:
    """Yield an expression with another value in all places of one that it reads several times."""
    read = [n.id for n in ast.walk(whole) if isinstance(n, ast.Name) and n.id in arrays]
    for name in dict.fromkeys(n for n in read if read.count(n) > 1):
        for other, value in arrays.items():
            if other != name and np.ndim(value) == np.ndim(arrays[name]):
                yield ast.fix_missing_locations(_parsed(ast.unparse(whole), **{name: _parsed(other)}))


def _arrays(names: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arrays by the expression that gives them: names, and what dicts hold."""
    found: dict[str, Any] = {}
    for name, value in names.items():
        if name.startswith("__"):
            continue
        value = stripped(value) if isinstance(value, Followed) else value
        if isinstance(value, np.ndarray) and value.dtype.kind in "fib":
            found[name] = value
        elif isinstance(value, dict):
            for key, v in value.items():
                if isinstance(key, str) and isinstance(v, np.ndarray):
                    found[f"{name}[{key!r}]"] = stripped(v)
    return dict(list(found.items())[: MOST_NAMES * 4])


def _parsed(text: str, **parts: ast.expr) -> ast.expr:
    class Fill(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.AST:
            return copy.deepcopy(parts[node.id]) if node.id in parts else node

    expression = ast.parse(text, mode="eval").body
    return cast(ast.expr, Fill().visit(expression)) if parts else expression


def _replaced(whole: ast.expr, index: int, new: ast.expr) -> ast.expr:
    """Return a copy in which the part of this number, in the order of `ast.walk`, is another."""
    whole = copy.deepcopy(whole)
    target = list(ast.walk(whole))[index]

    class Swap(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return new if node is target else self.generic_visit(node)

    return cast(ast.expr, ast.fix_missing_locations(Swap().visit(whole)))


_OTHER: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.Mult), ast.Sub: (ast.Add, ast.Mult), ast.Mult: (ast.Div, ast.Add), ast.Div: (ast.Mult,),
    ast.Mod: (), ast.Pow: (),
}  # fmt: skip


def _small(part: ast.expr) -> Iterator[ast.expr]:
    """Yield changes that need nothing else: signs, operators, transposes, numbers, axes, order."""
    if isinstance(part, ast.UnaryOp) and isinstance(part.op, ast.USub):
        yield part.operand
    if isinstance(part, ast.BinOp):
        for op in _OTHER.get(type(part.op), ()):
            yield ast.BinOp(part.left, op(), part.right)
        if isinstance(part.op, ast.Sub | ast.Div | ast.MatMult):
            yield ast.BinOp(part.right, part.op, part.left)
        if isinstance(part.op, ast.MatMult):
            yield from (_parsed(t, a=part.left, b=part.right) for t in ("a.T @ b", "a @ b.T", "b.T @ a", "b @ a.T"))
            yield _parsed("(a @ b).T", a=part.left, b=part.right)
        if not isinstance(part.op, ast.MatMult):
            yield part.left
            yield part.right
    if isinstance(part, ast.Attribute) and part.attr == "T":
        yield part.value
    if isinstance(part, ast.Constant):
        yield from map(ast.Constant, _other_constants(part.value))
    if isinstance(part, ast.Compare) and len(part.ops) == 1:
        others = (ast.Gt, ast.GtE, ast.Lt, ast.LtE, ast.Eq, ast.NotEq)
        yield from (ast.Compare(part.left, [op()], part.comparators) for op in others)
    if isinstance(part, ast.Call):
        yield from _other_calls(part)
    if isinstance(part, ast.Subscript):
        yield from _other_subscripts(part)
    if isinstance(part, ast.Tuple | ast.List):
        for i in range(len(part.elts)):
            for j in range(i + 1, len(part.elts)):
                elements = [*part.elts]
                elements[i], elements[j] = elements[j], elements[i]
                yield type(part)(elements, ast.Load())
    if isinstance(part, ast.IfExp):
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
    "zeros_like": "ones_like", "sin": "cos", "cos": "sin", "exp": "tanh", "add": "subtract", "maximum": "minimum",
    "minimum": "maximum", "ones_like": "zeros_like",
}  # fmt: skip


def _other_calls(part: ast.Call) -> Iterator[ast.expr]:
    function = part.func
    if isinstance(function, ast.Attribute):
        other = {**_OTHER_METHOD, **_OTHER_FUNCTION}.get(function.attr)
        if other:
            yield ast.Call(ast.Attribute(function.value, other, ast.Load()), part.args, part.keywords)
        if function.attr in ("reshape", "sum", "mean") and not part.keywords:
            yield function.value
        if function.attr in ("sum", "mean") and part.keywords:
            yield from (
                ast.Call(function, part.args, [ast.keyword("axis", _parsed(axis)), *_without_axis(part)])
                for axis in ("0", "1", "-1", "(0, 1)", "(0, 1, 2)", "None")
            )
            yield ast.Call(function, part.args, [*part.keywords, ast.keyword("keepdims", ast.Constant(True))])
    if part.args:
        yield part.args[0]
    for i in range(len(part.args) - 1):
        args = [*part.args]
        args[i], args[i + 1] = args[i + 1], args[i]
        yield ast.Call(function, args, part.keywords)
    if isinstance(function, ast.Name) and function.id == "range" and len(part.args) == 1:
        yield _parsed("reversed(range(n))", n=part.args[0])
        yield _parsed("range(1, n)", n=part.args[0])


def _without_axis(part: ast.Call) -> list[ast.keyword]:
    return [k for k in part.keywords if k.arg != "axis"]


def _other_subscripts(part: ast.Subscript) -> Iterator[ast.expr]:
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
        for shift in (1, -1):
            for which in ("lower", "upper"):
                bound = getattr(place, which)
                if bound is not None:
                    moved = copy.copy(place)
                    setattr(moved, which, _parsed(f"a + {shift}", a=bound))
                    yield moved
            if place.lower is not None and place.upper is not None:  # one off, the piece before or behind
                yield from _moved(place, f"a + {shift}", f"b + {shift}")
                yield from _moved(place, f"a + {shift} * (b - a)", f"b + {shift} * (b - a)")
        if place.step is None:
            yield ast.Slice(place.lower, place.upper, ast.Constant(-1))
        else:
            yield ast.Slice(place.lower, place.upper, None)
    elif isinstance(place, ast.Name | ast.BinOp | ast.Constant) and not _is_text(place):
        yield from (_parsed(f"a + {shift}", a=place) for shift in (1, -1))


def _moved(place: ast.Slice, lower: str, upper: str) -> Iterator[ast.Slice]:
    """Yield a slice from a to b with other bounds."""
    if place.lower is not None and place.upper is not None:
        low, high = (_parsed(text, a=place.lower, b=place.upper) for text in (lower, upper))
        yield ast.Slice(low, high, place.step)


def _is_text(place: ast.expr) -> bool:
    return isinstance(place, ast.Constant) and not isinstance(place.value, int)


def _swapped(arrays: Mapping[str, Any], names: Mapping[str, Any]) -> Any:
    """Return what yields other values in the place of one."""

    def kind(part: ast.expr) -> Iterator[ast.expr]:
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            store = names.get(ast.unparse(part.value))
            if isinstance(store, dict) and isinstance(part.slice.value, str):
                for key in store:
                    if key != part.slice.value:
                        yield ast.Subscript(part.value, ast.Constant(key), ast.Load())
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            yield from (
                ast.Call(ast.Name(name, ast.Load()), part.args, part.keywords)
                for name, value in names.items()
                if callable(value) and getattr(value, "__module__", "").startswith("script_under_test")
            )
        if not (isinstance(part, ast.Name | ast.Subscript) and isinstance(getattr(part, "ctx", None), ast.Load)):
            return
        text = ast.unparse(part)
        ours = arrays.get(text)
        if ours is None and isinstance(part, ast.Name):
            yield from map(_parsed, _alike(text, names, arrays))
        if ours is None:
            return
        for other, value in arrays.items():
            if other != text and np.ndim(value) == np.ndim(ours):
                yield _parsed(other)

    return kind


def _alike(text: str, names: Mapping[str, Any], arrays: Mapping[str, Any]) -> Iterator[str]:
    """Yield variables that may stand for one that is no array: dicts and arrays for a dict, texts, numbers, lists."""
    value = names.get(text)
    if callable(value) or isinstance(value, ModuleType) or text.startswith("__"):
        return
    for name, other in names.items():
        if name == text or name.startswith("__") or callable(other):
            continue
        if type(other) is type(value) or (isinstance(value, dict | list | int | float | str | None) and name in arrays):
            yield name


def _wrapped(part: ast.expr) -> Iterator[ast.expr]:
    """Yield an expression with another factor or term that needs no other value."""
    values = ast.BinOp | ast.Call | ast.Name | ast.Subscript | ast.Attribute
    if isinstance(part, values) and isinstance(getattr(part, "ctx", ast.Load()), ast.Load):
        texts = "-a", "1 - a", "1 + a", "a * a", "1 - a * a", "a * (1 - a)", "a.T", "2 * a", "a / 2", "a ** 2"
        yield from (_parsed(t, a=part) for t in (*texts, "a / len(a)", "a * len(a)", "a / a.size", "a - 1"))


MASKED = "np.where(b > 0, a, 0)", "np.where(b < 0, a, 0)"


def _extended(arrays: Mapping[str, Any], slopes: Sequence[str]) -> Any:
    """Return what yields an expression with another factor or term."""
    factors = [name for name in arrays if np.ndim(arrays[name]) > 0]
    factors = sorted(factors, key=lambda name: "[" in name)[:MOST_NAMES]  # variables before what dicts hold

    def kind(part: ast.expr) -> Iterator[ast.expr]:
        if not isinstance(part, ast.BinOp | ast.Call | ast.Name | ast.Subscript | ast.Attribute):
            return
        if not isinstance(getattr(part, "ctx", ast.Load()), ast.Load):
            return
        for name in factors:
            b = _parsed(name)
            for text in ("a + b", "a - b", "a * b", "a / b", "b - a", "a * (1 - b)", "a * (1 - b * b)", *MASKED):
                yield _parsed(text, a=part, b=b)
        for slope in slopes:
            for name in factors:
                yield _parsed(f"a * {slope}(b)", a=part, b=_parsed(name))

    return kind
