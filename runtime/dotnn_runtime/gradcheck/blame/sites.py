"""What can be read off a statement: which keys it writes, whether it only reads."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

from ..reading.statements import assigned_names, walk_statements
from ..reading.structure import Structure
from ..tracing.follow import Follower
from ..tracing.run import Event
from ..tracing.weave import Site


def base_name(name: str) -> str:
    """Return what a target begins with: `d` of `d["W"]`."""
    return name.partition("[")[0].partition(".")[0]


def keeps_its_promise(site: Site) -> bool:
    """Whether a statement reads values under their own names: `h = cache["h"]`."""
    value = getattr(site.node, "value", None)
    if site.kind not in ("assign", "unpack") or value is None:
        return False
    parts = value.elts if isinstance(value, ast.Tuple) and site.kind == "unpack" else [value]
    named = len(parts) == len(site.names)
    return named and all(_reads(part, name) for part, name in zip(parts, site.names, strict=True))


def _reads(part: ast.expr, name: str) -> bool:
    """Whether an expression reads what has a name, under that: `cache["h"]`."""
    key = part.slice.value if isinstance(part, ast.Subscript) and isinstance(part.slice, ast.Constant) else None
    return isinstance(key, str) and _is_name_of(name, key)


def _is_name_of(name: str, key: str) -> bool:
    return f"_{key.replace('.', '_')}".endswith(f"_{name}")


def written_keys(node: ast.AST) -> list[str]:
    """Return the keys that a statement writes to."""
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    parts = [p for target in targets if target is not None for p in ast.walk(target)]
    return [p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str) and p.value]


def only_reads(site: Site) -> bool:
    """Whether a statement computes nothing: it reads values, picks parts of them, gives them names."""
    value = getattr(site.node, "value", None)
    if site.kind not in ("assign", "unpack") or value is None:
        return False
    kinds = ast.Name | ast.Subscript | ast.Tuple | ast.Constant | ast.Attribute | ast.Slice | ast.expr_context
    kinds |= ast.BinOp | ast.operator | ast.UnaryOp | ast.unaryop
    parts = list(ast.walk(value))
    inside = {id(p) for s in parts if isinstance(s, ast.Subscript) for p in ast.walk(s.slice)}
    return all(isinstance(p, kinds) and (not isinstance(p, ast.BinOp) or id(p) in inside) for p in parts)


def counts_in(expression: ast.expr | None) -> list[ast.expr]:
    """Return the parts of an expression that count: `x.shape[1] - W.shape[0] + 1` of `rows, n = …, len(x)`."""
    if isinstance(expression, ast.Tuple):
        return [part for element in expression.elts for part in counts_in(element)]
    kinds = ast.Name | ast.Attribute | ast.Constant | ast.BinOp | ast.Subscript | ast.Slice | ast.Call
    kinds |= ast.operator | ast.expr_context
    parts = list(ast.walk(expression)) if expression is not None else []
    sizes = [p for p in parts if _is_size(p)]
    of = {id(p) for size in sizes for p in ast.walk(size)}
    return [expression] if sizes and all(isinstance(p, kinds) and _may_count(p, of) for p in parts) else []  # type: ignore[list-item]


def _is_size(part: ast.AST) -> bool:
    is_shape = isinstance(part, ast.Attribute) and part.attr == "shape"
    return is_shape or (isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id == "len")


def _may_count(part: ast.AST, inside_sizes: Collection[int]) -> bool:
    """Whether a part of a count is a whole number, or is what a size is read of."""
    number = not isinstance(part, ast.Constant) or type(part.value) is int
    return id(part) in inside_sizes or (number and not isinstance(part, ast.Name | ast.Attribute | ast.Call))


def handed_on(site: Site) -> str:
    """Return the name that a statement only stores, or sums over some axes: `d_x[:, t] = d_z`, `d_b = d_z.sum(axis=0)`.

    "" where it does something else.
    """
    value = getattr(site.node, "value", None) if site.kind == "assign" else None
    function = value.func if isinstance(value, ast.Call) else None
    if isinstance(function, ast.Attribute) and function.attr == "sum":
        value = function.value
    elif not site.names or "[" not in site.names[0]:  # another name: `d_a = d_a_from_f` may leave out the rest of a sum
        return ""
    return value.id if isinstance(value, ast.Name) else ""


def loops_around(site: Site, follower: Follower, shared: Collection[str]) -> Iterator[Site]:
    """Yield the loops of the same function that a statement stands in."""
    function = follower.script.structure.functions.get(site.function)
    if function is None or site.function in shared:
        return
    heads = (n for n in ast.walk(function) if isinstance(n, ast.For))
    around = {n.lineno for n in heads if n.lineno < site.line <= (n.end_lineno or 0)}
    yield from (s for s in follower.sites if (s.kind, s.function) == ("loop", site.function) and s.line in around)


def carried_names(structure: Structure) -> dict[tuple[str, str], int]:
    """Return the names that a function assigns in a loop, each with the last line that does.

    Read off the text: a run that stops in the first turn has not come there.
    """
    return {
        (function.name, name): node.lineno
        for function in structure.functions.values()
        for loop in walk_statements(function.body)
        if isinstance(loop, ast.For)
        for node in walk_statements(loop.body)
        for name in assigned_names(node)
    }


def made_by(event: Event) -> list[ast.AST]:
    """Return the parts of a statement that an event was made by: of several values at once, the expression of its own.

    Empty for an argument, which the statement that calls has made.
    """
    site, place = event.site, event.place
    if site.kind == "argument":
        return []
    value = getattr(site.node, "value", None)
    if isinstance(value, ast.Dict) and place.key in site.keys:
        return [value.values[site.keys.index(place.key)]]
    if isinstance(value, ast.Tuple) and len(value.elts) == len(site.names) and place.part < len(value.elts):
        return [value.elts[place.part]]
    return [site.node]


def names_in(parts: Iterable[ast.AST]) -> set[str]:
    """Return the names that occur in parts of a tree."""
    return {n.id for part in parts for n in ast.walk(part) if isinstance(n, ast.Name)}
