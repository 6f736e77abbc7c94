"""Which line of a fast script is to blame for a wrong prediction."""

from __future__ import annotations

from dataclasses import replace

from ..probing.predictions import FoundWrong, WrongPrediction
from ..report.results import Blame, Pattern
from ..tracing.traced import TracedScript
from .checks import blame_for_exception
from .localise import blame_at
from .step_trace import first_strange_prediction
from .training import line_of

FUNCTIONS = ("make_forward", "make_evaluate", "evaluate", "predict")
"""The functions that predict, and make figures of predictions."""


def blame_for_prediction(script: TracedScript, found: FoundWrong) -> Blame | None:
    """Return the line to blame for what V12 has found, None for nothing."""
    if found is None:
        return None
    if not isinstance(found, WrongPrediction):
        return blame_for_exception(script, found)
    note = first_strange_prediction(script, found.params, found.examples)
    if note is not None:
        place = script.structure.place(note.line)
        words = f"{note.name} is not what the function forward says it is in prediction mode."
        return blame_at(note.name, note.name, place, place, Pattern("wrong value", words))
    place = script.structure.place(line_of(script, "predict"))
    pattern = Pattern("wrong prediction", f"{found}.")
    return replace(blame_at(found.name, "", place, place, pattern), functions=FUNCTIONS)
