"""How a target says what a training loop needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dotnn.codegen import tree
from dotnn.codegen.called import Names
from dotnn.codegen.parts import Statements

RECORD = "history[-1]"
"""The record of the epoch that has just ended."""
COPIES = "{name: w.copy() for name, w in params.items()}"


@dataclass(frozen=True)
class Words:
    """What a loop says in the words of a target.

    figures      the loss and the metrics of the training part, as a record has them
    val_figures  those of the validation part
    shows        statements before the figures
    best         names of a training -> the best of its parameters, which stay as they are
    first        the best before the first epoch, where nothing takes turns
    back         (names, the best) -> the statements that put the best parameters of a section back
    finite       what tests a number
    seconds      how long training has taken
    memory       (names, entry) -> how an entry of the optimizer's memory is set
    remarks      a comment for the rules that stop, by the section, "" for the only training
    """

    figures: str = "evaluate(params, examples, scaling)"
    val_figures: str = 'evaluate(params, parts["val"], scaling)'
    shows: Statements = ()
    best: Callable[[Names], str] = lambda names: COPIES
    first: str = COPIES
    back: Callable[[Names, str], Statements] = lambda names, best: ()
    finite: str = "math.isfinite"
    seconds: str = "time.monotonic() - started"
    memory: Callable[[Names, str], str] = lambda names, entry: f'{names.entry("memory")}["{entry}"]'
    remarks: Mapping[str, tree.Note] = field(default_factory=dict)
