"""Other ways to write an expression, one small change away: what somebody may have meant.

They are the inverse of the mistakes that people make: a sign, a transpose, another variable, another key, an index one
off, a lost factor or term. The likeliest come first.
"""

from __future__ import annotations

import ast
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import ModuleType
from typing import Any, NamedTuple, cast

import numpy as np

from ..tracing.values import Followed, stripped
from .changes import changed, changes, parsed
from .sites import counts_in

Edit = ast.expr
MOST_NAMES = 40


TIERS = 4
WRAPPED = [
    "-a",
    "1 - a",
    "1 + a",
    "a * a",
    "1 - a * a",
    "a * (1 - a)",
    "a.T",
    "2 * a",
    "a / 2",
    "a ** 2",
    "a / len(a)",
    "a * len(a)",
]
WRAPPED += ["a / a.size", "a - 1"]
TERMS = ["a + b", "a - b", "a * b", "a / b", "b - a", "a * (1 - b)", "a * (1 - b * b)"]
TERMS += ["np.where(b > 0, a, 0)", "np.where(b < 0, a, 0)"]
"""What an expression a may lack by itself, and what of another value b."""

Kind = Callable[[ast.expr], Iterator[ast.expr]]
"""What yields other versions of a part of an expression."""
Rebuild = Callable[[ast.AST], ast.AST]
"""Returns an expression with another part."""


class Script(NamedTuple):
    """What a script has besides: functions of one argument, and the values that its calls give by keyword."""

    slopes: Sequence[str] = ()
    keywords: Sequence[ast.keyword] = ()


def edits(whole: ast.expr, names: Mapping[str, Any], script: Script, tier: int) -> Iterator[Edit]:
    """Yield changed copies of an expression; `names` are the values that are known where it stands.

    The first tier changes what is there, the second puts
    other values in, the third and the fourth add factors and terms.
    """
    arrays = _arrays(names)
    if tier == 1:
        yield from _renamed(whole, arrays)
        yield from _other_bounds(whole, names)
    kind = (changes, _swapped(arrays, names, script.keywords), _wrapped, _extended(arrays, script.slopes))[tier]
    for part, rebuild in places(whole):
        for new in kind(part) if isinstance(part, ast.expr) else ():
            yield cast(ast.expr, rebuild(new))
    yield from _other_counts(whole, arrays, tier)


def _other_counts(whole: ast.expr, arrays: Mapping[str, Any], tier: int) -> Iterator[ast.expr]:
    """Yield an expression with counts one off, or, of the last tier, with another size taken from them or added."""
    counts = {id(count) for count in counts_in(whole)} if tier in (0, TIERS - 1) else set()
    sizes = [f"{name}.shape[{axis}]" for name, value in arrays.items() for axis in range(np.ndim(value))]
    for part, rebuild in places(whole) if counts else ():
        for term in (["1"] if tier == 0 else sizes) if id(part) in counts else ():
            yield from (cast(ast.expr, rebuild(parsed(f"a {sign} {term}", a=part))) for sign in "+-")  # type: ignore[arg-type]


def _other_bounds(whole: ast.expr, names: Mapping[str, Any]) -> Iterator[ast.expr]:
    """Yield an expression with a number more in the bound of a slice: `i : i + rows` for `i : i`."""
    numbers = [name for name, value in names.items() if type(value) is int]
    slices = [p for s in ast.walk(whole) if isinstance(s, ast.Slice) for p in ast.walk(s)]
    inside = {id(part): part.id for part in slices if isinstance(part, ast.Name) and part.id in numbers}
    for part, rebuild in places(whole) if inside else ():
        terms = [n for n in numbers if n != inside[id(part)]] if id(part) in inside else []
        for text in ("a + b", "a - b"):
            yield from (cast(ast.expr, rebuild(parsed(text, a=part, b=parsed(n)))) for n in terms)  # type: ignore[arg-type]


def _renamed(whole: ast.expr, arrays: Mapping[str, Any]) -> Iterator[ast.expr]:
    """Yield an expression with another value in all places of one that it reads several times."""
    read = [n.id for n in ast.walk(whole) if isinstance(n, ast.Name) and n.id in arrays]
    for name in dict.fromkeys(n for n in read if read.count(n) > 1):
        for other, value in arrays.items():
            if other != name and np.ndim(value) == np.ndim(arrays[name]):
                yield parsed(ast.unparse(whole), **{name: parsed(other)})


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


