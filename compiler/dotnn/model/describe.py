"""The resolved model as text, for `dotnn dump --stage model`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from dotnn.core.arguments import Attrs, show
from dotnn.library.layers.cells import BODY, Recurrence, recurrence_of
from dotnn.model.model import (
    Checkpoint,
    Data,
    Declared,
    FileSource,
    Model,
    Split,
    Step,
    Stop,
    StopAfter,
    StopWhen,
    Train,
    Turn,
)


def describe_model(model: Model) -> str:
    """Return every declaration, step and parameter with all defaults written out."""
    lines = [f"model {model.name}   ({model.size:,} parameters)"]
    lines += [f"  param  {name} = {show(value)}" for name, value in model.constants.items()]
    lines += [f"  use    {name} {version}" for name, version in model.packages.items()]
    lines += [_declared(declared) for declared in (*model.inputs.values(), *model.targets.values())]
    lines += [line for step in model.steps for line in _step(model, step)]
    lines += [f"  output {name} = {path}" for name, path in model.outputs.items()]
    lines += _train(model.train)
    lines += [line for turn in model.turns for line in _turn(turn)]
    lines += _data(model.data) if model.data else []
    return "\n".join(lines) + "\n"


def _declared(declared: Declared) -> str:
    kind = declared.shown if declared.bound else str(declared.type)
    return f"  {declared.role:6} {declared.name}: {kind}"


def _step(model: Model, step: Step) -> Iterator[str]:
    shown = {name: value for name, value in step.attrs.items() if name != BODY}
    attrs = ", ".join([*step.ins, *step.weights, *_arguments(shown)])
    line = model.source.line_of(step.span)
    yield f"  {step.path} = {step.layer.name}({attrs}): {step.type}   # line {line}"
    if BODY in step.attrs:
        yield from _cell(recurrence_of(step.attrs))
    for name in step.params.values():
        p = model.params[name]
        penalty = f", penalty {p.penalty}" if p.penalty else ""
        constraint = f", constraint {p.constraint}" if p.constraint else ""
        yield f"      {name}: {list(p.shape)} ~ {p.init}{penalty}{constraint}{', frozen' * p.frozen}"


def _cell(body: Recurrence) -> Iterator[str]:
    """Yield the lines of what one step of a cell computes."""
    for step in body.steps:
        attrs = ", ".join([*step.ins, *step.weights, *_arguments(step.attrs)])
        before = "   # of all steps, before the loop" if step.path in body.whole else ""
        yield f"      . {step.path} = {step.layer.name}({attrs}){before}"
    yield from (f"      . next {state.name} = {state.after}" for state in body.states)
    yield f"      . output {body.output}"


def _arguments(attrs: Attrs) -> list[str]:
    return [f"{name} = {show(value)}" for name, value in attrs.items()]


def _train(train: Train) -> Iterator[str]:
    for term in train.losses:
        arguments = ", ".join([*term.operands, *_arguments(term.attrs)])
        kinds = ", ".join(term.targets.values())
        yield f"  loss   {term.weight} * {term.loss.name}({arguments})" + f"   target: {kinds}" * bool(kinds)
    yield f"  optim  {train.optimizer.name}({', '.join(_arguments(train.optimizer.attrs))})"
    if train.weight_decay:
        yield f"  decay  weight_decay({show(train.weight_decay)})"
    batch, shuffle = train.batch or "all", show(train.shuffle)
    yield f"  epochs {train.epochs}, batch {batch}, shuffle {shuffle}, seed {train.seed}"
    yield from (f"  {name:6} {_setting(chosen.value)}" for name, chosen in train.settings.items())
    if train.clip:
        yield f"  clip   {train.clip}"
    yield from (f"  stop   {_stop(s)}" for s in train.stops)
    if train.checkpoint:
        yield f"  checkpoint {_checkpoint(train.checkpoint)}"
    yield from (f"  metric {m.key} of ({m.output}, {m.target})" for m in train.metrics)


def _turn(turn: Turn) -> Iterator[str]:
    yield f"  train  {turn.name}: {turn.steps} updates of {', '.join(turn.updates)}"
    yield from (f"    {h.name} = gradient({h.of}) of {h.source}" for h in turn.handed)
    apart = replace(turn.train, metrics=())
    yield from (f"  {line}" for line in _train(apart))


def _setting(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _checkpoint(checkpoint: Checkpoint) -> str:
    best = f", the best by {checkpoint.best_by} besides" if checkpoint.best_by else ""
    return f"every {checkpoint.every} epochs{best}"


def _stop(stop: Stop) -> str:
    if isinstance(stop, StopAfter):
        return f"minutes({show(stop.minutes)})"
    if isinstance(stop, StopWhen):
        return f"when({stop.quantity} {stop.op} {show(stop.threshold)})"
    return f"early({stop.quantity}, patience = {stop.patience}, min_delta = {show(stop.min_delta)})"


def _data(data: Data) -> Iterator[str]:
    yield from (f"  data   {name}: {len(rows)} examples inline" for name, rows in data.inline.items())
    if data.source and data.source.formats:
        yield from (f"  {part:6} {_array_files(file)}" for part, file in {"data": data.source, **data.files}.items())
    elif data.source:
        fields = _arguments({name: list(keys) for name, keys in data.source.fields.items()})
        yield f"  data   {data.source.format}({', '.join([show(data.source.path), *fields])})"
        if data.source.windows:
            spans = (f"{name} from t{start:+} to t{stop - 1:+}" for name, (start, stop) in data.source.windows.items())
            yield f"  data   windows: {', '.join(spans)}"
        yield from (f"  {part:6} {file.format}({show(file.path)})" for part, file in data.files.items())
    for name, ways in data.prepared.items():
        made_of = f" of {data.made_of[name]}" if name in data.made_of else ""
        yield f"  made   {name}{made_of}: {', then '.join(map(str, ways))}"
    if data.split:
        yield f"  split  {', '.join([*_arguments(data.split.fractions), *_goes_by(data.split)])}"


def _array_files(source: FileSource) -> str:
    return "  ".join(f"{name} = {source.formats[name]}({show(file)})" for name, (file,) in source.fields.items())


def _goes_by(split: Split) -> Iterator[str]:
    """Yield what a split goes by; where nothing is drawn there is no seed."""
    if split.order:
        yield f"order = {split.order}"
        return
    yield from [f"stratify = {split.stratify}"] if split.stratify else []
    yield from ["groups = column"] if split.grouped else []
    yield f"seed = {split.seed}"
