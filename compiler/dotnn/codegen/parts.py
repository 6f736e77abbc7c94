"""What a setting of `train` adds to a training loop: statements, by the moment of the loop that they belong to.

Every target says it in its own words, in its folder `settings`: a file for each setting of `model.settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from dotnn.codegen import tree

Statements = tuple[tree.Stmt, ...]


@dataclass(frozen=True)
class Part:
    """What a setting adds to a loop.

    functions what the loop calls
    setup     statements where the parameters and the optimizer's memory are made
    kept      entries of the state that training goes on from, with what they are before the first epoch
    together  such entries by the names of parameters: sections that take turns have one of all of them
    held      entries of the state that are dicts of arrays, which a resumed training fills
    gradient  statements between the gradient, which is clipped by then, and the update
    updated   statements after an update
    epoch     statements after the updates of an epoch, before its figures
    shown     the parameters that figures and results are of, "" for those that are trained
    wraps     name of the function that returns the loss and the gradients of a batch -> the name of one around it
    draws     whether it draws numbers
    resampled whether training is on examples that `resampled(examples, seed)` draws
    """

    functions: Sequence[tree.Item] = ()
    setup: Statements = ()
    kept: Mapping[str, str] = field(default_factory=dict)
    together: Mapping[str, str] = field(default_factory=dict)
    held: Mapping[str, str] = field(default_factory=dict)
    gradient: Statements = ()
    updated: Statements = ()
    epoch: Statements = ()
    shown: str = ""
    wraps: Callable[[str], tuple[str, tree.Item]] | None = None
    draws: bool = False
    resampled: bool = False


def shown(parts: Sequence[Part], trained: str = "params") -> str:
    """Return the parameters that figures and results are of."""
    return next((part.shown for part in parts if part.shown), trained)


def wrapped_pass(parts: Sequence[Part], innermost: str) -> tuple[str, list[tree.Item]]:
    """Return the function that returns the loss and the gradients of a batch, and those that are put around it."""
    name, functions = innermost, []
    for part in parts:
        if part.wraps is not None:
            name, function = part.wraps(name)
            functions.append(function)
    return name, functions
