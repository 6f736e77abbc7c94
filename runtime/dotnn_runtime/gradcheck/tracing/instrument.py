"""The written half of the instrumentation: a copy of the script's syntax tree with calls of the tracer inserted.

`h1 = tanh(h1_z)` is followed by `h1 = __gradcheck__.value("h1", h1)`, `d_h1 = …` by a note of the cotangent,
`h1_z > 0` becomes `__gradcheck__.compare(7, ">", h1_z, 0)`. The script's own text is never changed, and with the
tracer off the traced script computes the same bits as the script.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from ..reading.structure import (
    FORWARD_FUNCTIONS,
    Structure,
    assigned_names,
    blocks,
    last_argument,
    loads,
    out_arguments,
    parse_script,
    stored_key,
    written_argument,
    written_into,
)
from .branches import BRANCHES, COMPARISONS, METHODS, PLAIN_NAMES
from .tracer import MODULE_NAME

NOT_TRACED = ("init_params", "train", "predict", "main")
_SIGNS = {ast.Gt: ">", ast.GtE: ">=", ast.Lt: "<", ast.LtE: "<=", ast.Eq: "==", ast.NotEq: "!="}


@dataclass(frozen=True)
class Instrumented:
    """The traced tree, the line of every branch site, and the name and line of every reading of a value."""

    tree: ast.Module
    sites: list[int]
    uses: list[tuple[str, int]]


def instrument(structure: Structure) -> Instrumented:
    """Return a copy of the script's tree that reports to a tracer."""
    tree = parse_script(structure.source)
    branches = _Branches(numpy_names(tree))
    uses: list[tuple[str, int]] = []
    for node in tree.body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef) or node.name in NOT_TRACED:
            continue
        if isinstance(node, ast.FunctionDef) and node.name in FORWARD_FUNCTIONS:
            node.body = _ForwardTaps(structure.in_place[node.name], uses, node.name == "total_loss").block(
                node.body, top=True
            )
        if isinstance(node, ast.FunctionDef) and node.name == structure.backward_function:
            node.body = _BackwardNotes().block(node.body, top=True)
        else:
            branches.visit(node)
        if isinstance(node, ast.FunctionDef) and node.name == "make_step":
            for step in node.body:
                if isinstance(step, ast.FunctionDef):
                    step.body = _BackwardNotes(structure.views, structure.filled_by).block(step.body, top=True)
                    step.body = _written_noted(step.body)
    return Instrumented(ast.fix_missing_locations(tree), branches.sites, uses)


def numpy_names(tree: ast.Module) -> set[str]:
    """Return the names under which the script knows NumPy."""
    found = {"numpy"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.asname or alias.name for alias in node.names if alias.name == "numpy"}
    return found


def _call(method: str, *arguments: ast.expr) -> ast.Call:
    function = ast.Attribute(ast.Name(MODULE_NAME, ast.Load()), method, ast.Load())
    return ast.Call(function, list(arguments), [])


def _assign(name: str, value: ast.expr, like: ast.stmt) -> ast.stmt:
    return ast.copy_location(ast.Assign([ast.Name(name, ast.Store())], value), like)


def _load(name: str) -> ast.expr:
    return ast.Name(name, ast.Load())


class _ForwardTaps:
    """Inserts a tap behind every definition of a value, and one around every reading of it."""

    def __init__(self, in_place: set[str], uses: list[tuple[str, int]], wraps_return: bool) -> None:
        self.in_place, self.uses = in_place, uses
        self.computing: tuple[type[ast.stmt], ...] = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)
        if wraps_return:
            self.computing += (ast.Return,)

    def block(self, body: list[ast.stmt], top: bool) -> list[ast.stmt]:
        result = []
        for node in body:
            for inner in blocks(node):
                inner[:] = self.block(inner, top=False)
            result.append(node)
            if not loads(node):
                result += self._taps(node, top)
                if isinstance(node, self.computing):
                    _Uses(node.lineno, self.uses).visit(node)
        return result

    def _taps(self, node: ast.stmt, top: bool) -> list[ast.stmt]:
        """Tap plain assignments at once, arrays that are filled piece by piece when their filling is over."""
        names = [n for n in assigned_names(node) if n not in self.in_place]
        taps = [_assign(n, _call("value", ast.Constant(n), _load(n)), node) for n in names]
        if top:
            filled = sorted(set(written_into([node])))
            taps += [_assign(n, _call("value_in", ast.Constant(n), _load(n)), node) for n in filled]
        return taps


