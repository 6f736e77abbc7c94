"""Reading several named `train` sections, which take turns on each batch: `train critic { … }  train generator { … }`.

Each is read as if it were the only one. What it takes from earlier ones, `gradient(h)`, is a target of it like others;
only nobody gives it as data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dotnn.core.arguments import POSITIVE_INT, Arg, Bound
from dotnn.core.diagnostics import Reporter, Span
from dotnn.library.penalties import Penalty
from dotnn.model import messages
from dotnn.model.freezing import belongs, frozen_parameter, owners
from dotnn.model.messages.base import Fail
from dotnn.model.model import Data, Declared, Handed, Model, Parameter, Stop, StopAfter, Train, Turn
from dotnn.model.network import NetworkReader
from dotnn.model.scope import Tensor
from dotnn.model.section import SectionReader, head_of, items
from dotnn.model.settings import ALL, EACH, SETTINGS
from dotnn.model.stops import CLOCK, Quantities, read_stops
from dotnn.model.train import DEFAULT_KEYS, MISPLACED, TRAIN_KEY_NAMES, read_train
from dotnn.syntax import nodes
from dotnn.syntax.walk import labels

STEPS = Arg("steps", POSITIVE_INT, 1, "in a named section: updates that it takes on each batch")
UPDATES = "updates"
REFUSED = {name: setting.turns for name, setting in SETTINGS.items() if setting.turns not in (ALL, EACH)}
"""Settings that no section can have, and why."""
SHARED = tuple(name for name, setting in SETTINGS.items() if setting.turns == ALL)
FOR_ALL = ("epochs", "batch", "shuffle", "seed", *(arg.name for arg in DEFAULT_KEYS), "freeze", "checkpoint", *SHARED)
"""Keys that all sections share; a section without a name has them."""
FOR_ONE = ("loss", "stop", "metrics", STEPS.name, UPDATES)
"""Keys that only a named section has. The others a section may take from the one without a name."""
GRADIENT = "gradient"
"""What a spec calls the gradient that an earlier section hands on."""


@dataclass(frozen=True)
class ReadTurn:
    """A section that has been read, but for what it updates: that is known once all parameters are."""

    turn: Turn
    reader: SectionReader


def read_turns(
    sections: Sequence[nodes.TurnSection],
    shared: SectionReader,
    network: NetworkReader,
    data: Data | None,
    weights: str,
    *,
    data_failed: bool,
    decay: Bound[Penalty] | None,
) -> tuple[ReadTurn, ...]:
    """Return the named sections in their order; errors go to the reporter of `shared`, which holds for all of them."""
    names = [section.name.id for section in sections]
    if not names:
        return ()
    for key in (*FOR_ONE, *REFUSED):
        if key in shared.values and not (key == "stop" and _clocks(shared)):
            place = shared.spans[key].span
            shared.reporter.add(_for_one(key, place, names))
    found: list[ReadTurn] = []
    for section in sections:
        reader = _reader(section, shared)
        handed = _handed(reader, network, [read.turn for read in found])
        targets = {h.name: _target(h, network, section.span) for h in handed}
        network.targets.update(targets)
        train = read_train(reader, network, data, weights, data_failed=data_failed, decay=decay)
        for name in targets:
            del network.targets[name]
        _refuse(train, reader, section.name.id)
        turn = Turn(section.name.id, train, reader.take(STEPS), (), tuple(handed), section.span)
        found.append(ReadTurn(turn, reader))
    return tuple(found)


def _clocks(shared: SectionReader) -> bool:
    """Whether the rules that stop, of the section without a name, are clocks, which all sections go by."""
    rules = items(shared.values["stop"])
    return all(isinstance(rule, nodes.Call) and rule.func.id == CLOCK for rule in rules)


def _for_one(key: str, place: Span, names: Sequence[str]) -> Any:
    if key in REFUSED:
        return messages.turns.cannot_take_turns(place, f"`{key}`", REFUSED[key], f"delete {key}")
    return messages.turns.belongs_to_one(place, key, names)


def _reader(section: nodes.TurnSection, shared: SectionReader) -> SectionReader:
    """Return the reader of a section, with what the shared one has besides."""
    known = (*TRAIN_KEY_NAMES, STEPS.name, UPDATES)
    reader = SectionReader(section, "train", known, shared.constants, shared.reporter, hints=MISPLACED)
    for key in (*FOR_ALL, *REFUSED):
        if key in reader.values:
            place = reader.spans[key].span
            if key in REFUSED:
                fault = messages.turns.cannot_take_turns(place, f"`{key}`", REFUSED[key], f"delete {key}")
            else:
                fault = messages.turns.belongs_to_all(place, key, section.name.id)
            shared.reporter.add(fault)
    for key in [key for key in shared.values if key not in FOR_ONE and key not in REFUSED]:
        if key not in reader.values:
            reader.values[key], reader.spans[key] = shared.values[key], shared.spans[key]
    return reader


def _refuse(train: Train, reader: SectionReader, name: str) -> None:
    """Report what a section cannot have."""
    if any(isinstance(stop, StopAfter) for stop in train.stops):
        reader.reporter.add(messages.turns.one_clock(reader.spans["stop"].span, name))


# ---------------------------------------------------------------------------------------------- what is handed on


def _handed(reader: SectionReader, network: NetworkReader, earlier: Sequence[Turn]) -> list[Handed]:
    """Return what a section takes from earlier ones; its loss then names it like any target."""
    found: dict[str, Handed] = {}

    def named(call: nodes.Call) -> nodes.Expr:
        handed = _from(call, network, earlier)
        found[handed.name] = handed
        return nodes.Name(call.span, handed.name)

    if "loss" in reader.values:
        with reader.reporting("loss"):
            reader.values["loss"] = _replaced(reader.values["loss"], named, network)
    return [*found.values()]


def _from(call: nodes.Call, network: NetworkReader, earlier: Sequence[Turn]) -> Handed:
    """Return what `gradient(h)` is handed by. Raises `Fail`."""
    if len(call.args) != 1 or call.args[0].name is not None or not isinstance(call.args[0].value, nodes.Name):
        raise Fail(messages.turns.handed_form(call.span))
    name = call.args[0].value
    output = network.outputs.get(name.id)
    if output is None:
        raise Fail(messages.turns.handed_no_output(name.span, name.id, [*network.outputs]))
    network.scope.used.add(name.id)
    called = f"{GRADIENT}_of_{name.id}"
    if called in network.scope.names or called in network.targets:
        raise Fail(messages.turns.name_taken(call.span, called))
    for turn in reversed(earlier):
        if _depends(turn, output, network):
            return Handed(called, name.id, turn.name)
    raise Fail(messages.turns.handed_by_none(call.span, name.id))


def _depends(turn: Turn, output: Tensor, network: NetworkReader) -> bool:
    """Whether the loss of a section depends on a value."""
    drafts = {draft.out.path: draft for draft in network.steps.drafts}
    seen, todo = set(), [path for term in turn.train.losses for path in term.outputs]
    while todo:
        path = todo.pop()
        if path not in seen:
            seen.add(path)
            todo += [t.path for t in drafts[path].ins] if path in drafts else []
    return output.path in seen


def _target(handed: Handed, network: NetworkReader, span: Span) -> Declared:
    """Return the declaration of what is handed on."""
    return Declared(handed.name, "target", "real", network.outputs[handed.of].type, 0, span)


def _replaced(expr: nodes.Expr, named: Callable[[nodes.Call], nodes.Expr], network: NetworkReader) -> nodes.Expr:
    """Return an expression with names in the place of what is handed on."""
    if isinstance(expr, nodes.Call) and expr.func.id == GRADIENT:
        return named(expr)
    if isinstance(expr, nodes.Call):
        args = tuple(replace(arg, value=_replaced(arg.value, named, network)) for arg in expr.args)
        return replace(expr, args=args)
    if isinstance(expr, nodes.Binary):
        left, right = (_replaced(side, named, network) for side in (expr.left, expr.right))
        return replace(expr, left=left, right=right)
    return expr


# ------------------------------------------------------------------------------------------------- what is updated


def with_turns(model: Model, read: Sequence[ReadTurn], shared: SectionReader) -> Model:
    """Return a model with its sections, now that all parameters are known; report what is wrong with `updates`."""
    turns = tuple(replace(one.turn, updates=_updates(one, model.params)) for one in read)
    reporter, owner = shared.reporter, dict[str, str]()
    for one, turn in zip(read, turns, strict=True):
        twice = next((name for name in turn.updates if name in owner), "")
        if twice:
            reporter.add(messages.turns.updated_twice(one.reader.spans[UPDATES].span, twice, owner[twice], turn.name))
        owner |= dict.fromkeys(turn.updates, turn.name)
    _refuse_rescaled(model.params, reporter)
    none = [name for name, p in model.params.items() if p.trained and name not in owner]
    if none and not reporter.errors and not any(one.reader.failed for one in read):
        reporter.add(messages.turns.updated_by_none(model.params[none[0]].span, none))
    _refuse_stops(turns, reporter)
    return replace(model, turns=turns, train=_in_common(turns, _limits(shared)))


def _refuse_rescaled(params: Mapping[str, Parameter], reporter: Reporter) -> None:
    """Report initialisers that look at what a network computes."""
    for p in params.values():
        if p.init.entry.rescaled:
            reason, help = "it looks at what one pass computes, and each section has its own", "use xavier or he"
            reporter.add(messages.turns.cannot_take_turns(p.span, f"`{p.init.name}`", reason, help))


def _refuse_stops(turns: Sequence[Turn], reporter: Reporter) -> None:
    """Report sections that may end before those that they hand a gradient on to."""
    giving = {handed.source: handed for turn in turns for handed in turn.handed}
    for turn in turns:
        if turn.name in giving and turn.train.stops:
            what, reason = f"`stop` of {turn.name}", f"it hands on gradient({giving[turn.name].of}), on every batch"
            reporter.add(messages.turns.cannot_take_turns(turn.span, what, reason, "delete stop"))


def _updates(read: ReadTurn, params: Mapping[str, Parameter]) -> tuple[str, ...]:
    reader = read.reader
    if UPDATES not in reader.values:
        assert reader.section is not None
        reader.reporter.add(messages.turns.no_updates(head_of(reader.section), read.turn.name))
        return ()
    names = set(reader.each(UPDATES, lambda expr: _named(expr, params, reader)))
    return tuple(name for name, p in params.items() if p.trained and (name in names or belongs(name, names)))


def _named(expr: nodes.Expr, params: Mapping[str, Parameter], reader: SectionReader) -> str:
    """Return the parameter, or what owns parameters, that an element of `updates` names. Raises `Fail`."""
    name = ".".join(labels(expr))
    if name.startswith(".") or not name:
        raise Fail(messages.turns.updates_form(expr.span, reader.reporter.source.words_at(expr.span)))
    trained = {known: p for known, p in params.items() if p.trained}
    if name not in trained and not any(belongs(known, {name}) for known in trained):
        raise Fail(messages.turns.nothing_to_update(expr.span, name, owners(trained)))
    return name


def _limits(shared: SectionReader) -> tuple[Stop, ...]:
    """Return how long all sections train."""
    return read_stops(shared, Quantities((), False, ())) if "stop" in shared.values and _clocks(shared) else ()


def _in_common(turns: Sequence[Turn], limits: tuple[Stop, ...]) -> Train:
    """Return what the sections have in common: all losses but those of what is handed on, all metrics, the clock."""
    first = turns[0].train
    losses = [term for turn in turns for term in turn.train.losses if not _reads_handed(turn, term.targets)]
    metrics = [replace(m, key=f"{turn.name}.{m.key}") for turn in turns for m in turn.train.metrics]
    settings = {name: chosen for name, chosen in first.settings.items() if name in SHARED}
    return replace(first, losses=tuple(losses), metrics=tuple(metrics), stops=limits, clip=None, settings=settings)


def with_handed(model: Model) -> Model:
    """Return a model with the losses of all sections, those of what is handed on, too."""
    losses = tuple(term for turn in model.turns for term in turn.train.losses)
    handed = {h.name: _declared(model, h, turn.span) for turn in model.turns for h in turn.handed}
    return replace(model, targets={**model.targets, **handed}, train=replace(model.train, losses=losses))


def _reads_handed(turn: Turn, targets: Mapping[str, str]) -> bool:
    return any(handed.name in targets for handed in turn.handed)


def alone(model: Model, turn: Turn) -> Model:
    """Return the model of one section, as if it were the only one: what it does not update is frozen.

    It has the outputs that its losses are computed of; the section that predicts has all. Batch norm goes on as it is:
    a frozen weight is no frozen layer.
    """
    params = {n: p if n in turn.updates or not p.trained else frozen_parameter(p) for n, p in model.params.items()}
    handed = {h.name: _declared(model, h, turn.span) for h in turn.handed}
    common = model.train
    train = replace(turn.train, epochs=common.epochs, checkpoint=common.checkpoint)
    hands = _hands(model, turn)
    needed = _needed(model, turn)
    if turn == predicting(model):
        needed |= _made_of(model, model.outputs.values())
    return replace(
        model,
        params=params,
        targets={**model.targets, **handed},
        outputs={name: path for name, path in model.outputs.items() if path in needed or path in model.inputs},
        steps=tuple(step for step in model.steps if step.path in needed),
        train=train,
        turns=(),
        hands=hands,
    )


def predicting(model: Model) -> Turn:
    """Return the section whose pass predicts: the first one that computes all outputs, else the first."""
    outputs = {path for path in model.outputs.values() if path not in model.inputs}
    return next((turn for turn in model.turns if outputs <= _needed(model, turn)), model.turns[0])


def _hands(model: Model, turn: Turn) -> tuple[Handed, ...]:
    """Return what a section hands on, each once."""
    found = {h.name: h for other in model.turns for h in other.handed if h.source == turn.name}
    return tuple(found.values())


def _needed(model: Model, turn: Turn) -> set[str]:
    """Return the paths of the steps that the losses and metrics of a section are made of."""
    read = [path for term in turn.train.losses for path in (*term.outputs, term.mask.value)]
    read += [path for metric in turn.train.metrics for path in metric.values]
    return _made_of(model, read)


def _made_of(model: Model, paths: Iterable[str]) -> set[str]:
    """Return the paths of the steps that values are made of, their own included."""
    makers, needed, todo = {step.path: step for step in model.steps}, set[str](), [*paths]
    while todo:
        path = todo.pop()
        if path in makers and path not in needed:
            needed.add(path)
            todo += makers[path].ins
    return needed


def _declared(model: Model, handed: Handed, span: Span) -> Declared:
    path = model.outputs[handed.of]
    types = {step.path: step.type for step in model.steps} | {name: d.type for name, d in model.inputs.items()}
    return Declared(handed.name, "target", "real", types[path], 0, span)


def sections(model: Model) -> Iterator[tuple[Turn, Model]]:
    """Yield every section with its model."""
    yield from ((turn, alone(model, turn)) for turn in model.turns)
