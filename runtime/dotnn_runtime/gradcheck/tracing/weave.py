"""The written half of following a script: a copy of its tree in which every statement reports what it makes.

`h = x + a` becomes `h = __follow__.tap(12, lambda: x + a)`; a function reports when it is entered and left, a loop
each turn. The script's own text is never changed. A statement can be given something else to make, and one that stops
with an exception can be passed over where that is done.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass

from ..reading.structure import blocks

MODULE_NAME = "__follow__"
NOT_FOLLOWED = ("init_params", "train", "fit", "predict", "evaluate", "main", "check", "load_data", "update")


@dataclass(frozen=True)
class Site:
    """A place that reports: the statement there, its function, and what it assigns.

    `kind` is `assign` (one target), `unpack` (several), `part` (what is added by `+=`), `return`, `do` (an expression),
    `loop` or `argument`. `names` are the targets as they are written, `lines` where each value stands: those of a dict
    may have lines of their own.
    """

    number: int
    function: str
    kind: str
    node: ast.stmt
    names: tuple[str, ...] = ()
    lines: tuple[int, ...] = ()
    keys: tuple[str, ...] = ()

    @property
    def line(self) -> int:
        """The line of the statement."""
        return self.node.lineno


class Weaver:
    """Weaves reports into functions, and keeps the sites by their number."""

    def __init__(self) -> None:
        self.sites: list[Site] = []

    def module(self, tree: ast.Module) -> ast.Module:
        """Weave into all functions of a module, in place."""
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and node.name not in NOT_FOLLOWED:
                self.function(node)
        return ast.fix_missing_locations(tree)

    def function(self, node: ast.FunctionDef) -> None:
        """Weave into one function, in place."""
        arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        head = [_statement(_call("enter", ast.Constant(node.name)), node)]
        for name in arguments:
            site = self._site(node.name, "argument", node, (name,), (node.lineno,))
            head.append(_assign(name, _call("argument", site, _load(name)), node))
        body = self._block(node.name, node.body)
        leave = _statement(_call("leave", ast.Constant(node.name)), node)
        keep = [body.pop(0)] if body and _is_docstring(body[0]) else []
        node.body = [*keep, ast.copy_location(ast.Try([*head, *(body or [ast.Pass()])], [], [], [leave]), node)]

    def _block(self, function: str, body: list[ast.stmt]) -> list[ast.stmt]:
        return [made for node in body for made in self._statement(function, node)]

    def _statement(self, function: str, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.FunctionDef):
            self.function(node)
            return [node]
        for inner in blocks(node):
            inner[:] = self._block(function, inner)
        if isinstance(node, ast.For):
            original = ast.parse(f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}: pass").body[0]
            site = self._site(function, "loop", ast.copy_location(original, node), (ast.unparse(node.target),))
            node.iter = _call("loop", site, _thunk(node.iter))
            return [node, _statement(_call("loop_over"), node)]
        if isinstance(node, ast.Assign):
            return self._assign(function, node)
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            site = self._site(function, "assign", node, (ast.unparse(node.target),))
            node.value = _call("tap", site, _thunk(node.value))
        elif isinstance(node, ast.AugAssign):
            return self._augmented(function, node)
        elif isinstance(node, ast.Return) and node.value is not None:
            names = _parts(node.value)
            site = self._site(function, "return", node, names, (), node.value)
            node.value = _call("tap" if len(names) == 1 else "taps", site, _thunk(node.value))
        elif isinstance(node, ast.Expr) and not _is_docstring(node):
            written = _written(node.value)
            site = self._site(function, "do", node, tuple(map(ast.unparse, written)))
            node.value = _call("do", site, _thunk(node.value))
            return [node, *self._stored(site, written, node)]
        return [node]

    def _assign(self, function: str, node: ast.Assign) -> list[ast.stmt]:
        target = node.targets[0]
        if isinstance(target, ast.Tuple | ast.List) and len(node.targets) == 1:
            if any(isinstance(e, ast.Starred) for e in target.elts):
                return [node]
            names = tuple(ast.unparse(e) for e in target.elts)
            site = self._site(function, "unpack", node, names, (), node.value)
            node.value = _call("taps", site, _thunk(node.value))
        elif len(node.targets) == 1:
            site = self._site(function, "assign", node, (ast.unparse(target),), (), node.value)
            node.value = _call("tap", site, _thunk(node.value))
        else:  # h = c = x: c = x; h = c
            last, loaded = node.targets[-1], ast.parse(ast.unparse(node.targets[-1]), mode="eval").body
            single = [ast.copy_location(ast.Assign([last], node.value), node)]
            single += [ast.copy_location(ast.Assign([t], loaded), node) for t in node.targets[:-1]]
            return [made for one in single for made in self._assign(function, one)]
        return [node, *self._after(site, node)]

    def _augmented(self, function: str, node: ast.AugAssign) -> list[ast.stmt]:
        name = ast.unparse(node.target)
        site = self._site(function, "part", node, (name,))
        node.value = _call("tap", site, _thunk(node.value))
        if not isinstance(node.target, ast.Name):
            return [node, *self._after(site, node)]
        return [node, _assign(name, _call("whole", site, _load(name)), node)]

    def _after(self, site: ast.expr, node: ast.Assign | ast.AugAssign) -> list[ast.stmt]:
        """Report a buffer into which a piece was written: `d_x[:, t] = …`."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        elements = [e for t in targets for e in (t.elts if isinstance(t, ast.Tuple | ast.List) else [t])]
        bases = [e.value for e in elements if isinstance(e, ast.Subscript)]
        return self._stored(site, [buffer for base in bases for buffer in _viewed(base)], node)

    def _stored(self, site: ast.expr, buffers: list[ast.expr], node: ast.stmt) -> list[ast.stmt]:
        if not buffers:
            return []
        names = ast.Tuple([ast.Constant(ast.unparse(b)) for b in buffers], ast.Load())
        loaded = [ast.parse(ast.unparse(b), mode="eval").body for b in buffers]
        return [_statement(_call("stored", site, names, _thunk(ast.Tuple(loaded, ast.Load()))), node)]

    def _site(
        self,
        function: str,
        kind: str,
        node: ast.stmt,
        names: tuple[str, ...] = (),
        lines: tuple[int, ...] = (),
        value: ast.expr | None = None,
    ) -> ast.Constant:
        keys: tuple[str, ...] = ()
        if isinstance(value, ast.Dict) and all(isinstance(k, ast.Constant) for k in value.keys):
            keys = tuple(str(k.value) for k in value.keys)  # type: ignore[union-attr]
            lines = tuple(v.lineno for v in value.values)
        elif isinstance(value, ast.Tuple) and not lines:
            lines = tuple(v.lineno for v in value.elts)
        original = node if kind in ("loop", "argument") else copy.deepcopy(node)
        self.sites.append(Site(len(self.sites), function, kind, original, names, lines, keys))
        return ast.Constant(len(self.sites) - 1)


