"""From syntax to model: sections in their order of dependence, all errors of the stage together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from dotnn.core.arguments import POSITIVE_INT, SEED, Arg, Bound, Symbol
from dotnn.core.diagnostics import CompileError, Reporter, Source, Span
from dotnn.core.registry import seen
from dotnn.library.inits import Init
from dotnn.library.layers import LAYERS
from dotnn.library.layers.base import INHERIT, ParamSpec
from dotnn.library.layers.loop import ROWS
from dotnn.model import freezing, messages
from dotnn.model.constants import WORDS, Constants, describe, evaluate
from dotnn.model.data import DATA_KEYS, read_data, read_weights
from dotnn.model.definitions import read_definitions
from dotnn.model.definitions.penalty import DefinedConstraint, DefinedPenalty
from dotnn.model.free_sizes import Measure, Size, bound_sizes, free_names
from dotnn.model.inline import check_values, written_out
from dotnn.model.linking import linked
from dotnn.model.messages.base import Fail
from dotnn.model.model import Check, Declared, Model, Parameter, Places, Step
from dotnn.model.network import NetworkReader
from dotnn.model.params import read_params
from dotnn.model.section import SectionReader, head_of
from dotnn.model.settings import check_settings
from dotnn.model.splits import check_stratified
from dotnn.model.stateful import check_stateful
from dotnn.model.train import MISPLACED, TRAIN_KEY_NAMES, Defaults, read_defaults, read_train
from dotnn.model.trial import NoNumber
from dotnn.model.turns import read_turns, with_turns
from dotnn.model.unused import unused_definitions, unused_names
from dotnn.model.way import OPTION, Way
from dotnn.syntax import nodes

CHECK_KEYS = (
    Arg("samples", POSITIVE_INT, 0, "elements checked one by one in each large tensor"),
    Arg("seed", SEED, 0, "seed of the probes"),
)
ORACLES = ("complex_step", "finite_difference")
"""What a check may compare with, besides the targets that can be a witness."""


def resolve(
    file: nodes.File,
    source: Source,
    sets: Sequence[str] = (),
    oracles: Sequence[str] = ORACLES,
    measure: Measure | None = None,
    way: Way = OPTION,
) -> tuple[Model, Reporter]:
    """Return the model and the reporter, which holds the warnings; a check may be against the `oracles`.

    `measure` reads from files what the spec leaves open; `way` is how the settings `sets` are given.

    Raises `CompileError` with all errors.
    """
    file, source, packages = linked(file, source)
    with seen([package.name for package in packages]):
        model, reporter = _resolved(file, source, sets, oracles, measure, way)
    return replace(model, packages={package.name: package.version for package in packages}), reporter


def _resolved(
    file: nodes.File, source: Source, sets: Sequence[str], oracles: Sequence[str], measure: Measure | None, way: Way
) -> tuple[Model, Reporter]:
    reporter = Reporter(source)
    sections, blocks = _sections(file, reporter)
    section, params = sections.get("model"), sections.get("params")
    free = free_names(section, [s.name.id for s in params.statements if isinstance(s, nodes.Assign)] if params else [])
    constants = read_params(params, sets, reporter, free, way)
    if not isinstance(section, nodes.ModelSection):
        example = "model Net { input x: [2]  target t: [1]  output y = x -> dense(1) }"
        reporter.add(messages.sections.missing_section(_first_head(file), "model", example))
        raise CompileError(reporter.errors, source)
    sizes = bound_sizes(section, sections.get("data"), constants, reporter, measure, way)
    constants |= {name: size.size if isinstance(size, Size) else size for name, size in sizes.items()}
    definitions = read_definitions(file.sections, blocks, constants, reporter)
    constants = {**constants, **definitions}
    network = NetworkReader(section, blocks, constants, reporter, definitions)
    model = _experiment(network, file, sections, constants, reporter, oracles)
    reporter.stop_on_errors()
    return replace(model, sizes={n: size.where for n, size in sizes.items() if isinstance(size, Size)}), reporter


def _sections(file: nodes.File, reporter: Reporter) -> tuple[dict[str, nodes.Section], dict[str, nodes.BlockSection]]:
    sections: dict[str, nodes.Section] = {}
    blocks: dict[str, nodes.BlockSection] = {}
    for section in file.sections:
        if isinstance(section, nodes.BlockSection):
            _add_block(section, blocks, reporter)
        elif isinstance(section, nodes.Definition | nodes.Use):
            continue
        elif isinstance(section, nodes.TurnSection):
            _add_turn(section, sections, reporter)
        elif section.keyword in sections:
            line = reporter.source.line_of(sections[section.keyword].span)
            reporter.add(messages.sections.duplicate_section(head_of(section), section.keyword, line))
        else:
            sections[section.keyword] = written_out(section) if section.keyword == "data" else section
    return sections, blocks


def _add_block(section: nodes.BlockSection, blocks: dict[str, nodes.BlockSection], reporter: Reporter) -> None:
    name = section.name
    if name.id in blocks:
        place = reporter.source.place(blocks[name.id].span)
        reporter.add(messages.names.duplicate_name(name.span, name.id, place))
    elif name.id in LAYERS or name.id == "repeat" or name.id in WORDS:
        reporter.add(messages.names.reserved_name(name.span, name.id))
    else:
        blocks[name.id] = section


def _add_turn(section: nodes.TurnSection, sections: dict[str, nodes.Section], reporter: Reporter) -> None:
    name, key = section.name, f"train {section.name.id}"
    if key in sections:
        line = reporter.source.line_of(sections[key].span)
        reporter.add(messages.sections.duplicate_section(name.span, key, line))
    else:
        sections[key] = section


def _turns(sections: Mapping[str, nodes.Section]) -> list[nodes.TurnSection]:
    """Return the named `train` sections in their order."""
    return [section for section in sections.values() if isinstance(section, nodes.TurnSection)]


def _first_head(file: nodes.File) -> Span:
    return head_of(file.sections[0])


# -------------------------------------------------------------------------------------------------- the whole model


def _experiment(
    network: NetworkReader,
    file: nodes.File,
    sections: Mapping[str, nodes.Section],
    constants: Constants,
    reporter: Reporter,
    oracles: Sequence[str],
) -> Model:
    train_section = _train_section(file, sections, constants, reporter)
    defaults = read_defaults(train_section)
    data_section = _data_section(network, sections, constants, reporter)
    weights = read_weights(data_section, _declarations(network))
    data = read_data(data_section, {**_declarations(network), **weights})
    data_failed = not {"split", "val"}.isdisjoint(data_section.failed)
    counted = next(iter(weights), "")
    named = _turns(sections)
    decay = defaults.decay
    turns = read_turns(named, train_section, network, data, counted, data_failed=data_failed, decay=decay)
    if turns:
        train = turns[0].turn.train
    else:
        train = read_train(train_section, network, data, counted, data_failed=data_failed, decay=decay)
    check = _check(sections.get("check"), constants, reporter, oracles)
    reporter.stop_on_errors()  # a name may look unused only because the statement that uses it is wrong
    _unused(network, file)
    reporter.stop_on_errors()
    check_stateful(network, data, train)
    reporter.stop_on_errors()
    steps, params = _settle(network, defaults, train.batch)
    _check_formulas(params.values(), reporter)
    _try_to_draw(params.values(), reporter)
    model = Model(
        source=reporter.source,
        name=network.section.name.id,
        constants={name: value for name, value in constants.items() if name not in network.definitions},
        inputs=network.inputs,
        targets={**network.targets, **weights},
        steps=steps,
        outputs={name: t.path for name, t in network.outputs.items()},
        params=params,
        train=train,
        data=data,
        check=check,
    )
    model = freezing.frozen(model, train_section)
    model = with_turns(model, turns, train_section) if turns else model
    reporter.stop_on_errors()
    check_settings(model, reporter)
    check_values(data_section, model)
    check_stratified(data_section, model)
    _check_categories(model, reporter)
    return model


def _check_categories(model: Model, reporter: Reporter) -> None:
    """Report layers that know fewer symbols than a category has."""
    for name, item in model.inputs.items():
        for known, step in model.bounds(name) if item.kind == "category" else ():
            if known < item.bound:
                names = (step.layer.name, step.layer.bounds, known)
                reporter.add(messages.data.vocabulary(step.span, *names, name, item.bound))


def _train_section(
    file: nodes.File, sections: Mapping[str, nodes.Section], constants: Constants, reporter: Reporter
) -> SectionReader:
    if "train" not in sections and not _turns(sections):
        example = "train { loss = mse(y, t)  optim = sgd(0.1) }"
        reporter.add(messages.sections.missing_section(_first_head(file), "train", example))
    return SectionReader(sections.get("train"), "train", TRAIN_KEY_NAMES, constants, reporter, hints=MISPLACED)


def _data_section(
    network: NetworkReader, sections: Mapping[str, nodes.Section], constants: Constants, reporter: Reporter
) -> SectionReader:
    declared = tuple(_declarations(network))
    computed = {n: f"{n} is computed by the model; data are given for inputs and targets" for n in network.scope.names}
    section = sections.get("data")
    return SectionReader(section, "data", DATA_KEYS, constants, reporter, others=declared, hints=computed)


def _declarations(network: NetworkReader) -> dict[str, Declared | None]:
    """Return inputs and targets by name, None for a declaration that is wrong."""
    found: dict[str, Declared | None] = {**network.inputs, **network.targets}
    for statement in network.section.statements:
        if isinstance(statement, nodes.TensorDecl):
            found.setdefault(statement.name.id, None)
    return found


def _unused(network: NetworkReader, file: nodes.File) -> None:
    network.scope.used |= set(network.outputs)
    for diagnostic in (
        *unused_names(network.scope, network.section.statements),
        *unused_definitions(file, network.source),
    ):
        network.report(diagnostic)


def _settle(network: NetworkReader, defaults: Defaults, batch: int) -> tuple[tuple[Step, ...], dict[str, Parameter]]:
    """Turn drafts into steps, now that all names are known, and how many examples a `batch` has."""
    steps: list[Step] = []
    params: dict[str, Parameter] = {}
    for draft in network.steps.drafts:
        names = {spec.name: f"{draft.params.path}.{spec.name}" for spec in draft.specs}
        own = [(names[spec.name], _with_rows(spec, batch), draft.span) for spec in draft.specs]
        used = [(weight.path, weight.spec, weight.span) for use in draft.uses for weight in use.weights]
        for name, spec, span in (*own, *used):
            if name not in params:
                params[name] = _parameter(name, spec, span, defaults)
        ins = tuple(t.path for t in draft.ins)
        places = Places(draft.statement, tuple(use.settled() for use in draft.uses))
        attrs = {**draft.attrs, ROWS: batch} if draft.attrs.get("stateful") else draft.attrs
        made = (draft.out.path, draft.layer, attrs, ins, names, draft.out.type, draft.span, places)
        frozen = bool(draft.specs) and all(spec.frozen or spec.rows for spec in draft.specs)
        steps.append(Step(*made, tuple(weight.path for weight in draft.weights), frozen))
    return tuple(steps), params


def _with_rows(spec: ParamSpec, batch: int) -> ParamSpec:
    """Return what a stateful layer carries for each example of a batch in its whole shape; other parameters as is."""
    return replace(spec, shape=(batch, *spec.shape)) if spec.rows else spec


def _check_formulas(params: Iterable[Parameter], reporter: Reporter) -> None:
    """Stop where a penalty or a constraint that the spec defines does not fit the shape of a parameter."""
    wrong: set[str] = set()
    for p in params:
        for bound in (p.penalty, p.constraint):
            entry = bound.entry if bound is not None else None
            if bound is not None and isinstance(entry, DefinedPenalty | DefinedConstraint) and entry.name not in wrong:
                try:
                    entry.of(p.shape, bound.attrs, p.span)
                except Fail as failure:
                    wrong.add(entry.name)
                    reporter.add(failure.diagnostic)
    reporter.stop_on_errors()


def _try_to_draw(params: Iterable[Parameter], reporter: Reporter) -> None:
    """Stop where an initialiser that the spec defines cannot draw a parameter."""
    for p in params:
        try:
            _ = p.init.entry.definition and p.init.entry.line(p.shape, p.init.attrs)
        except NoNumber as problem:
            reporter.add(messages.procedures.no_start(p.span, str(p.init), p.name, str(problem)))
    reporter.stop_on_errors()


def _parameter(name: str, spec: ParamSpec, span: Span, defaults: Defaults) -> Parameter:
    """Return a parameter, with the defaults of the train section where its layer sets nothing else."""
    if spec.frozen:
        return Parameter(name, spec.shape, _init(spec, defaults), None, span, trained=False, frozen=True)
    penalty = spec.penalty if isinstance(spec.penalty, Bound) else None
    decay = defaults.decay if spec.penalty == INHERIT and spec.is_weight else None
    decoupled = decay is not None and not decay.entry.op
    if decay is not None and not decoupled:
        penalty = decay
    constraint = defaults.constraint if spec.constraint == INHERIT and spec.is_weight else spec.constraint
    return Parameter(
        name,
        spec.shape,
        _init(spec, defaults),
        penalty,
        span,
        decoupled,
        constraint if isinstance(constraint, Bound) else None,
        spec.trained,
    )


def _init(spec: ParamSpec, defaults: Defaults) -> Bound[Init]:
    """Return the initialiser; one that reads a file serves weights and biases."""
    if isinstance(spec.init, Bound):
        return spec.init
    everywhere = spec.is_weight or defaults.init.name == "file"
    return defaults.init if everywhere else defaults.bias_init


def _check(section: nodes.Section | None, constants: Constants, reporter: Reporter, oracles: Sequence[str]) -> Check:
    keys = SectionReader(section, "check", [a.name for a in CHECK_KEYS] + ["against"], constants, reporter)
    plain = {arg.name: keys.take(arg) for arg in CHECK_KEYS}
    return Check(against=keys.each("against", lambda e: _against(e, constants, oracles)), **plain)


def _against(expr: nodes.Expr, constants: Constants, oracles: Sequence[str]) -> str:
    value = evaluate(expr, constants)
    if not isinstance(value, Symbol):
        raise Fail(messages.calls.needs_entry(expr.span, "oracle", describe(value), "", oracles))
    if value.id not in oracles:
        raise Fail(messages.calls.unknown_entry(expr.span, "oracle", value.id, oracles))
    return value.id