def places(whole: ast.expr) -> Iterator[tuple[ast.AST, Rebuild]]:
    """Yield the parts of an expression in the order of `ast.walk`, and what returns it with another in that place.

    Only what leads to the place is made anew, all else is shared.
    """
    unread: deque[tuple[ast.AST, Rebuild]] = deque([(whole, lambda new: new)])
    while unread:
        node, rebuild = unread.popleft()
        yield node, rebuild
        for name, value in ast.iter_fields(node):
            if isinstance(value, ast.AST):
                unread.append((value, partial(_with_field, node, rebuild, name)))
            elif isinstance(value, list):
                inner = ((i, e) for i, e in enumerate(value) if isinstance(e, ast.AST))
                unread += [(e, partial(_with_element, node, rebuild, name, i)) for i, e in inner]


def _with_field(node: ast.AST, rebuild: Rebuild, name: str, new: ast.AST) -> ast.AST:
    return rebuild(changed(node, {name: new}))


def _with_element(node: ast.AST, rebuild: Rebuild, name: str, index: int, new: ast.AST) -> ast.AST:
    elements = [*getattr(node, name)]
    elements[index] = new
    return rebuild(changed(node, {name: elements}))


def _swapped(arrays: Mapping[str, Any], names: Mapping[str, Any], keywords: Sequence[ast.keyword]) -> Kind:
    """Return what yields other values in the place of one, and calls with an argument that was forgotten."""

    def kind(part: ast.expr) -> Iterator[ast.expr]:
        if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant):
            yield from _other_keys(part, names)
        if isinstance(part, ast.Call) and isinstance(part.func, ast.Name):
            for name in _functions(names):
                yield ast.Call(ast.Name(name, ast.Load()), part.args, part.keywords)
            given = {keyword.arg for keyword in part.keywords}
            for keyword in keywords if callable(names.get(part.func.id)) else ():
                if keyword.arg not in given:
                    yield ast.Call(part.func, part.args, [*part.keywords, keyword])
        if isinstance(part, ast.Name | ast.Subscript) and isinstance(part.ctx, ast.Load):
            yield from map(parsed, _other_values(ast.unparse(part), names, arrays))

    return kind


def _other_keys(part: ast.Subscript, names: Mapping[str, Any]) -> Iterator[ast.expr]:
    store, key = names.get(ast.unparse(part.value)), getattr(part.slice, "value", None)
    if isinstance(store, dict) and isinstance(key, str):
        yield from (ast.Subscript(part.value, ast.Constant(k), ast.Load()) for k in store if k != key)


def _functions(names: Mapping[str, Any]) -> list[str]:
    """Return the names of the functions that the script defines."""
    return [n for n, v in names.items() if callable(v) and getattr(v, "__module__", "").startswith("script_under_test")]


def _other_values(text: str, names: Mapping[str, Any], arrays: Mapping[str, Any]) -> Iterator[str]:
    ours = arrays.get(text)
    if ours is not None:
        yield from (other for other, value in arrays.items() if other != text and np.ndim(value) == np.ndim(ours))
    elif text in names:
        yield from _alike(text, names, arrays)


def _alike(text: str, names: Mapping[str, Any], arrays: Mapping[str, Any]) -> Iterator[str]:
    """Yield variables that may stand for one that is no array: dicts and arrays for a dict, texts, numbers, lists."""
    value = names.get(text)
    if callable(value) or isinstance(value, ModuleType):
        return
    alike = {name for name, other in names.items() if type(other) is type(value)}
    alike |= arrays.keys() if isinstance(value, dict | list | int | float | str | None) else set()
    alike -= {text, *filter(lambda name: name.startswith("__") or callable(names[name]), names)}
    yield from filter(alike.__contains__, names)


def _wrapped(part: ast.expr) -> Iterator[ast.expr]:
    """Yield an expression with another factor or term that needs no other value."""
    if _is_value(part):
        yield from (parsed(text, a=part) for text in WRAPPED)


def _extended(arrays: Mapping[str, Any], slopes: Sequence[str]) -> Kind:
    """Return what yields an expression with another factor or term."""
    factors = [name for name in arrays if np.ndim(arrays[name]) > 0]
    factors = sorted(factors, key=lambda name: "[" in name)[:MOST_NAMES]  # variables before what dicts hold
    others = [(text, parsed(name)) for name in factors for text in TERMS]
    others += [(f"a * {slope}(b)", parsed(name)) for slope in slopes for name in factors]

    def kind(part: ast.expr) -> Iterator[ast.expr]:
        if _is_value(part):
            yield from (parsed(text, a=part, b=b) for text, b in others)

    return kind


def _is_value(part: ast.expr) -> bool:
    """Whether an expression gives an array, most likely."""
    values = ast.BinOp | ast.Call | ast.Name | ast.Subscript | ast.Attribute | ast.Compare
    return isinstance(part, values) and isinstance(getattr(part, "ctx", ast.Load()), ast.Load)
