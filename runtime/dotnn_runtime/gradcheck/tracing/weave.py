"""The written half of tracing: a copy of a script's tree in which every statement reports what it makes.

`h = x + a` becomes `h = __trace__.tap(12, lambda: x + a)`; a function reports when it is entered and left, a loop each
turn, `z > 0` becomes `__trace__.compare(7, ">", z, 0)`. The script's own text is never changed. Who listens may give a
statement something else to make, and a branch another decision.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import dataclass
from functools import cached_property

from ..reading.statements import blocks, out_arguments, walk_statements, written_argument, written_into
from ..reading.structure import Structure
from .branches import BRANCHES, COMPARISONS, METHODS, PLAIN_NAMES

MODULE_NAME = "__trace__"
NOT_TRACED = ("init_params", "train", "fit", "predict", "evaluate", "main", "check", "load_data", "update")
_EXTREMES = (("maximum", "reduce"), ("minimum", "reduce"))
_SIGNS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}


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
    """Weaves reports into the functions of a script.

    Keeps the sites by their number, and the line of every branch. In a fast step, which `make_step` defines, and in a
    fast prediction a statement is a call that writes into an array.
    """

    def __init__(self, structure: Structure) -> None:
        self.structure = structure
        self.sites: list[Site] = []
        self.branches: list[int] = []

    def module(self, tree: ast.Module) -> ast.Module:
        """Weave into all functions of a module, in place."""
        branches = _Branches(_numpy_names(tree), self.branches)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name not in NOT_TRACED:
                if isinstance(node, ast.FunctionDef):
                    self._function(node)
                branches.visit(node)
        return ast.fix_missing_locations(tree)

    def _function(self, node: ast.FunctionDef) -> None:
        arguments = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
        head = [_statement(_call("enter", ast.Constant(node.name)), node)]
        for name in arguments:
            site = self._site(node.name, "argument", node, (name,), (node.lineno,))
            head.append(_assign(name, _call("argument", site, _load(name)), node))
        keep = [node.body.pop(0)] if node.body and _is_docstring(node.body[0]) else []
        body = [made for part in node.body for made in self._whole(node.name, part)]
        leave = _statement(_call("leave", ast.Constant(node.name)), node)
        node.body = [*keep, ast.copy_location(ast.Try([*head, *(body or [ast.Pass()])], [], [], [leave]), node)]

    def _whole(self, function: str, node: ast.stmt) -> list[ast.stmt]:
        """Weave into a statement of a function's own block; behind it, report the arrays that it has filled."""
        filled = self._filled(function, node)
        woven = self._statement(function, node)
        if filled:
            names = ast.Tuple([ast.Constant(name) for name in filled], ast.Load())
            arrays = ast.Tuple([_load(name) for name in filled], ast.Load())
            call = _call("filled", ast.Constant(function), ast.Constant(node.lineno), names, _thunk(arrays))
            woven.append(_statement(call, node))
        return woven

    def _filled(self, function: str, node: ast.stmt) -> list[str]:
        """Return the arrays that a statement writes into; of a fast step, those whose pieces its loop runs through."""
        names = set(written_into([node]))
        if function in self.structure.makers:
            views = self.structure.views_in(function)
            names = {views.get(name, name) for name in names}
            if isinstance(node, ast.For) and isinstance(node.iter, ast.Name):
                names |= self.structure.filled_by.get(node.iter.id, set())
        return sorted(names)

    def _block(self, function: str, body: list[ast.stmt]) -> list[ast.stmt]:
        return [made for node in body for made in self._statement(function, node)]

    def _statement(self, function: str, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.FunctionDef):
            self._function(node)
            return [node]
        for inner in blocks(node):
            inner[:] = self._block(function, inner)
        if isinstance(node, ast.For):
            return self._loop(function, node)
        if isinstance(node, ast.Assign):
            return self._assign(function, node)
        if isinstance(node, ast.AugAssign):
            return self._augmented(function, node)
        return self._do(function, node) if isinstance(node, ast.Expr) else self._whole_value(function, node)

    def _whole_value(self, function: str, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.AnnAssign | ast.Return) and node.value is not None:
            names = _parts(node.value) if isinstance(node, ast.Return) else (ast.unparse(node.target),)
            kind = "return" if isinstance(node, ast.Return) else "assign"
            site = self._site(function, kind, node, names, (), node.value)
            node.value = _call("tap" if len(names) == 1 else "taps", site, _thunk(node.value))
        return [node]

    def _loop(self, function: str, node: ast.For) -> list[ast.stmt]:
        original = ast.parse(f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}: pass").body[0]
        site = self._site(function, "loop", ast.copy_location(original, node), (ast.unparse(node.target),))
        node.iter = _call("loop", site, _thunk(node.iter))
        return [node, _statement(_call("loop_over"), node)]

    def _do(self, function: str, node: ast.Expr) -> list[ast.stmt]:
        if _is_docstring(node):
            return [node]
        written = self._written(function, node)
        site = self._site(function, "do", node, tuple(map(ast.unparse, written)))
        node.value = _call("do", site, _thunk(node.value))
        return [node, *self._stored(site, written, node)]

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
            into = [_pair(target.value, target)] if isinstance(target, ast.Subscript) else []
            node.value = _call("tap", site, _thunk(node.value), *into)
        else:  # h = c = x: c = x; h = c
            last, loaded = node.targets[-1], _loaded(node.targets[-1])
            single = [ast.copy_location(ast.Assign([last], node.value), node)]
            single += [ast.copy_location(ast.Assign([t], loaded), node) for t in node.targets[:-1]]
            return [made for one in single for made in self._assign(function, one)]
        return [node, *self._after(site, node)]

    def _augmented(self, function: str, node: ast.AugAssign) -> list[ast.stmt]:
        name = ast.unparse(node.target)
        site = self._site(function, "part", node, (name,))
        node.value = _call("part", site, _thunk(node.value), _pair(node.target, node.target))
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
        loaded = [_loaded(b) for b in buffers]
        return [_statement(_call("stored", site, names, _thunk(ast.Tuple(loaded, ast.Load()))), node)]

    def _written(self, function: str, node: ast.Expr) -> list[ast.expr]:
        """Return what a call writes into: `np.add.at(d_W, …)`, `np.add(a, b, out=c)`, in a fast step `add(a, b, c)`."""
        call = node.value
        if function in self.structure.makers:
            target = written_argument(node)
            whole = self.structure.views_in(function).get(target.id) if isinstance(target, ast.Name) else None
            found = [_load(whole) if whole else target]
        else:
            found = [*_filled_by(call)] if isinstance(call, ast.Call) else []
        return [f for f in found if isinstance(f, ast.Name | ast.Subscript | ast.Attribute)]

    def _as_written(self, node: ast.stmt) -> ast.stmt:
        """Return a statement of the script as it is without reports."""
        found = self._statements.get((node.lineno, node.col_offset))
        whole = found is not None and len(getattr(found, "targets", ())) <= 1
        return found if found is not None and whole else copy.deepcopy(node)

    @cached_property
    def _statements(self) -> dict[tuple[int, int], ast.stmt]:
        """The statements of the script by their place: nothing is ever woven into these."""
        bodies = [function.body for function in self.structure.functions.values()]
        found: dict[tuple[int, int], ast.stmt] = {}
        while bodies:
            for node in walk_statements(bodies.pop()):
                found[node.lineno, node.col_offset] = node
                bodies += [node.body] if isinstance(node, ast.FunctionDef) else []
        return found

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
        original = node if kind in ("loop", "argument") else self._as_written(node)
        self.sites.append(Site(len(self.sites), function, kind, original, names, lines, keys))
        return ast.Constant(len(self.sites) - 1)


