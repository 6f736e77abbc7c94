"""The tables of the reference manual, made from the registries: what a layer takes is written down once.

They are all that lies between `<!-- generated: NAME -->` and `<!-- end -->` in a page; a test compares the page with
what this module makes of it.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from dotnn.core import limits
from dotnn.core.arguments import BOOL, REQUIRED, Arg, show
from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS, Init
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.metrics import METRICS
from dotnn.library.optimizers import OPTIMIZERS, Optimizer
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES
from dotnn.library.sources import SOURCES
from dotnn.model import data, messages, resolve, stops, train
from dotnn.syntax.errors import SYNTAX_ERRORS, TEXT_ERRORS

Rows = Iterable[Sequence[str]]


# ------------------------------------------------------------------------------------------------------- pieces


def table(head: Sequence[str], rows: Rows) -> str:
    """Return a Markdown table; a bar inside a cell does not end it."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def signature(name: str, args: Sequence[Arg], before: Sequence[str] = ()) -> str:
    """Return the call with all defaults written out."""
    shown = [*before, *(a.name if a.default is REQUIRED else f"{a.name} = {_default(a)}" for a in args)]
    return f"`{name}({', '.join(shown)})`" if shown else f"`{name}`"


def _default(arg: Arg) -> str:
    return arg.default if arg.kind.choices and isinstance(arg.default, str) else show(arg.default)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _arguments(entries: Iterable[tuple[str, Sequence[Arg]]]) -> str:
    """Return the table of all arguments; equal ones of several owners share a row."""
    owners: dict[tuple[str, ...], list[str]] = {}
    for name, args in entries:
        for arg in args:
            default = "must be given" if arg.default is REQUIRED else _code(_default(arg))
            owners.setdefault((_code(arg.name), arg.kind.expected, default, arg.doc), []).append(_code(name))
    rows = [(row[0], ", ".join(names), *row[1:]) for row, names in owners.items()]
    return table(("argument", "of", "must be", "default", "means"), rows)


# ----------------------------------------------------------------------------------------------------- registries


def _layers(family: str) -> str:
    chosen = [layer for layer in LAYERS.values() if layer.family == family]
    operands = {"join": ["a", "b"]}.get(family, [])
    rows = []
    for layer in chosen:
        more = ["…"] if layer.arity[1] is None else []
        call = signature(layer.name, layer.args, [*operands, *more] if operands else [])
        rows.append((call, layer.doc, _code(layer.equation), layer.keras))
    parts = [table((family, "does", "equation", "Keras"), rows)]
    if any(layer.args for layer in chosen):
        parts.append(_arguments((layer.name, layer.args) for layer in chosen))
    return "\n\n".join(parts)


_TARGETS = {
    "real": "numbers",
    "unit": "numbers from 0 to 1",
    "sign": "-1 or +1",
    "class": "`class[n]`, or one-hot rows",
}


def _losses() -> str:
    rows = [
        (signature(loss.name, loss.args, ("y", "t")), loss.doc, _code(loss.equation), _TARGETS[loss.target], loss.keras)
        for loss in LOSSES.values()
    ]
    head = ("loss", "is", "equation", "target holds", "Keras")
    return f"{table(head, rows)}\n\n{_arguments((loss.name, loss.args) for loss in LOSSES.values())}"


def _optimizers() -> str:
    parts = [_optimizer(optimizer) for optimizer in OPTIMIZERS.values()]
    return "\n\n".join([*parts, _arguments((o.name, o.args) for o in OPTIMIZERS.values())])


def _optimizer(optimizer: Optimizer) -> str:
    about = f"{optimizer.doc} Source: {optimizer.source}. Keras: {optimizer.keras}."
    lines = [f"**{signature(optimizer.name, optimizer.args)}** {about}", "```text"]
    for label, attrs in _variants(optimizer):
        lines += [f"# {label}"] if label else []
        lines += optimizer.equations(attrs)
    return "\n".join([*lines, "```"])