class _Uses(ast.NodeTransformer):
    """Wraps the readings of names in one statement, so that a single use of a value can be displaced."""

    def __init__(self, line: int, uses: list[tuple[str, int]]) -> None:
        self.line, self.uses = line, uses

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._wrapped(node.id, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        key = stored_key(node) if isinstance(node.ctx, ast.Load) else None
        if key is not None:
            return self._wrapped(key.name, node)
        if isinstance(node.ctx, ast.Store):  # h[:, step] = …: the array is written, not read
            node.slice = self.visit(node.slice)
            return node
        self.generic_visit(node)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        # np.tanh, h.shape, params.get: only a transposed or called array is read as a value
        if isinstance(node.value, ast.Name) and node.attr not in ("T", "real", *_ARRAY_METHODS):
            return node
        self.generic_visit(node)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        written = out_arguments(node)
        if not isinstance(node.func, ast.Name):
            node.func = self.visit(node.func)
        node.args = [self.visit(a) for a in node.args]
        for keyword in node.keywords:
            if keyword.value not in written:
                keyword.value = self.visit(keyword.value)
        return node

    def visit_Dict(self, node: ast.Dict) -> ast.expr:
        return node  # cache = {…} keeps values, it does not use them

    def _wrapped(self, name: str, node: ast.expr) -> ast.expr:
        self.uses.append((name, self.line))
        site = ast.Constant(len(self.uses) - 1)
        return ast.copy_location(_call("use", ast.Constant(name), site, node), node)


_ARRAY_METHODS = ("sum", "mean", "max", "min", "reshape", "transpose", "copy", "ravel", "dot", "astype", "prod", "clip")


class _BackwardNotes:
    """Inserts a note behind every assignment of a cotangent; what is written through a view is noted itself.

    An array that is set to zero to be filled by the loop behind that is noted when the loop is over.
    """

    def __init__(self, views: Mapping[str, str] | None = None, filled_by: Mapping[str, set[str]] | None = None) -> None:
        self.views, self.filled_by = views or {}, filled_by or {}

    def block(self, body: list[ast.stmt], top: bool) -> list[ast.stmt]:
        result, cleared = [], set[str]()
        for node, after in zip(body, [*body[1:], None], strict=True):
            for inner in blocks(node):
                inner[:] = self.block(inner, top=False)
            names = [*assigned_names(node), *(written_into([node]) if top else ()), last_argument(node)]
            if _is_empty(node):
                names = []  # a loop fills the array; so far it holds nothing
            noted = dict.fromkeys(self.views.get(name, name) for name in names if name.startswith("d_"))
            filled = self._filled(after) if _clears(node) else set()
            cleared = cleared & self._filled(node)
            result += [node, *(self._note(name, node) for name in [*noted, *cleared] if name not in filled)]
            cleared = filled & noted.keys()
        return result

    def _filled(self, loop: ast.stmt | None) -> set[str]:
        """Return the cotangents that a loop fills."""
        over = loop.iter if isinstance(loop, ast.For) else None
        return self.filled_by.get(over.id, set()) if isinstance(over, ast.Name) else set()

    def _note(self, name: str, node: ast.stmt) -> ast.stmt:
        call = _call("note", ast.Constant(name), ast.Constant(node.lineno), _load(name))
        return ast.copy_location(ast.Expr(call), node)


def _written_noted(body: list[ast.stmt]) -> list[ast.stmt]:
    """Return the statements of a fast step, each followed by a note of what it has written."""
    result = []
    for node in body:
        for inner in blocks(node):
            inner[:] = _written_noted(inner)
        result.append(node)
        written = written_argument(node)
        targets = [_load(name) for name in assigned_names(node)] + ([written] if written is not None else [])
        for target in targets if not _is_note(node) else ():
            arguments = ast.Constant(ast.unparse(target)), ast.Constant(node.lineno), _loaded(target)
            result.append(ast.copy_location(ast.Expr(_call("wrote", *arguments)), node))
    return result


def _loaded(node: ast.expr) -> ast.expr:
    return ast.parse(ast.unparse(node), mode="eval").body


def _is_note(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and ast.unparse(node.value).startswith(f"{MODULE_NAME}.")


def _clears(node: ast.stmt) -> bool:
    call = node.value if isinstance(node, ast.Expr) else None
    return isinstance(call, ast.Call) and ast.unparse(call.func).endswith("copyto") and ast.unparse(call.args[1]) == "0"


def _is_empty(node: ast.stmt) -> bool:
    made = node.value if isinstance(node, ast.Assign) else None
    return isinstance(made, ast.Call) and isinstance(made.func, ast.Attribute) and made.func.attr in ("empty", "zeros")


class _Branches(ast.NodeTransformer):
    """Replaces comparisons and branching functions by calls that record and replay their decision."""

    def __init__(self, numpy: set[str]) -> None:
        self.numpy = numpy
        self.sites: list[int] = []

    def _site(self, node: ast.expr) -> ast.Constant:
        self.sites.append(node.lineno)
        return ast.Constant(len(self.sites) - 1)

    def visit_Compare(self, node: ast.Compare) -> ast.expr:
        self.generic_visit(node)
        sign = _SIGNS.get(type(node.ops[0]))
        if len(node.ops) != 1 or sign not in COMPARISONS:
            return node
        call = _call("compare", self._site(node), ast.Constant(sign), node.left, node.comparators[0])
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
        if isinstance(owner, ast.Attribute) and owner.attr in ("maximum", "minimum") and name == "reduce":
            if len(node.args) == 1 and not any(k.arg == "axis" for k in node.keywords):
                node.keywords.append(ast.keyword("axis", ast.Constant(0)))  # the default of ufunc.reduce
            return self._branch(node, owner.attr[:3], function)
        if name in METHODS:
            call = _call("method", self._site(node), ast.Constant(name), owner, *node.args)
            call.keywords = node.keywords
            return ast.copy_location(call, node)
        return node

    def _branch(self, node: ast.Call, name: str, function: ast.expr) -> ast.expr:
        call = _call("branch", self._site(node), ast.Constant(name), function, *node.args)
        call.keywords = node.keywords
        return ast.copy_location(call, node)