def _filled_by(call: ast.Call) -> list[ast.expr]:
    is_at = isinstance(call.func, ast.Attribute) and call.func.attr == "at"
    return [*out_arguments(call), *(call.args[:1] if is_at else ())]


def _loaded(target: ast.expr) -> ast.expr:
    """Return an expression that reads what another assigns."""
    return _load(target.id) if isinstance(target, ast.Name) else ast.parse(ast.unparse(target), mode="eval").body


def _pair(owner: ast.expr, piece: ast.expr) -> ast.expr:
    """Return what gives an array that is written into, and the piece of it."""
    return _thunk(ast.Tuple([_loaded(owner), _loaded(piece)], ast.Load()))


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


def _numpy_names(tree: ast.Module) -> set[str]:
    """Return the names under which a script knows NumPy."""
    imports = (node for node in tree.body if isinstance(node, ast.Import))
    return {"numpy"} | {a.asname or a.name for node in imports for a in node.names if a.name == "numpy"}


class _Branches(ast.NodeTransformer):
    """Replaces comparisons and branching functions by calls that know the number of the branch."""

    def __init__(self, numpy: set[str], lines: list[int]) -> None:
        self.numpy, self.lines = numpy, lines

    def _number(self, node: ast.expr) -> ast.Constant:
        self.lines.append(node.lineno)
        return ast.Constant(len(self.lines) - 1)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        sign = _SIGNS.get(type(node.ops[0]))
        if len(node.ops) != 1 or sign not in COMPARISONS:
            return node
        call = _call("compare", self._number(node), ast.Constant(sign), node.left, node.comparators[0])
        return ast.copy_location(call, node)

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        function = node.func
        if isinstance(function, ast.Name) and function.id in PLAIN_NAMES:
            return self._branch(node, function.id, function)
        if not isinstance(function, ast.Attribute):
            return node
        owner, name = function.value, function.attr
        if isinstance(owner, ast.Name) and owner.id in self.numpy:
            return self._branch(node, name, function) if name in BRANCHES else node
        if isinstance(owner, ast.Attribute) and (owner.attr, name) in _EXTREMES:
            return self._branch(_with_axis(node), owner.attr[:3], function)
        return self._branch(node, name, owner, "method") if name in METHODS else node

    def _branch(self, node: ast.Call, name: str, function: ast.expr, kind: str = "branch") -> ast.expr:
        call = _call(kind, self._number(node), ast.Constant(name), function, *node.args)
        call.keywords = node.keywords
        return ast.copy_location(call, node)


def _with_axis(node: ast.Call) -> ast.Call:
    """Return a call of `ufunc.reduce` that says along which axis."""
    if len(node.args) == 1 and not any(k.arg == "axis" for k in node.keywords):
        node.keywords.append(ast.keyword("axis", ast.Constant(0)))
    return node
