"""Reads formulas over whole arrays, those of losses, metrics, penalties and constraints.

In a definition the shapes are not known yet: it is read once as it is written (`shapes` false), which finds wrong names
and calls, and again for each use, with the shapes of what it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from dotnn.core.arguments import REQUIRED, Arg
from dotnn.core.diagnostics import Span
from dotnn.ir import expr as tree
from dotnn.ir.expr.derive import NoDerivative
from dotnn.library.ops import whole
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages
from dotnn.model.bind import bind, match
from dotnn.model.constants import evaluate, is_number
from dotnn.model.definitions.base import Definitions, arguments, check_names, check_use, safe
from dotnn.model.definitions.reader import DefinitionReader
from dotnn.model.formulas import Part, shape_or_number
from dotnn.model.messages.base import Fail
from dotnn.syntax import nodes
from dotnn.syntax.layout import Layout
from dotnn.syntax.scan import DEFINITIONS, scan
from dotnn.syntax.walk import by_position

COUNTING = ("sum", "logsumexp")
"""Reductions of several equal numbers that are another number."""


@dataclass(frozen=True)
class Label:
    """A class target: the name under which a formula reads it, and how many classes there are (0: not known).

    `steps` are the sizes of the axes before them, where it has a class for each step.
    """

    name: str
    count: int = 0
    steps: tuple[int, ...] = ()


@dataclass(frozen=True)
class Operands:
    """What the names of a formula are. `origins` says of each array where it comes from, for errors."""

    parts: Mapping[str, Part]
    labels: Mapping[str, Label]
    origins: Mapping[str, str]


@dataclass(frozen=True)
class Formula:
    """The formula of a definition, and the kinds of definition that it may call.

    `batched` says whether arrays hold one row for each example; else they are whole parameters.
    """

    section: nodes.Definition
    known: Definitions
    batched: bool = True

    @property
    def name(self) -> str:
        """What the spec calls the definition."""
        return self.section.name.id

    @property
    def operands(self) -> tuple[nodes.BlockParam, ...]:
        """The parameters that are values: those without a default, or the first where that is a whole parameter."""
        params = self.section.params
        return tuple(p for p in params if p.default is None) if self.batched else params[:1]

    @property
    def numbers(self) -> tuple[nodes.BlockParam, ...]:
        """The parameters that are numbers."""
        return self.section.params[len(self.operands) :]

    @property
    def form(self) -> str:
        """A call with the names of the definition."""
        return f"{self.name}({', '.join(p.name.id for p in self.operands)})"

    @property
    def args(self) -> tuple[Arg, ...]:
        """The parameters that are numbers, as arguments. Raises `Fail`."""
        return arguments(self.numbers, self.known)

    @property
    def meaning(self) -> str:
        """The formula with everything that it calls: equal ones compute the same."""
        return str(self.read(self.unread(), shapes=False).tree)

    def read(self, operands: Operands, *, shapes: bool = True) -> Part:
        """Return what the formula computes. Raises `Fail`."""
        return WholeReader(self, operands, shapes=shapes).number(self.section.value)

    def unread(self) -> Operands:
        """Return the parameters as names of which nothing is known."""
        plain = [p for p in self.section.params if p.kind is None]
        parts = {p.name.id: Part(tree.Name(safe(p.name.id)), p.span) for p in plain}
        labels = {p.name.id: Label(safe(p.name.id)) for p in self.section.params if p.kind is not None}
        return Operands(parts, labels, {})


class WholeReader(DefinitionReader):
    """Reads one formula; a reduction without `axis` takes all of an example, and meets values of every shape.

    Of an example that has a class for each step, it takes all of a step.
    """

    def __init__(self, formula: Formula, operands: Operands, *, shapes: bool) -> None:
        super().__init__(formula.known, operands.parts, formula.section.keyword)
        self.formula, self.labels, self.origins, self.shapes = formula, operands.labels, operands.origins, shapes

    def refuse(self, expr: nodes.Expr) -> Fail:
        """Return the error for what has no place in such a formula."""
        return Fail(messages.definitions.no_layers(expr.span, self.keyword))

    def other(self, expr: nodes.Expr) -> Part:
        """Return what is no elementwise operation."""
        match expr:
            case nodes.Name(id=name) if name in self.labels:
                raise Fail(messages.definitions.label_as_value(expr.span, name))
            case nodes.Index():
                return self.index(expr)
            case nodes.Call() if expr.func.id in REDUCTIONS and len(by_position(expr)) == 1:
                return self.reduction(expr)
            case nodes.Call(func=nodes.Name(id="softmax"), args=(nodes.Arg(name=None, value=value),)):
                operand = self.number(value)
                if self.shapes and operand.shape is None:
                    raise Fail(messages.definitions.number_reduced(expr.span, "softmax"))
                return replace(operand, tree=tree.Call("softmax", (operand.tree,)), span=expr.span, reduced={})
            case nodes.Call():
                formula = getattr(self.find(expr.func.id, object), "formula", None)
                if isinstance(formula, Formula):
                    return self.called(formula, expr)
        return super().other(expr)

    # ------------------------------------------------------------------------------------------------------ parts

    def index(self, expr: nodes.Index) -> Part:
        """Return `p[y]`, the element of a class, or a part at places that are numbers."""
        value = self.number(expr.value)
        match expr.items:
            case (nodes.Name(id=name),) if name in self.labels:
                return self.picked(value, self.labels[name], expr)
        if not self.formula.batched:
            raise Fail(messages.definitions.no_parts(expr.span, self.keyword))
        places = [self.place(item) for item in expr.items]
        if not self.shapes:
            return replace(value, span=expr.span)
        return self.cut(value, places, expr)

    def picked(self, value: Part, label: Label, expr: nodes.Index) -> Part:
        """Return the element of the class of each example."""
        made = tree.Call("pick", (value.tree, tree.Name(label.name)))
        if not self.shapes:
            return Part(made, expr.span)
        if value.shape != (*label.steps, label.count):
            found = self.places([value]) or shape_or_number(value)
            sizes = (*label.steps, label.count)
            raise Fail(messages.definitions.no_pick(expr.span, shape_or_number(value), sizes, found))
        return Part(made, expr.span, (*label.steps, 1), {len(label.steps): label.count}, single=not label.steps)

    def place(self, item: nodes.Expr) -> int | tuple[int | None, int | None]:
        """Return a place of an index: a number, or the ends of a slice."""
        if isinstance(item, nodes.Slice):
            return tuple(None if end is None else self.whole(end) for end in (item.start, item.stop))  # type: ignore[return-value]
        return self.whole(item)

    def whole(self, expr: nodes.Expr) -> int:
        """Return a whole number. Raises `Fail`."""
        names = {*self.parts, *self.labels}
        found = None if isinstance(expr, nodes.Name) and expr.id in names else evaluate(expr, self.constants)
        if not is_number(found) or found != int(found):
            help = "write a number, such as x[0] or axis = 0; a target declared `y: class` picks an element, p[y]"
            raise Fail(messages.constants.bad_constant(expr.span, "a whole number is needed here", help))
        return int(found)

    def cut(self, value: Part, places: Iterable[int | tuple[int | None, int | None]], expr: nodes.Index) -> Part:
        """Return a part of each example. Raises `Fail` for places that are not there."""
        sizes = value.shape or ()
        found: list[int | tuple[int, int]] = []
        for place, size in zip(places, sizes, strict=False):
            start, stop, _ = slice(place, None).indices(size) if isinstance(place, int) else slice(*place).indices(size)
            inside = -size <= place < size if isinstance(place, int) else start < stop
            if not inside:
                raise Fail(
                    messages.formulas.bad_index(expr.span, f"nothing is there in an axis of {size}", "", _PLACES)
                )
            found.append(start if isinstance(place, int) else (start, stop))
        if len(expr.items) > len(sizes):
            message = f"the index names {len(expr.items)} axes, but this is {shape_or_number(value)}"
            raise Fail(messages.formulas.bad_index(expr.span, message, self.places([value]), _PLACES))
        rest = tuple(p[1] - p[0] for p in found if not isinstance(p, int)) + sizes[len(found) :]
        made = whole.part(value.tree, found)
        if rest:
            return Part(made, expr.span, rest)
        return Part(whole.reshaped(made, (1,)), expr.span, (1,), single=True)

    # -------------------------------------------------------------------------------------------------- reductions

    def reduction(self, call: nodes.Call) -> Part:
        """Return a sum, mean or extreme: of all, or along an axis, which stays with length 1."""
        name, named = call.func.id, _axis_of(call)
        operand = self.number(by_position(call)[0])
        axis = self.whole(named) if named else None
        if self.shapes and operand.shape is None:
            return self.reduced_number(operand, call)
        if operand.shape is None:
            return Part(whole.reduced(operand.tree, name, (1,)), call.span, operand.shape)
        rank = len(operand.shape)
        if axis is not None and not -rank <= axis < rank:
            shape = shape_or_number(operand)
            assert named is not None
            raise Fail(messages.formulas.no_axis(named.span, name, axis, shape, self.places([operand])))
        axes = range(self.steps_of(operand), rank) if axis is None else (axis % rank,)
        lengths = {i: operand.reduced.get(i, operand.shape[i]) for i in axes}
        marks = {**operand.reduced, **lengths}
        sizes = tuple(1 if i in axes else size for i, size in enumerate(operand.shape))
        made = whole.reduced(operand.tree, name, [i + self.formula.batched for i in axes])
        return Part(made, call.span, sizes, marks, single=len(marks) == rank)

    def steps_of(self, operand: Part) -> int:
        """Return how many axes of steps a value has: where each step has a class, the formula is that of a step."""
        steps = next((label.steps for label in self.labels.values() if label.steps), ())
        shape = operand.shape or ()
        return len(steps) if shape[: len(steps)] == steps and len(shape) > len(steps) else 0

    def reduced_number(self, operand: Part, call: nodes.Call) -> Part:
        """Return the mean or an extreme of what is one number: that number. Raises `Fail` where it counts how many."""
        if call.func.id in COUNTING:
            raise Fail(messages.definitions.number_reduced(call.span, call.func.id))
        return replace(operand, span=call.span)

    def together(self, span: Span, verb: str, parts: Iterable[Part], combine: Callable[..., tree.Expr]) -> Part:
        """Return the parts in one; one number for each example meets values of every shape."""
        given = list(parts)
        shaped = [p for p in given if p.shape is not None]
        alone = [p for p in shaped if p.single]
        others = [p.shape for p in shaped if not p.single and p.shape is not None]
        wide = max(others or [p.shape or () for p in alone], key=len, default=())
        sizes = [max((shape[i] for shape in others if len(shape) == len(wide)), default=1) for i in range(len(wide))]
        given = [_meets(p, sizes) if p.single else p for p in given]
        made = super().together(span, verb, given, combine)
        return replace(made, single=bool(shaped) and len(alone) == len(shaped))

    def places(self, parts: object) -> str:
        """Say where the arrays of which parts are made come from."""
        assert isinstance(parts, Iterable)
        read = dict.fromkeys(name for part in parts for name in tree.reads(part.tree))
        return ";  ".join(self.origins[name] for name in read if name in self.origins)

    # ------------------------------------------------------------------------------------------- other definitions

    def called(self, formula: Formula, call: nodes.Call) -> Part:
        """Return the formula of another definition with what a call gives it."""
        operands = formula.operands
        given = match(formula.name, [p.name.id for p in (*operands, *formula.numbers)], call.args)
        parts: dict[str, Part] = {}
        labels: dict[str, Label] = {}
        for p in operands:
            value = given.get(p.name.id)
            if value is None:
                raise Fail(messages.definitions.operand_missing(call.span, formula.name, p.name.id, formula.form))
            if p.kind is None:
                parts[p.name.id] = self.number(value)
            elif isinstance(value, nodes.Name) and value.id in self.labels:
                labels[p.name.id] = self.labels[value.id]
            else:
                raise Fail(messages.definitions.no_label(value.span, formula.name, p.name.id))
        for arg in formula.args:
            parts[arg.name] = self.argument_of(formula.name, arg, given.get(arg.name), call.span)
        inner = Formula(formula.section, formula.known, self.formula.batched)
        return replace(inner.read(Operands(parts, labels, self.origins), shapes=self.shapes), span=call.span)

    def argument_of(self, owner: str, arg: Arg, given: nodes.Expr | None, span: Span) -> Part:
        """Return an argument of another definition: a number, or an argument of this one."""
        if isinstance(given, nodes.Name) and given.id in self.parts:
            return self.number(given)
        args = () if given is None else (nodes.Arg(given.span, nodes.Name(given.span, arg.name), given),)
        assert arg.default is not REQUIRED
        value = bind(owner, (arg,), args, span, self.constants)[arg.name]
        return Part(tree.number(value), span)


_PLACES = "places count from 0, from the end they are -1, -2, …; x[2:5] has the places 2, 3 and 4"


def _axis_of(call: nodes.Call) -> nodes.Expr | None:
    """Return the axis that a reduction names, None where it is of all. Raises `Fail` for another argument by name."""
    named = [a for a in call.args if a.name is not None]
    wrong = next((a.name for a in named if a.name and a.name.id != "axis"), None)
    if wrong is not None:
        raise Fail(messages.calls.unknown_argument(wrong.span, call.func.id, wrong.id, ["axis"]))
    return named[0].value if named else None


def _meets(part: Part, sizes: list[int]) -> Part:
    """Return one number for each example so that it meets values of these sizes."""
    made = part.tree if len(part.shape or ()) == len(sizes) else whole.reshaped(part.tree, [1] * len(sizes))
    return replace(part, tree=made, shape=(1,) * len(sizes), reduced=dict(enumerate(sizes)))


def formula_of(
    section: nodes.Definition,
    known: Definitions,
    *,
    taken: Collection[str] = (),
    kinds: Collection[str] = (),
    batched: bool = True,
) -> Formula:
    """Return the formula of a definition, whose parameters are as they must be. Raises `Fail`.

    `taken` are arguments that every definition of the kind has, `kinds` the kinds of values besides plain numbers.
    """
    formula, keyword = Formula(section, known, batched), section.keyword
    check_names(section, known)
    seen_default = False
    for p in section.params:
        if p.name.id in taken:
            raise Fail(messages.definitions.taken_argument(p.name.span, keyword, p.name.id))
        if p.kind is not None and p.kind.id not in kinds:
            if not kinds:
                raise Fail(messages.definitions.no_kind_here(p.kind.span, keyword))
            raise Fail(messages.definitions.unknown_kind(p.kind.span, p.name.id, p.kind.id, keyword))
        if p.default is None and seen_default and batched:
            raise Fail(messages.definitions.default_before_operand(p.span, p.name.id))
        seen_default = seen_default or p.default is not None
    if not formula.operands or formula.operands[0].default is not None:
        form = DEFINITIONS[keyword]
        raise Fail(messages.definitions.no_operand(section.name.span, keyword, section.name.id, form))
    check_use(section)
    return formula


def check_slope(formula: Formula, params: Iterable[nodes.BlockParam]) -> None:
    """Raise `Fail` where the formula is wrong, has no derivative, or none by any of these parameters."""
    keyword, place, unread = formula.section.keyword, formula.section.value.span, formula.unread()
    body = formula.read(unread, shapes=False)
    try:
        reached = whole.reaches(body.tree, [str(unread.parts[p.name.id].tree) for p in params if p.kind is None])
    except NoDerivative as error:
        raise Fail(messages.definitions.no_derivative(place, keyword, formula.name, str(error))) from None
    if not reached:
        raise Fail(messages.definitions.flat(place, keyword, formula.name))


def said(formula: Formula) -> str:
    """Return what a definition says, in one line and without the comments in it: `name(y, t) = mean(y - t)`."""
    section = formula.section
    body = formula.known.reporter.source.text_at(section.value.span)
    lines = Layout(body, [piece for piece in scan(body) if piece.kind != "comment"], 0).lines()
    names = ", ".join(p.name.id for p in section.params)
    return f"{formula.name}({names}) = {' '.join(line.text.strip() for line in lines)}"


@contextmanager
def used_in(formula: Formula, span: Span) -> Iterator[None]:
    """Say of what is wrong inside where it is used."""
    try:
        yield
    except Fail as failure:
        use = f"{formula.name} is used in {formula.known.reporter.source.place(span)}"
        note = f"{failure.diagnostic.note};  {use}" if failure.diagnostic.note else use
        raise Fail(replace(failure.diagnostic, note=note)) from None
