"""Initialisers that a spec defines: `init scaled(sd = 1) = normal(sd) / sqrt(n_out)`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.core.arguments import REQUIRED, Arg, Attrs
from dotnn.ir import expr as tree
from dotnn.ir.definition import HELPERS
from dotnn.library.inits import INITS, Init
from dotnn.library.inits.base import fans
from dotnn.model import messages
from dotnn.model.bind import convert, default_of, match
from dotnn.model.definitions.base import DefinitionKind, Definitions, arguments, check_names, check_use
from dotnn.model.definitions.reader import DefinitionReader
from dotnn.model.definitions.words import check_arguments
from dotnn.model.formulas import Part
from dotnn.model.messages.base import Fail
from dotnn.model.trial import NoNumber, plain_parts, value_of
from dotnn.syntax import nodes

SIZES = ("n_in", "n_out")
"""The sizes of the weight that is drawn, which every initialiser knows."""
DRAWS = {name: init for name, init in INITS.items() if init.numpy is not None and not init.rescaled}
"""What can be part of a formula: no values from a file, and nothing that looks at the examples."""


@dataclass(frozen=True)
class Draw:
    """A draw in a formula: an initialiser with its arguments, of which some are formulas over sizes and arguments."""

    init: Init
    attrs: Mapping[str, object]
    formulas: Mapping[str, tree.Expr]

    def __str__(self) -> str:
        given = [f"{name} = {value}" for name, value in {**self.attrs, **self.formulas}.items()]
        return f"{self.init.name}({', '.join(given)})"

    def drawn(self, shape: tuple[int, ...], values: Mapping[str, float]) -> tree.Expr:
        """Return the expression of the draw. Raises `NoNumber`."""
        attrs = dict(self.attrs)
        for arg in self.init.args:
            if arg.name in self.formulas:
                found = value_of(self.formulas[arg.name], values)
                attrs[arg.name] = arg.kind.accept(found)
                if attrs[arg.name] is None:
                    raise NoNumber(f"{self.init.name}: {arg.name} must be {arg.kind.expected}, not {found:.6g}")
        return tree.parse(self.init.line(shape, attrs))


@dataclass(frozen=True)
class DefinedInit(Init):
    """An initialiser by its formula, in which the draws have the names of `draws`."""

    formula: tree.Expr = field(kw_only=True)
    draws: Mapping[str, Draw] = field(kw_only=True)

    def line(self, shape: tuple[int, ...], attrs: Attrs) -> str:
        """Return the NumPy expression that draws an array of `shape`. Raises `NoNumber`."""
        values = {**attrs, **dict(zip(SIZES, fans(shape), strict=True))}
        for expr in plain_parts(self.formula, self.draws):
            value_of(expr, values)
        names: dict[str, tree.Expr] = {name: draw.drawn(shape, values) for name, draw in self.draws.items()}
        names |= {name: tree.number(value) for name, value in values.items()}
        text = tree.spell(tree.substitute(self.formula, names), tree.DIALECTS["arrays"], self.helpers)
        return text if self.draws else f"np.full({shape}, {text}, dtype=float)"


class _InitReader(DefinitionReader):
    """Reads the formula: what is called may be a draw."""

    def __init__(self, known: Definitions, parts: Mapping[str, Part], keyword: str) -> None:
        super().__init__(known, parts, keyword)
        self.draws: dict[str, Draw] = {}

    def other(self, expr: nodes.Expr) -> Part:
        """Return a name, a number, or a draw."""
        name = expr.func.id if isinstance(expr, nodes.Call) else expr.id if isinstance(expr, nodes.Name) else ""
        if name in self.parts:
            return super().other(expr)
        init = self.find(name, Init) or INITS.get(name)
        if init is None:
            return super().other(expr)
        args = expr.args if isinstance(expr, nodes.Call) else ()
        if isinstance(init, DefinedInit):
            return self.defined(init, expr, args)
        if name not in DRAWS:
            raise Fail(messages.procedures.not_a_draw(expr.span, name))
        return self.draw(init, expr, args)

    def draw(self, init: Init, expr: nodes.Expr, args: Sequence[nodes.Arg]) -> Part:
        """Return the draw of an initialiser of the language."""
        given = match(init.name, [arg.name for arg in init.args], args)
        attrs: dict[str, object] = {}
        formulas: dict[str, tree.Expr] = {}
        for arg in init.args:
            if arg.name not in given:
                attrs[arg.name] = self.default(init, arg, expr)
            elif arg.kind.choices:
                attrs[arg.name] = convert(init.name, arg, given[arg.name], self.constants, init.args)
            else:
                formulas[arg.name] = self.plain(given[arg.name])
        return self.named(Draw(init, attrs, formulas), expr)

    def defined(self, init: DefinedInit, expr: nodes.Expr, args: Sequence[nodes.Arg]) -> Part:
        """Return the formula of another initialiser that the spec defines, with its draws as draws of this one."""
        given = match(init.name, [arg.name for arg in init.args], args)
        values: dict[str, tree.Expr] = {}
        for arg in init.args:
            found = self.plain(given[arg.name]) if arg.name in given else None
            values[arg.name] = found or tree.constant(self.default(init, arg, expr))
        names = dict(values)
        for name, draw in init.draws.items():
            formulas = {n: tree.substitute(e, values) for n, e in draw.formulas.items()}
            names[name] = self.named(Draw(draw.init, draw.attrs, formulas), expr).tree
        return Part(tree.substitute(init.formula, names), expr.span)

    def default(self, init: Init, arg: Arg, expr: nodes.Expr) -> object:
        """Return the value of an argument that is not given. Raises `Fail` where there is none."""
        if arg.default is REQUIRED:
            raise Fail(messages.calls.missing_argument(expr.span, init.name, arg.name, arg.doc))
        return default_of(arg)

    def plain(self, expr: nodes.Expr) -> tree.Expr:
        """Return a formula of numbers. Raises `Fail` where it draws."""
        before = len(self.draws)
        part = self.number(expr)
        if len(self.draws) > before:
            raise Fail(messages.procedures.nested_draw(expr.span))
        return part.tree

    def named(self, draw: Draw, expr: nodes.Expr) -> Part:
        """Return a draw as a part, under a name that no spec can have."""
        name = f"draw {len(self.draws) + 1}"
        self.draws[name] = draw
        return Part(tree.Name(name), expr.span)


def _read(section: nodes.Definition, known: Definitions) -> Init:
    """Return the definition as an initialiser of the language. Raises `Fail`."""
    check_names(section, known)
    check_arguments(section, SIZES)
    args = arguments(section.params, known)
    parts = {name: Part(tree.Name(name), section.span) for name in (*(arg.name for arg in args), *SIZES)}
    reader = _InitReader(known, parts, section.keyword)
    formula = reader.number(section.value).tree
    check_use(section)
    called = {*tree.calls(formula)} & set(HELPERS)
    helpers = tuple(sorted(called.union(*(draw.init.helpers for draw in reader.draws.values()))))
    said = ", ".join([str(formula), *(f"{name} = {draw}" for name, draw in reader.draws.items())])
    doc = known.documentation(section)
    text = f"{doc.text} Source: {doc.source}." if doc.source else doc.text
    name = section.name.id
    return DefinedInit(name, text, None, args, helpers, definition=said, formula=formula, draws=reader.draws)


INIT = DefinitionKind("init", _read, ("init",), INITS, "x -> dense(8, init = {name})")