def _variants(optimizer: Optimizer) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Return the settings under which the equations differ: all defaults, then each switched-off argument put on."""
    attrs = {a.name: None if a.default is REQUIRED else a.default for a in optimizer.args}
    seen = {optimizer.equations(attrs)}
    yield "", attrs
    for arg in optimizer.args:
        if not attrs[arg.name] and arg.default is not REQUIRED:
            attrs = {**attrs, arg.name: True if arg.kind is BOOL else 0.9}
            if optimizer.equations(attrs) not in seen:
                seen.add(optimizer.equations(attrs))
                yield f"with {arg.name}", attrs


def _schedules() -> str:
    parts = [
        f"**{signature(s.name, s.args)}** {s.doc} Source: {s.source}. Keras: {s.keras}.\n"
        + "\n".join(["```text", *s.equations, "```"])
        for s in SCHEDULES.values()
    ]
    return "\n\n".join([*parts, _arguments((s.name, s.args) for s in SCHEDULES.values())])


def _clips() -> str:
    rows = [(signature(c.name, c.args), c.doc, _code(c.equation), c.source, c.keras) for c in CLIPS.values()]
    head = ("way to clip", "acts on", "equation", "source", "Keras")
    return f"{table(head, rows)}\n\n{_arguments((c.name, c.args) for c in CLIPS.values())}"


def _constraints() -> str:
    rows = [(signature(c.name, c.args), c.doc, _code(c.equation), c.source, c.keras) for c in CONSTRAINTS.values()]
    head = ("constraint", "is", "equation", "source", "Keras")
    return f"{table(head, rows)}\n\n{_arguments((c.name, c.args) for c in CONSTRAINTS.values())}"


def _inits() -> str:
    rows = [(signature(i.name, i.args), i.doc, _code(_draw(i)), i.keras) for i in INITS.values()]
    head = ("initialiser", "is", "in NumPy", "Keras")
    return f"{table(head, rows)}\n\n{_arguments((i.name, i.args) for i in INITS.values())}"


def _draw(init: Init) -> str:
    attrs = {a.name: a.name if a.default is REQUIRED else a.default for a in init.args}
    template = init.numpy if isinstance(init.numpy, str) or init.numpy is None else init.numpy(attrs)
    return template.format(shape="shape", n_in="n_in", n_out="n_out", **attrs) if template else ""


def _penalties() -> str:
    rows = [(signature(p.name, p.args), p.doc, p.keras) for p in PENALTIES.values()]
    return f"{table(('penalty', 'is', 'Keras'), rows)}\n\n{_arguments((p.name, p.args) for p in PENALTIES.values())}"


def _metrics() -> str:
    rows = [(signature(m.name, m.args), m.doc, ", ".join(m.functions), m.better) for m in METRICS.values()]
    head = ("metric", "is", "for targets that are", "better is")
    return f"{table(head, rows)}\n\n{_arguments((m.name, m.args) for m in METRICS.values())}"


# ------------------------------------------------------------------------------------------------ keys of sections

_BY_HAND = {
    "loss": "`loss(output, target)`, or a weighted sum of such terms. Must be given",
    "optim": "an optimizer; default `sgd(0.01)`",
    "stop": "`when(quantity < number)`, `early(quantity, …)`, `minutes(number)`, or a list of them; default: none",
    "checkpoint": "`every(epochs, keep = last)`: what `dotnn train --resume` goes on from; default: none",
    "metrics": "a metric, or a list; default: none",
    "source": " or ".join(f"`{s.form[:-1]}, …)`" for s in SOURCES.values()),
    "scale": "a scaling, or a list of them; fitted on the training part, undone on prediction",
    "one_hot": "names of inputs or targets whose class numbers become one-hot rows",
    "split": "`split(train = 80%, val = 10%, test = 10%, seed = 0, stratify = target)`; default: all for training",
    "against": f"a list of {', '.join(resolve.ORACLES)}; default: what the command line says",
}


def _keys(names: Iterable[str], args: Iterable[Arg]) -> str:
    by_name = {a.name: a for a in args}
    rows = []
    for name in names:
        arg = by_name.get(name)
        text = f"{arg.doc}; {arg.kind.expected}; default {_code(_default(arg))}" if arg else _BY_HAND[name]
        rows.append((_code(name), text))
    return table(("key", "is"), rows)


def _train() -> str:
    keys = _keys(train.TRAIN_KEY_NAMES, (*train.TRAIN_KEYS, *train.DEFAULT_KEYS))
    return f"{keys}\n\n{_arguments([('early', stops.EARLY), ('minutes', stops.MINUTES), ('every', train.CHECKPOINT)])}"


def _data() -> str:
    entries = [*data.SCALES.items(), ("split", data.SPLIT)]
    return f"{_keys(data.DATA_KEYS, ())}\n\n{_arguments(entries)}"


def _check() -> str:
    return _keys([*(a.name for a in resolve.CHECK_KEYS), "against"], resolve.CHECK_KEYS)


# ------------------------------------------------------------------------------------------------ limits and errors


def _limits() -> str:
    body = ast.parse(inspect.getsource(limits)).body
    rows = []
    for assign, doc in pairwise(body):
        if isinstance(assign, ast.Assign) and isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
            name = ast.unparse(assign.targets[0])
            rows.append((str(doc.value.value).rstrip("."), f"{getattr(limits, name):,}"))
    return table(("limit", "at most"), rows)


def _errors() -> str:
    found = {code: (text, "") for code, (text, _) in TEXT_ERRORS.items()}
    found |= {case.code: (case.message, _code(case.bad[0].replace("\n", " "))) for case in reversed(SYNTAX_ERRORS)}
    rows = [(code, _plain(text), bad) for code, (text, bad) in sorted(found.items())]
    rows += [(code, text, "") for code, text in sorted(_model_errors().items())]
    return table(("code", "says", "for instance for"), rows)


def _model_errors() -> dict[str, str]:
    """Return the codes of the model stage with what they say, read from the source of its wording."""
    found: dict[str, str] = {}
    modules = filter(inspect.ismodule, vars(messages).values())
    for function in ast.parse("".join(map(inspect.getsource, modules))).body:
        for call in ast.walk(function):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "Diagnostic":
                assert isinstance(function, ast.FunctionDef)
                text = _literal(call.args[1]) or function.name.replace("_", " ")
                found.setdefault(_literal(call.args[0]), text)
    return found


def _literal(text: ast.expr) -> str:
    """Return the text of a literal, `…` where something is filled in; "" where it is none."""
    if isinstance(text, ast.JoinedStr):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in text.values)
    return str(text.value) if isinstance(text, ast.Constant) else ""


def _plain(message: str) -> str:
    return re.sub(r"\{\w+\}", "…", message).replace("{{", "{").replace("}}", "}")


# --------------------------------------------------------------------------------------------------------- the page

SECTIONS: dict[str, Callable[[], str]] = {
    "layers": lambda: _layers("layer"),
    "activations": lambda: _layers("activation"),
    "joins": lambda: _layers("join"),
    "losses": _losses,
    "optimizers": _optimizers,
    "schedules": _schedules,
    "clips": _clips,
    "constraints": _constraints,
    "initialisers": _inits,
    "penalties": _penalties,
    "metrics": _metrics,
    "train": _train,
    "data": _data,
    "check": _check,
    "limits": _limits,
    "errors": _errors,
}
_PART = re.compile(r"(?<=<!-- generated: )(\w+)( -->\n).*?(?=<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """Return the page with every generated part made anew. Raises `KeyError` for a part that does not exist."""
    return _PART.sub(lambda m: f"{m[1]}{m[2]}{SECTIONS[m[1]]()}\n", page)


def parts(page: str) -> list[str]:
    """Return the names of the generated parts of a page."""
    return [m[1] for m in _PART.finditer(page)]
