"""A table for each family of the library."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from dotnn.commands.manual.markdown import TITLES, also, arguments, code, counterparts, signature, table
from dotnn.core.arguments import BOOL, REQUIRED, Attrs
from dotnn.library.augmentations import AUGMENTATIONS
from dotnn.library.averages import AVERAGES
from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS, Init
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES
from dotnn.library.metrics import METRICS
from dotnn.library.noises import NOISES
from dotnn.library.optimizers import OPTIMIZERS, Optimizer
from dotnn.library.penalties import PENALTIES
from dotnn.library.preparations import PREPARATIONS, Preparation
from dotnn.library.schedules import SCHEDULES
from dotnn.library.sources import SOURCES, DataSource


def _layers(family: str) -> str:
    chosen = [layer for layer in LAYERS.values() if layer.family == family]
    operands = {"join": ["a", "b"]}.get(family, [])
    rows = []
    for layer in chosen:
        more = ["…"] if layer.arity[1] is None else []
        call = signature(layer.name, layer.args, [*operands, *more] if operands else [])
        rows.append((call, layer.doc, code(layer.equation), *counterparts("layer", layer.name)))
    parts = [table((family, "does", "equation", *TITLES), rows)]
    if any(layer.args for layer in chosen):
        parts.append(arguments((layer.name, layer.args) for layer in chosen))
    return "\n\n".join(parts)


_TARGETS = {
    "real": "numbers",
    "unit": "numbers from 0 to 1",
    "sign": "-1 or +1",
    "class": "`class[n]`, or one-hot rows",
}


def _losses() -> str:
    rows = [
        (
            signature(loss.name, loss.args, ("y", "t")),
            loss.doc,
            code(loss.equation),
            _TARGETS[loss.target],
            *counterparts("loss", loss.op),
        )
        for loss in LOSSES.values()
    ]
    head = ("loss", "is", "equation", "target holds", *TITLES)
    return f"{table(head, rows)}\n\n{arguments((loss.name, loss.args) for loss in LOSSES.values())}"


def _optimizers() -> str:
    parts = [_optimizer(optimizer) for optimizer in OPTIMIZERS.values()]
    return "\n\n".join([*parts, arguments((o.name, o.args) for o in OPTIMIZERS.values())])


def _optimizer(optimizer: Optimizer) -> str:
    about = f"{optimizer.doc} Source: {optimizer.source}.{also('optimizer', optimizer.name)}"
    lines = [f"**{signature(optimizer.name, optimizer.args)}** {about}", "```text"]
    for label, attrs in _variants(optimizer):
        lines += [f"# {label}"] if label else []
        lines += map(str, optimizer.equations(attrs))
    return "\n".join([*lines, "```"])


def _variants(optimizer: Optimizer) -> Iterator[tuple[str, Attrs]]:
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
        f"**{signature(s.name, s.args)}** {s.doc} Source: {s.source}.{also('schedule', s.name)}\n"
        + "\n".join(["```text", *map(str, s.equations), "```"])
        for s in SCHEDULES.values()
    ]
    return "\n\n".join([*parts, arguments((s.name, s.args) for s in SCHEDULES.values())])


def _clips() -> str:
    rows = [
        (signature(c.name, c.args), c.doc, code(c.equation), c.source, *counterparts("clip", c.name))
        for c in CLIPS.values()
    ]
    head = ("way to clip", "acts on", "equation", "source", *TITLES)
    return f"{table(head, rows)}\n\n{arguments((c.name, c.args) for c in CLIPS.values())}"


def _averages() -> str:
    rows = [(signature(a.name, a.args), a.doc, code(a.equation), a.source) for a in AVERAGES.values()]
    return table(("average", "is", "equation", "source"), rows)


def _noises() -> str:
    rows = [(signature(n.name, n.args), n.doc, code(n.equation), n.source) for n in NOISES.values()]
    return table(("noise", "is added to", "equation", "source"), rows)


def _constraints() -> str:
    rows = [
        (signature(c.name, c.args), c.doc, code(c.equation), c.source, *counterparts("constraint", c.name))
        for c in CONSTRAINTS.values()
    ]
    head = ("constraint", "is", "equation", "source", *TITLES)
    return f"{table(head, rows)}\n\n{arguments((c.name, c.args) for c in CONSTRAINTS.values())}"


def _inits() -> str:
    rows = [(signature(i.name, i.args), i.doc, code(_draw(i)), *counterparts("init", i.name)) for i in INITS.values()]
    head = ("initialiser", "is", "in NumPy", *TITLES)
    return f"{table(head, rows)}\n\n{arguments((i.name, i.args) for i in INITS.values())}"


def _draw(init: Init) -> str:
    attrs = {a.name: a.name if a.default is REQUIRED else a.default for a in init.args}
    template = init.numpy if isinstance(init.numpy, str) or init.numpy is None else init.numpy(attrs)
    return template.format(shape="shape", n_in="n_in", n_out="n_out", **attrs) if template else ""


def _penalties() -> str:
    rows = [(signature(p.name, p.args), p.doc, *counterparts("penalty", p.name)) for p in PENALTIES.values()]
    return f"{table(('penalty', 'is', *TITLES), rows)}\n\n{arguments((p.name, p.args) for p in PENALTIES.values())}"


def _metrics() -> str:
    rows = [(signature(m.name, m.args), m.doc, ", ".join(m.functions), m.better) for m in METRICS.values()]
    head = ("metric", "is", "for targets that are", "better is")
    return f"{table(head, rows)}\n\n{arguments((m.name, m.args) for m in METRICS.values())}"


_SAID = {
    "missing": "missing = {}(x)",
    "scale": "scale = {}(x)",
    "one_hot": "one_hot = y",
    "input": "gaps = {}(x)",
    "column": "y = {}(price, …)",
    "declared": "input x: {}[n]",
}
"""How a spec says what is done to data, by the key of the preparation."""


def _preparations() -> str:
    rows = [(code(_said(p)), p.doc, _does(p)) for p in PREPARATIONS.values()]
    given = [p for p in PREPARATIONS.values() if p.args and p.key != "declared"]
    return f"{table(('preparation', 'does', ''), rows)}\n\n{arguments((p.name, p.args) for p in given)}"


def _said(way: Preparation) -> str:
    text = _SAID[way.key].format(way.name)
    text = text if way.args else text.replace("[n]", "")
    needs = way.key in ("missing", "scale") and any(arg.default is REQUIRED for arg in way.args)
    return text.replace("(x)", "(x, …)") if needs else text


def _does(way: Preparation) -> str:
    """Return what else there is to say of a preparation."""
    said = [("fitted on the training part", way.fit), ("undone on prediction", way.undo)]
    return ", ".join(text for text, there in said if there)


def _augmentations() -> str:
    rows = [
        (code(f"{a.name}{'(…)' if a.args and a.args[0].default is REQUIRED else ''}"), a.doc, _CHANGES[a.of], a.source)
        for a in AUGMENTATIONS.values()
    ]
    given = arguments((a.name, a.args) for a in AUGMENTATIONS.values())
    return f"{table(('augmentation', 'does', 'without names', 'source'), rows)}\n\n{given}"


_CHANGES = {
    "image": "every input [height, width, channels]",
    "input": "every input of real numbers",
    "all": "all inputs and targets",
}
"""What an augmentation is of that names nothing."""


def _sources() -> str:
    rows = [(code(s.form), s.doc, _named(s)) for s in SOURCES.values()]
    given = arguments((s.name, s.args) for s in SOURCES.values())
    return f"{table(('source', 'is', 'an input or target is'), rows)}\n\n{given}"


def _named(source: DataSource) -> str:
    if source.single or source.wraps == "files":
        return "a file of its own"
    if source.wraps == "rows":
        return "a list with an entry for each example"
    return "a column for each of its numbers" if source.table else "one array of any shape"


FAMILIES: dict[str, Callable[[], str]] = {
    "layers": lambda: _layers("layer"),
    "activations": lambda: _layers("activation"),
    "joins": lambda: _layers("join"),
    "losses": _losses,
    "optimizers": _optimizers,
    "schedules": _schedules,
    "clips": _clips,
    "constraints": _constraints,
    "averages": _averages,
    "noises": _noises,
    "initialisers": _inits,
    "penalties": _penalties,
    "metrics": _metrics,
    "sources": _sources,
    "preparations": _preparations,
    "augmentations": _augmentations,
}
"""What makes the table of a family."""
