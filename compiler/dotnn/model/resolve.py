"""From syntax to model: sections in their order of dependence, all errors of the stage together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dotnn.diagnostics import CompileError, Reporter, Source, Span
from dotnn.layers.base import INHERIT, ParamSpec
from dotnn.model import messages
from dotnn.model.constants import covers, describe, evaluate, limits_of
from dotnn.model.data import DATA_KEYS, read_data
from dotnn.model.keys import Keys, items
from dotnn.model.messages import Fail
from dotnn.model.model import Check, Model, Parameter, Step
from dotnn.model.network import Network
from dotnn.model.scope import Draft
from dotnn.model.train import TRAIN_KEY_NAMES, read_defaults, read_train
from dotnn.schema import INTEGER, POSITIVE_INT, Arg, Bound, Symbol, show
from dotnn.syntax import nodes
from dotnn.syntax.parse import parse_expression

CHECK_KEYS = (
    Arg("samples", POSITIVE_INT, 0, "elements checked one by one in each large tensor"),
    Arg("seed", INTEGER, 0, "seed of the probes"),
)
ORACLES = ("complex_step", "finite_difference", "tensorflow")
UNIQUE = ("params", "model", "data", "train", "check")


def resolve(file: nodes.File, source: Source, sets: Sequence[str] = ()) -> tuple[Model, Reporter]:
    """Return the model and the reporter, which holds the warnings. Raises `CompileError` with all errors."""
    reporter = Reporter(source)
    sections, blocks = _sections(file, reporter)
    constants = _params(sections.get("params"), sets, reporter)
    section = sections.get("model")
    if not isinstance(section, nodes.ModelSection):
        reporter.add(messages.missing_section(None, "model", "model Net { input x: [2]  output y = x -> dense(1) }"))
        reporter.stop_on_errors()
        raise CompileError(reporter.found, source)
    network = Network(section, blocks, constants, reporter)
    model = _experiment(network, section, sections, constants, reporter)
    reporter.stop_on_errors()
    return model, reporter


def _sections(file: nodes.File, reporter: Reporter) -> tuple[dict[str, nodes.Section], dict[str, nodes.BlockSection]]:
    sections: dict[str, nodes.Section] = {}
    blocks: dict[str, nodes.BlockSection] = {}
    for section in file.sections:
        if isinstance(section, nodes.BlockSection):
            if section.name.id in blocks:
                line = reporter.source.line_of(blocks[section.name.id].span)
                reporter.add(messages.duplicate_name(section.name.span, section.name.id, line))
            blocks[section.name.id] = section
        elif section.keyword in sections:
            line = reporter.source.line_of(sections[section.keyword].span)
            head = Span(section.span.start, section.span.start + len(section.keyword))
            reporter.add(messages.duplicate_section(head, section.keyword, line))
        else:
            sections[section.keyword] = section
    return sections, blocks


# ------------------------------------------------------------------------------------------------------- params


def _params(section: nodes.Section | None, sets: Sequence[str], reporter: Reporter) -> dict[str, Any]:
    """Return the constants of the spec, `--set` applied and limits checked."""
    overrides = _overrides(sets, section, reporter)
    constants: dict[str, Any] = {}
    for statement in section.statements if section else ():
        if not isinstance(statement, nodes.Assign):
            reporter.add(messages.statement_not_allowed(statement.span, "this statement", "params"))
            continue
        try:
            _param(statement, constants, overrides)
        except Fail as failure:
            reporter.add(failure.diagnostic)
            constants.setdefault(statement.name.id, Symbol(statement.name.id))
    return constants


def _param(statement: nodes.Assign, constants: dict[str, Any], overrides: Mapping[str, tuple[nodes.Expr, Source]]) -> None:
    name = statement.name.id
    if name in constants:
        raise Fail(messages.duplicate_name(statement.name.span, name, 0))
    value, span, source = evaluate(statement.value, constants), statement.value.span, None
    if name in overrides:
        expr, source = overrides[name]
        value, span = evaluate(expr, constants), expr.span
    if statement.limits is not None:
        limits, text = limits_of(statement.limits, constants)
        if not covers(limits, value):
            raise Fail(replace(messages.out_of_range(span, name, show(value), text), source=source))
    constants[name] = value


def _overrides(
    sets: Sequence[str], section: nodes.Section | None, reporter: Reporter
) -> dict[str, tuple[nodes.Expr, Source]]:
    known = [s.name.id for s in section.statements if isinstance(s, nodes.Assign)] if section else []
    found: dict[str, tuple[nodes.Expr, Source]] = {}
    for text in sets:
        name, equals, value = text.partition("=")
        name, source = name.strip(), Source("--set", text)
        whole = Span(0, len(text))
        if not equals or not name or not value.strip():
            reporter.add(replace(messages.set_syntax(whole, text), source=source))
        elif name not in known:
            reporter.add(replace(messages.unknown_set(Span(0, len(name)), name, known), source=source))
        else:
            value_source = Source(f"--set {name}", value)
            try:
                found[name] = parse_expression(value, value_source), value_source
            except CompileError as error:
                reporter.found.extend(replace(d, source=value_source) for d in error.diagnostics)
    return found


# -------------------------------------------------------------------------------------------------- the whole model


def _experiment(
    network: Network, section: nodes.ModelSection, sections: Mapping[str, nodes.Section], constants: dict[str, Any],
    reporter: Reporter,
) -> Model:  # fmt: skip
    train_keys = Keys(sections.get("train"), "train", TRAIN_KEY_NAMES, constants, reporter)
    if "train" not in sections:
        reporter.add(messages.missing_section(section.name.span, "train", "train { loss = mse(y, t)  optim = sgd(0.1) }"))
    defaults = read_defaults(train_keys)
    declared = {**network.inputs, **network.targets}
    data_keys = Keys(sections.get("data"), "data", DATA_KEYS, constants, reporter, others=tuple(declared))
    data = read_data(data_keys, declared)
    has_validation = bool(data and data.split and data.split.fractions["val"])
    train = read_train(train_keys, network, has_validation, defaults["decay"])
    _unused(network, section, train_keys)
    steps, params = _settle(network, defaults)
    outputs = {name: t.place.path for name, t in network.outputs.items()}
    return Model(
        reporter.source, section.name.id, constants, network.inputs, network.targets, steps, outputs, params, train, data,
        _check(sections.get("check"), constants, reporter),
    )  # fmt: skip


def _unused(network: Network, section: nodes.ModelSection, keys: Keys) -> None:
    if any(d.severity == "error" for d in network.reporter.found):
        return  # a name may look unused only because the statement that uses it is wrong
    network.scope.used |= set(network.outputs)
    network.unused(network.scope, section.statements)
    for target in network.targets.values():
        if target.name not in network.scope.used:
            network.report(messages.unused_value(target.span, target.name, "the target"))


def _settle(network: Network, defaults: Mapping[str, Any]) -> tuple[tuple[Step, ...], dict[str, Parameter]]:
    """Turn drafts into steps, now that all names are known."""
    steps: list[Step] = []
    params: dict[str, Parameter] = {}
    for draft in network.drafts:
        owner = draft.params.path
        names = {spec.name: f"{owner}.{spec.name}" for spec in draft.specs}
        for spec in draft.specs:
            if names[spec.name] not in params:
                params[names[spec.name]] = _parameter(names[spec.name], spec, draft, defaults)
        ins = tuple(t.place.path for t in draft.ins)
        steps.append(Step(draft.out.place.path, draft.layer, draft.attrs, ins, names, draft.out.type, draft.span))
    return tuple(steps), params


def _parameter(name: str, spec: ParamSpec, draft: Draft, defaults: Mapping[str, Any]) -> Parameter:
    init = spec.init
    if init == INHERIT:
        init = defaults["init" if spec.is_weight else "bias_init"]
        if defaults["init"].name == "file":
            init = defaults["init"]
    penalty = spec.penalty if isinstance(spec.penalty, Bound) else None
    if spec.penalty == INHERIT and spec.is_weight and defaults["decay"] is not None and defaults["decay"].entry.op:
        penalty = defaults["decay"]
    return Parameter(name, spec.shape, init, penalty, draft.span)


def _check(section: nodes.Section | None, constants: dict[str, Any], reporter: Reporter) -> Check:
    keys = Keys(section, "check", [a.name for a in CHECK_KEYS] + ["against"], constants, reporter)
    plain = {arg.name: keys.take(arg) for arg in CHECK_KEYS}
    return Check(against=keys.read("against", lambda e: _against(e, keys), ()), **plain)


def _against(expr: nodes.Expr, keys: Keys) -> tuple[str, ...]:
    names = []
    for item in items(expr):
        value = evaluate(item, keys.constants)
        if not isinstance(value, Symbol) or value.id not in ORACLES:
            raise Fail(messages.unknown_entry(item.span, "oracle", describe(value).strip('"'), ORACLES))
        names.append(value.id)
    return tuple(names)