def _written(value: ast.expr) -> list[ast.expr]:
    """Return what a call writes into: `np.add.at(d_W, …)`, `np.add(a, b, out=c)`."""
    if not isinstance(value, ast.Call):
        return []
    found = [k.value for k in value.keywords if k.arg == "out"]
    if isinstance(value.func, ast.Attribute) and value.func.attr == "at" and value.args:
        found.append(value.args[0])
    return [f for f in found if isinstance(f, ast.Name | ast.Subscript | ast.Attribute)]


def _viewed(base: ast.expr) -> list[ast.expr]:
    """Return what is written into by way of an expression: `d_x` of `moved(d_x, i, j)[...] += share`."""
    inside: list[ast.expr] = [a for a in base.args if isinstance(a, ast.Name)] if isinstance(base, ast.Call) else []
    return inside or [base]


def _parts(value: ast.expr) -> tuple[str, ...]:
    if isinstance(value, ast.Tuple) and not any(isinstance(e, ast.Starred) for e in value.elts):
        return tuple(ast.unparse(e) for e in value.elts)
    return ("return",)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _call(method: str, *arguments: ast.expr) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name(MODULE_NAME, ast.Load()), method, ast.Load()), list(arguments), [])


def _thunk(value: ast.expr) -> ast.expr:
    nothing = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.Lambda(nothing, value)


def _statement(call: ast.expr, like: ast.AST) -> ast.stmt:
    return ast.copy_location(ast.Expr(call), like)


def _assign(name: str, value: ast.expr, like: ast.AST) -> ast.stmt:
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), like)


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())
