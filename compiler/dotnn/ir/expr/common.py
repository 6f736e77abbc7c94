"""What an expression computes several times, under names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from dotnn.ir.expr.tree import Binary, Call, Expr, Name
from dotnn.ir.expr.visit import map_children, reads, walk

CONDITIONS = ("<", ">", "<=", ">=", "==", "!=", "&", "|", "and", "or")


def common_parts(body: Expr, *, conditions: bool = False) -> tuple[list[tuple[str, Expr]], Expr]:
    """Return the calls that an expression makes several times under names, and the expression with the names.

    With `conditions` what it asks several times gets a name, too.
    """
    named: list[tuple[str, Expr]] = []
    for name in _names(body):
        counts = Counter(part for part in walk(body) if _worth_a_name(part, conditions=conditions) and reads(part))
        repeated = [part for part, count in counts.items() if count > 1]
        if not repeated:
            break
        largest = max(repeated, key=lambda part: len(list(walk(part))))
        named.append((name, largest))
        body = _replaced(body, largest, Name(name))
    return named, body


def _worth_a_name(part: Expr, *, conditions: bool) -> bool:
    if isinstance(part, Call):
        return part.function not in ("where", "ones_like")
    return conditions and isinstance(part, Binary) and part.op in CONDITIONS


def _names(body: Expr) -> Iterator[str]:
    taken = {*reads(body)}
    yield from (name for name in (f"u{i}" for i in range(1, 100)) if name not in taken)


def _replaced(expr: Expr, part: Expr, name: Expr) -> Expr:
    return name if expr == part else map_children(expr, lambda inner: _replaced(inner, part, name))
