"""Reading windows of a series: how many steps each input and target has, and of which columns."""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.core.arguments import POSITIVE_INT, Arg
from dotnn.core.diagnostics import Span
from dotnn.model import messages
from dotnn.model.bind import convert
from dotnn.model.constants import Constants
from dotnn.model.messages.base import Fail
from dotnn.model.model import Declared
from dotnn.model.preparations import Declarations, declared_name
from dotnn.syntax import nodes

AT_THE_STEP = (0, 1)
"""What an input or target has that names no number of steps: the step t."""
KEY = (0, 0)
"""What a column has that says how the rows go together: no step."""


def read_spans(call: nodes.Call, constants: Constants, declared: Declarations) -> dict[str, tuple[int, int]]:
    """Return the steps of each input and target that a call of `windows` names: the first, and the one behind the last.

    Raises `Fail`.
    """
    spans: dict[str, tuple[int, int]] = {}
    for arg in call.args[1:]:
        if arg.name is None:
            raise Fail(messages.data.windows_form(arg.span, "a number of steps is given by its input or target"))
        item = declared_name(arg.name, declared)
        if item.name in spans:
            raise Fail(messages.calls.repeated_argument(arg.span, "windows", item.name))
        count = convert("windows", Arg(item.name, POSITIVE_INT, doc="how many steps it has"), arg.value, constants)
        spans[item.name] = (-count, 0) if item.role == "input" else (0, count)
    if not spans:
        raise Fail(messages.data.windows_form(call.span, "nothing says how many steps a window has"))
    return spans


def check_windows_shape(item: Declared, span: tuple[int, int], columns: int, place: Span) -> None:
    """Raise `Fail` where so many steps of so many columns are not what an input or target declares."""
    steps, shape = span[1] - span[0], item.type.example
    fits: set[tuple[int, ...]] = {(steps, columns)} if steps > 1 else {(columns,)}
    if columns == 1:
        fits |= {(steps,)} if steps > 1 else {()}
    if shape not in fits:
        raise Fail(messages.data.windows_shape(place, item.name, str(list(shape)), steps, columns))


def shared_columns(series: Mapping[str, tuple[str, ...]], name: str, place: Span) -> tuple[str, ...]:
    """Return the columns of the series that all take which have none of their own. Raises `Fail`."""
    if len(series) != 1:
        what = f"which of {' and '.join(series)} it has" if series else "of which columns it is"
        help = f'name them: windows(csv("file.csv", {name} = [columns]), {name} = 24)'
        raise Fail(messages.data.windows_form(place, f"nothing says of {name} {what}", help))
    return next(iter(series.values()))
