"""How a training loop of TensorFlow does what the settings of `train` say: a file for each that it can.

An epoch is one graph. What cannot be in it, or in training that is spread over devices, is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from dotnn.core.diagnostics import CompileError
from dotnn.core.registry import collect
from dotnn.model import messages
from dotnn.model.model import Model

IN_A_GRAPH = "an epoch is one graph there, and this cannot be part of it"
SPREAD = "where a batch is spread over several devices"


@dataclass(frozen=True)
class Setting:
    """How one setting is written.

    lines   (model, value) -> the lines of what the loop calls
    shows   whether what is evaluated and kept are the averages of an object `average`
    refuses (model, value) -> why it cannot be written, "" where it can
    """

    name: str
    lines: Callable[[Model, Any], list[str]]
    shows: bool = False
    refuses: Callable[[Model, Any], str] = lambda model, value: ""


SETTINGS: dict[str, Setting] = collect(__name__, __path__, Setting)


def check(model: Model, distribute: str) -> None:
    """Raise `CompileError` for the settings that cannot be written."""
    found = []
    for name, chosen in model.train.settings.items():
        reason = SETTINGS[name].refuses(model, chosen.value) if name in SETTINGS else IN_A_GRAPH
        if reason or distribute:
            shown = reason or f"it is not written {SPREAD}"
            help = "leave --distribute out" if distribute and not reason else "use --target numpy"
            found.append(messages.training.setting_unwritten(chosen.span, name, "TensorFlow", shown, help))
    if distribute and model.train.shuffle == "batches":
        reason, help = f"batches are not kept {SPREAD}", "leave --distribute out"
        found.append(messages.training.setting_unwritten(None, "shuffle = batches", "TensorFlow", reason, help))
    if found:
        raise CompileError(found, model.source)


def lines(model: Model) -> list[str]:
    """Return the lines of what the loop calls."""
    made = [SETTINGS[name].lines(model, chosen.value) for name, chosen in model.train.settings.items()]
    return [line for some in made if some for line in [*some, "", ""]]


def shows_average(model: Model) -> bool:
    """Whether what is evaluated and kept are averages."""
    return any(SETTINGS[name].shows for name in model.train.settings)
