"""Optimizers that a spec defines: `optimizer heavy(lr = 0.1) { slot v = 0  v = 0.9 * v - lr * g  w = w + v }`."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.core.arguments import LEARNING_RATE, Arg, Attrs, Kind
from dotnn.ir.expr import Call, Equation, Name, parse, reads
from dotnn.library.optimizers import OPTIMIZERS, Optimizer
from dotnn.model import messages
from dotnn.model.definitions.base import DefinitionKind, Definitions, argument, check_names, check_use
from dotnn.model.definitions.reader import DefinitionReader
from dotnn.model.definitions.words import OF_OPTIMIZERS, check_arguments, free
from dotnn.model.formulas import Part
from dotnn.model.messages.base import Fail
from dotnn.model.section import misplaced
from dotnn.model.trial import value_of
from dotnn.syntax import nodes

RATE = "lr"
GIVEN = {
    "t": Name("t"),
    "step": parse("t - 1"),
    "epoch": parse("(t - 1) // steps_per_epoch"),
    "steps": Name("steps"),
    "epochs": parse("steps // steps_per_epoch"),
    "pi": Call("pi"),
}
"""The numbers that every optimizer knows, besides its arguments."""
ARRAYS = {"w": Name("w"), "g": Name("g")}


class _OptimizerReader:
    """Reads one optimizer, statement by statement."""

    def __init__(self, section: nodes.Definition, known: Definitions) -> None:
        self.section, self.known = section, known
        self.arguments = {p.name.id: Part(Name(p.name.id), p.span) for p in section.params}
        given = {name: Part(value, section.name.span) for name, value in {**ARRAYS, **GIVEN}.items()}
        self.parts = given | self.arguments
        self.python = {name: name for name in ("w", *self.parts)}
        """What each name is called in the script."""
        self.slots: dict[str, nodes.Slot] = {}
        self.starts: dict[str, Part] = {}
        self.lines: list[Equation] = []
        self.unread: dict[str, nodes.Assign] = {}

    def read(self) -> Optimizer:
        """Return the optimizer. Raises `Fail`."""
        section, known = self.section, self.known
        check_names(section, known)
        check_arguments(section, OF_OPTIMIZERS.union(ARRAYS, GIVEN))
        args = tuple(_rate(p, known) if p.name.id == RATE else argument(p, known) for p in section.params)
        if RATE not in self.arguments:
            raise Fail(messages.procedures.no_rate(section.name.span, "optimizer", section.name.id))
        for statement in section.statements:
            self.statement(statement)
        self.check()
        check_use(section)
        lines, starts = tuple(self.lines), {self.python[name]: part.tree for name, part in self.starts.items()}

        def slots(attrs: Attrs) -> Mapping[str, float]:
            return {name: value_of(start, attrs) for name, start in starts.items()}

        said = "; ".join([*(f"slot {name} = {start}" for name, start in starts.items()), *map(str, lines)])
        doc = known.documentation(section)
        name = section.name.id
        return Optimizer(name, doc.text, args, lambda attrs: lines, slots, doc.source, definition=said)

    # ------------------------------------------------------------------------------------------------- statements

    def statement(self, statement: nodes.Stmt) -> None:
        """Read one statement. Raises `Fail`."""
        match statement:
            case nodes.Slot():
                self.slot(statement)
            case nodes.Assign(limits=nodes.Expr() as limits):
                help = "limits belong to arguments: optimizer name(b1 = 0.9 in 0..1)"
                raise Fail(messages.sections.statement_not_allowed(limits.span, "a range", "optimizer", help))
            case nodes.Assign():
                value = self.formula(statement.value, self.parts)
                self.lines.append(Equation(self.target(statement), value.tree))
            case _:
                raise Fail(misplaced(statement, "optimizer"))

    def slot(self, slot: nodes.Slot) -> None:
        """Declare a slot: a name that keeps its value from update to update. Raises `Fail`."""
        name = slot.name.id
        self.check_new(slot.name)
        arguments = {n: part for n, part in self.arguments.items() if n != RATE}
        start = self.formula(slot.value, arguments | {"pi": self.parts["pi"]})
        self.slots[name], self.starts[name] = slot, start
        self.name(slot.name)

    def formula(self, expr: nodes.Expr, parts: Mapping[str, Part]) -> Part:
        """Return what a formula computes. Raises `Fail`."""
        found = DefinitionReader(self.known, parts, self.section.keyword).number(expr)
        for name in [name for name in self.unread if self.python[name] in reads(found.tree)]:
            del self.unread[name]
        return found

    def target(self, statement: nodes.Assign) -> str:
        """Return what a statement gives a value, as the script calls it. Raises `Fail`."""
        name = statement.name
        if name.id == "w" or name.id in self.slots:
            return self.python[name.id]
        if name.id not in self.unread and name.id not in self.python:
            self.check_new(name)
        if name.id in self.arguments or name.id in GIVEN:
            raise Fail(messages.procedures.set_by_the_call(name.span, name.id))
        self.unread[name.id] = statement
        return self.name(name)

    def name(self, name: nodes.Name) -> str:
        """Let a name mean what has been given to it, and return what the script calls it."""
        if name.id not in self.python or name.id == "g":
            self.python[name.id] = free("grad" if name.id == "g" else name.id, self.python.values())
        self.parts = self.parts | {name.id: Part(Name(self.python[name.id]), name.span)}
        return self.python[name.id]

    def check_new(self, name: nodes.Name) -> None:
        """Raise `Fail` for a name that already means something."""
        if name.id in self.slots:
            raise Fail(messages.names.duplicate_name(name.span, name.id, self.known.place(self.slots[name.id])))
        if name.id in self.parts:
            raise Fail(messages.procedures.taken(name.span, name.id, "optimizer"))

    # ----------------------------------------------------------------------------------------------------- checks

    def check(self) -> None:
        """Raise `Fail` where the statements are no optimizer, or do something in vain."""
        name = self.section.name
        set_, read = {line.target for line in self.lines}, {n for line in self.lines for n in reads(line.value)}
        if "w" not in set_:
            raise Fail(messages.procedures.never_changes(name.span, name.id))
        if "g" not in read:
            raise Fail(messages.procedures.no_gradient(name.span, name.id))
        for slot in self.slots.values():
            if self.python[slot.name.id] not in set_:
                raise Fail(messages.procedures.fixed_slot(slot.name.span, slot.name.id))
            if self.python[slot.name.id] not in read:
                raise Fail(messages.procedures.unused(slot.name.span, "slot", slot.name.id))
        for statement in self.unread.values():
            raise Fail(messages.procedures.unused(statement.name.span, "value", statement.name.id))


def _rate(param: nodes.BlockParam, known: Definitions) -> Arg:
    """Return the learning rate as an argument: a schedule may stand in its place. Raises `Fail`."""
    own = argument(param, known)

    def accept(value: object) -> float | None:
        rate = LEARNING_RATE.accept(value)
        return rate if isinstance(rate, int | float) and own.kind.accept(rate) is not None else None

    limits = f" {own.kind.expected.removeprefix('a number ')}" if param.limits else ""
    expected = LEARNING_RATE.expected.replace("number", f"number{limits}", 1)
    kind: Kind[object] = Kind(expected, accept, LEARNING_RATE.registry, numeric=True)
    if own.default is not None and isinstance(own.default, int | float) and accept(own.default) is None:
        message = "a learning rate is a positive number"
        assert param.default is not None
        raise Fail(messages.constants.bad_constant(param.default.span, message, "for instance lr = 0.01"))
    return Arg(RATE, kind, own.default, "learning rate, or its schedule")


def _read(section: nodes.Definition, known: Definitions) -> Optimizer:
    return _OptimizerReader(section, known).read()


OPTIMIZER = DefinitionKind("optimizer", _read, ("optimizer",), OPTIMIZERS, "optim = {name}(0.01)")
