"""What can be read off a statement: which keys it writes, whether it only reads."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Iterator

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
    keys = [
        p.slice.value if isinstance(p, ast.Subscript) and isinstance(p.slice, ast.Constant) else None for p in parts
    ]
    pairs = zip(site.names, keys, strict=False)
    return len(keys) == len(site.names) and all(isinstance(k, str) and _is_name_of(n, k) for n, k in pairs)


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


def loops_around(site: Site, follower: Follower, shared: Collection[str]) -> Iterator[Site]:
    """Yield the loops of the same function that a statement stands in."""
    for loop in follower.sites:
        if loop.kind == "loop" and loop.function == site.function and loop.function not in shared:
            function = follower.script.structure.functions.get(loop.function)
            heads = [n for n in ast.walk(function) if isinstance(n, ast.For)] if function else []
            if any(n.lineno == loop.line < site.line <= (n.end_lineno or 0) for n in heads):
                yield loop


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
