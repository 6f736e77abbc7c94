"""The resolved model as text, for `dotnn dump --stage model`."""

from __future__ import annotations

from dotnn.core.arguments import show
from dotnn.model.model import Data, Model, Stop, StopAfter, StopWhen


def describe_model(model: Model) -> str:
    """Return every declaration, step and parameter with all defaults written out."""
    lines = [f"model {model.name}   ({model.size:,} parameters)"]
    lines += [f"  param  {name} = {show(value)}" for name, value in model.constants.items()]
    for declared in (*model.inputs.values(), *model.targets.values()):
        kind = f"{declared.kind}[{declared.bound}]" if declared.bound else str(declared.type)
        lines.append(f"  {declared.role:6} {declared.name}: {kind}")
    for step in model.steps:
        attrs = "".join(f", {k} = {show(v)}" for k, v in step.attrs.items())
        lines.append(
            f"  {step.path} = {step.layer.name}({', '.join(step.ins)}{attrs}): {step.type}   # {_place(model, step)}"
        )
        for full in step.params.values():
            p = model.params[full]
            more = f", penalty {p.penalty}" if p.penalty else ""
            more += f", constraint {p.constraint}" if p.constraint else ""
            lines.append(f"      {full}: {list(p.shape)} ~ {p.init}{more}")
    lines += [f"  output {name} = {path}" for name, path in model.outputs.items()]
    t = model.train
    for term in t.losses:
        attrs = "".join(f", {k} = {show(v)}" for k, v in term.attrs.items())
        call = f"{term.loss.name}({term.output}, {term.target}{attrs})"
        lines.append(f"  loss   {term.weight} * {call}   target: {term.target_kind}")
    lines.append(f"  optim  {t.optimizer.name}({', '.join(f'{k} = {show(v)}' for k, v in t.optimizer.attrs.items())})")
    lines += [f"  decay  weight_decay({show(t.weight_decay)})"] if t.weight_decay else []
    lines.append(f"  epochs {t.epochs}, batch {t.batch or 'all'}, shuffle {show(t.shuffle)}, seed {t.seed}")
    lines += [f"  clip   {t.clip}"] if t.clip else []
    lines += [f"  stop   {_stop(s)}" for s in t.stops]
    if t.checkpoint:
        best = f", the best by {t.checkpoint.best_by} besides" if t.checkpoint.best_by else ""
        lines.append(f"  checkpoint every {t.checkpoint.every} epochs{best}")
    lines += [f"  metric {m.key} of ({m.output}, {m.target})" for m in t.metrics]
    lines += _data(model.data) if model.data else []
    return "\n".join(lines) + "\n"


def _stop(stop: Stop) -> str:
    if isinstance(stop, StopAfter):
        return f"minutes({show(stop.minutes)})"
    if isinstance(stop, StopWhen):
        return f"when({stop.quantity} {stop.op} {show(stop.threshold)})"
    return f"early({stop.quantity}, patience = {stop.patience}, min_delta = {show(stop.min_delta)})"


def _data(data: Data) -> list[str]:
    lines = [f"  data   {name}: {len(rows)} examples inline" for name, rows in data.inline.items()]
    if data.source:
        fields = ", ".join(f"{name} = {show(list(keys))}" for name, keys in data.source.fields.items())
        lines.append(f"  data   {data.source.format}({show(data.source.path)}, {fields})")
    for scale in data.scales:
        attrs = "".join(f", {k} = {show(v)}" for k, v in scale.attrs.items())
        lines.append(f"  scale  {scale.method}({', '.join(scale.names)}{attrs}), fitted on the training part")
    lines += [f"  one_hot {name}" for name in data.one_hot]
    if data.split:
        parts = ", ".join(f"{k} = {show(v)}" for k, v in data.split.fractions.items())
        by = f", stratify = {data.split.stratify}" if data.split.stratify else ""
        lines.append(f"  split  {parts}{by}, seed = {data.split.seed}")
    return lines


def _place(model: Model, step: object) -> str:
    return f"line {model.source.line_of(step.span)}"  # type: ignore[attr-defined]
