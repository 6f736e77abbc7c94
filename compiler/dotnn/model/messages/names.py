"""Names that are unknown, given twice, reserved, circular or never used (NN201, NN205 to NN207, NN229)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from dotnn.core.diagnostics import Diagnostic, Span, did_you_mean
from dotnn.model.way import Way


def free_size(span: Span, name: str, near: str, reason: str, way: Way) -> Diagnostic:
    help = f'did you mean "{near}"?' if near else f"data that say it bind it, and so does {way.before}{name}=4"
    return Diagnostic("NN201", f'"{name}" is not defined', span, reason, help)


def two_sizes(span: Span, name: str, first: str, second: str, way: Way) -> Diagnostic:
    return Diagnostic(
        "NN204",
        f"{name} is {first}, but {second}",
        span,
        help=f"give what differs a name of its own, or {way.before}{name}=…",
    )


def unknown_name(span: Span, name: str, known: Iterable[str]) -> Diagnostic:
    help = did_you_mean(name, list(known)) or "define it in `params`, or write a number"
    return Diagnostic("NN201", f'"{name}" is not defined', span, help=help)


def outside_the_block(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN201",
        f'"{name}" is not defined inside this block',
        span,
        help=f"a block sees only what is passed to it: declare a second input, and pass {name} at the call",
    )


def duplicate_name(span: Span, name: str, place: str) -> Diagnostic:
    return Diagnostic(
        "NN205",
        f'"{name}" is defined twice',
        span,
        f"first defined in {place}",
        "a name has one meaning: give one of them another name",
    )


def duplicate_key(span: Span, name: str, line: int) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is set twice', span, f"first set in line {line}", "delete one of the two lines"
    )


def name_is_parameter(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN205", f'"{name}" is defined twice: it is already a parameter', span, help="give one of them another name"
    )


def reserved_name(span: Span, name: str) -> Diagnostic:
    return Diagnostic(
        "NN229",
        f'"{name}" has a meaning of its own (a layer, a block or a word of the language)',
        span,
        help=f"choose another name, such as {name}1",
    )


def cycle(span: Span, names: Sequence[str], help: str = "") -> Diagnostic:
    path = ", ".join(f"{a} needs {b}" for a, b in zip(names, [*names[1:], names[0]], strict=True))
    itself = f"a name has one value: call the new one {names[0]}2, or start from an input"
    around = "break the circle: a line can only use values that are computed without it"
    return Diagnostic(
        "NN206",
        f"these definitions depend on each other in a circle: {path}",
        span,
        help=help or (itself if len(names) == 1 else around),
    )


UNUSED = {
    "value": "use it in another line, make it an output, or delete the line",
    "layer": "pipe a value into it: x -> {name}; or delete the line",
    "input": "pipe it into a layer, or delete the line",
    "target": "compare an output with it in the loss: loss = mse(y, {name}); or delete the line",
    "param": "compute something with it, such as x @ {name}, or delete the line",
    "state": "read it in a line of the cell, or delete it",
    "parameter": "write it where its value belongs, or delete it",
    "cell": "use it in the model: x -> {name}(8); or delete it",
    "block": "use it in the model: x -> {name}; or delete it",
}


def unused_value(span: Span, name: str, what: str) -> Diagnostic:
    said = "parameter" if what == "param" else what
    return Diagnostic("NN207", f'the {said} "{name}" is never used', span, help=UNUSED[what].replace("{name}", name))
