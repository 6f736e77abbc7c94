"""What single statements of a script read, assign and write into."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from .types import Key

STORES = {"params": "param", "batch": "input", "inputs": "input", "cache": "cache", "grads": "grad"}


def names_in(node: ast.AST) -> list[str]:
    """Return the names in a piece of a script, each as often as it stands there."""
    return [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]


def walk_statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield statements and the statements inside them, but not those of nested functions."""
    for node in body:
        yield node
        for inner in blocks(node):
            yield from walk_statements(inner)


def blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Yield the blocks of a compound statement, but not the body of a nested function or class."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if block:
                yield block


def assigned_names(node: ast.stmt) -> list[str]:
    """Return the plain names that a statement assigns."""
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign) and node.value is not None:
        targets = [node.target]
    if isinstance(node, ast.AugAssign):
        targets = [node.target]
    return [t.id for t in _flat(targets) if isinstance(t, ast.Name)]


def _flat(targets: Iterable[ast.expr]) -> list[ast.expr]:
    """Return the targets of an assignment, those of a tuple one by one."""
    return [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]


def written_into(body: Iterable[ast.stmt]) -> list[str]:
    """Return the names of the arrays that statements write into: `h[:, t] = …`, `h[t] += …`, `np.f(…, out=h)`."""
    found = []
    for node in walk_statements(body):
        targets = _flat(node.targets) if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        found += [t.value.id for t in targets if isinstance(t, ast.Subscript) and isinstance(t.value, ast.Name)]
        if isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Call):
            found += [name for name in map(_base_name, out_arguments(node.value)) if name]
    return found


def last_argument(node: ast.stmt) -> str:
    """Return the name of the array that a statement of a fast step writes, "" where it has none."""
    written = written_argument(node)
    return written.id if isinstance(written, ast.Name) and not _is_take(node) else ""


def written_argument(node: ast.stmt) -> ast.expr | None:
    """Return what a statement of a fast step writes into: the last argument, the first one of `copyto`.

    Behind that of `add.reduce(array, axis, dtype, out, keepdims)` more may come.
    """
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Call) or not node.value.args:
        return None
    call, function = node.value, ast.unparse(node.value.func)
    place = 0 if function.endswith("copyto") else 3 if function.endswith(".reduce") and len(call.args) > 3 else -1
    return next(iter(out_arguments(call)), call.args[3 if _is_take(node) else place])


def _is_take(node: ast.stmt) -> bool:
    """Whether a statement is `take(array, rows, axis, out, mode)`."""
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith("take") and len(call.args) > 3


def out_arguments(call: ast.Call) -> list[ast.expr]:
    """Return the arrays a call writes its result into."""
    return [k.value for k in call.keywords if k.arg == "out"]


def _base_name(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def stored_key(node: ast.AST) -> Key | None:
    """Return the key of `params["…"]`, `batch["…"]` or `cache["…"]`, None for any other expression."""
    if not (isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and node.value.id in STORES):
        return None
    if not (isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)):
        return None
    return Key(STORES[node.value.id], node.slice.value)


def reads(node: ast.AST) -> set[str]:
    """Return the names and the keys of `params`, `batch` and `cache` that a statement computes something from.

    `cache = {…}` keeps values and computes nothing.
    """
    found = set()
    for part in ast.walk(node) if not isinstance(getattr(node, "value", None), ast.Dict) else ():
        key = stored_key(part)
        if key is not None:
            found.add(key.name)
        elif isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id not in STORES:
            found.add(part.id)
    return found


def loads(node: ast.stmt) -> list[tuple[str, Key]]:
    """Return (name, key) for `name = params["…"]`, `x = batch["…"]`, `h = cache["…"]`; empty for other statements."""
    match node:
        case ast.Assign(targets=[target], value=ast.Name(id="cache")):
            return [(left.id, Key("cache", left.id)) for left in _elements(target) if isinstance(left, ast.Name)]
        case ast.Assign(targets=[target], value=value):
            lefts, keys = _elements(target), map(stored_key, _elements(value))
            pairs = [(left.id, k) for left, k in zip(lefts, keys, strict=False) if isinstance(left, ast.Name) and k]
            return pairs if len(pairs) == len(lefts) else []
    return []


def _elements(expr: ast.expr) -> list[ast.expr]:
    return expr.elts if isinstance(expr, ast.Tuple) else [expr]
