"""The resolved model as text, for `dotnn dump --stage model`."""

from __future__ import annotations

from dotnn.model.model import Model
from dotnn.schema import show


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
            penalty = f", penalty {p.penalty}" if p.penalty else ""
            lines.append(f"      {full}: {list(p.shape)} ~ {p.init}{penalty}")
    lines += [f"  output {name} = {path}" for name, path in model.outputs.items()]
    t = model.train
    for term in t.losses:
        attrs = "".join(f", {k} = {show(v)}" for k, v in term.attrs.items())
        call = f"{term.loss.name}({term.output}, {term.target}{attrs})"
        lines.append(f"  loss   {term.weight} * {call}   target: {term.target_kind}")
    lines.append(f"  optim  {t.optimizer.name}({', '.join(f'{k} = {show(v)}' for k, v in t.optimizer.attrs.items())})")
    lines.append(f"  epochs {t.epochs}, batch {t.batch or 'all'}, shuffle {show(t.shuffle)}, seed {t.seed}")
    return "\n".join(lines) + "\n"


def _place(model: Model, step: object) -> str:
    return f"line {model.source.line_of(step.span)}"  # type: ignore[attr-defined]
