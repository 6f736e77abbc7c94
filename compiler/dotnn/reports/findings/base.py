"""What a finding is, and how the fix that it names can be tried."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from dotnn.core.arguments import Symbol
from dotnn.core.diagnostics import CompileError, Span
from dotnn.model.constants import ConstCall
from dotnn.model.resolve import ORACLES, resolve
from dotnn.reports.data_summary import column_names
from dotnn.reports.seen import Layer, Seen
from dotnn.syntax.nodes import Assign
from dotnn.syntax.parse import parse

FAR_FROM_ZERO = 10.0
"""An input of a larger mean size is called unscaled."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: what, with its `numbers` by name; where in the spec; what to do about it.

    A `minor` one is to be looked at: it does no harm, or the network has learned well in spite of it. One that
    `follows` is explained by what is wrong with the training or the layers, if anything is found that is worse.
    """

    finding: str
    message: str
    place: str
    fix: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    minor: bool = False
    follows: bool = False

    def as_json(self) -> dict[str, object]:
        """Return it as `--json` prints it."""
        return {
            "finding": self.finding,
            "message": self.message,
            "place": self.place,
            "fix": self.fix,
            "minor": self.minor,
            "numbers": {name: n if math.isfinite(n) else None for name, n in self.numbers.items()},
        }


@dataclass(frozen=True)
class Finding:
    """Something that can be wrong with a training. `look` yields a fault for each place where it is.

    The lower its `rank`, the worse: what has a lower one may be the cause of what has a higher one.
    One `of_layers` is a sign of what hinders learning, one `of_data` says nothing of the network.
    One `of_a_loss` goes by the loss of a training or its gradient: where sections take turns, their sum says nothing.
    """

    name: str
    doc: str
    rank: int
    look: Callable[[Seen], Iterator[Fault]]
    of_a_loss: bool = False
    of_layers: bool = False
    of_data: bool = False


def way_to_try(seen: Seen, span: Span | None, change: str, values: Mapping[str, str]) -> str:
    """Return how a change is tried: by `--set`, where a parameter of the spec stands at its place and may be so.

    `values` maps a word, or a number, that such a parameter must hold now to what it is to be.
    """
    constants = seen.model.constants
    text = re.sub(r"\bbias_init\s*=\s*\w+", "", seen.model.source.text_at(span) if span else "")  # no fix is of a bias
    words = [word for word in re.findall(r"[A-Za-z_]\w*", text) if word in constants]
    for word in dict.fromkeys(words):
        wanted = values.get(_said(constants[word]), "")
        if wanted and _may_be(seen, word, wanted):
            return f"{change}: --set {word}={wanted}"
    return change


def _may_be(seen: Seen, word: str, wanted: str) -> bool:
    """Whether the spec takes a setting in place of the run's own and beside its others: a parameter has limits."""
    source, others = seen.model.source, [text for text in seen.sets if text.partition("=")[0].strip() != word]
    try:
        resolve(parse(source), source, [*others, f"{word}={wanted}"], [*ORACLES, *seen.model.check.against])
    except CompileError:
        return False
    return True


def _said(value: object) -> str:
    """Return what a parameter holds in one word: a number, or the name of a member of the library without arguments."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:g}"
    name = value.call.func.id if isinstance(value, ConstCall) else getattr(value, "name", value)
    return str(name) if isinstance(name, str | Symbol) else ""


def unscaled(seen: Seen) -> tuple[str, str]:
    """Return which input is far from zero as it reaches the network, in words, and the line that mends it; "" for none.

    Weights start for inputs of a deviation near 1; units of sigmoid or tanh are flat where a few times 10 reach them.
    """
    for name, value in seen.graph.inputs.items():
        if value.type.dtype == "real":
            columns = np.abs(seen.chosen[name].reshape(len(seen.chosen[name]), -1)).mean(axis=0)
            column = int(columns.argmax())
            if columns[column] > FAR_FROM_ZERO:
                called = column_names(seen.model, name, columns.size)[column]
                return f"{called} is {columns[column]:.3g} on average", f"scale = standard({name})"
    return "", ""


def place(seen: Seen, span: Span | None) -> str:
    """Return the line of the spec."""
    return seen.model.source.place(span)


def column_place(seen: Seen, name: str, column: str) -> Span | None:
    """Return where the spec names a column of an input, or the file that has it; the input where no file has it."""
    source = seen.model.data.source if seen.model.data else None
    return source.places.get(column, source.span) if source is not None else seen.model.inputs[name].span


def place_of(seen: Seen, layer: Layer) -> str:
    """Return the line of the statement of a layer."""
    return place(seen, layer.step.places.statement or layer.step.span)


def statement_of(layer: Layer) -> Span:
    """Return where the statement of a layer is, with all that it calls."""
    return layer.step.places.statement or layer.step.span


def hidden(seen: Seen, layers: list[Layer]) -> list[Layer]:
    """Return the layers that are no output."""
    ends = set(seen.model.outputs.values())
    return [layer for layer in layers if layer.name not in ends]


def key_span(seen: Seen, section: str, key: str) -> Span | None:
    """Return where a section of the spec gives a key, the section where it does not."""
    found = [part for part in parse(seen.model.source).sections if part.keyword == section]
    given = [line for part in found for line in part.statements if isinstance(line, Assign) and line.name.id == key]
    return next((line.span for line in given), found[0].span if found else None)
