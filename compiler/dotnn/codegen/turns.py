"""Sections that take turns: what their training loops have in common, whatever the style.

On each batch every section takes its updates, in the order of the spec. What belongs to one section has its name: the
functions end with it (`update_critic`), and the record of an epoch begins with it (`critic.loss`).
"""

from __future__ import annotations

from collections.abc import Sequence

from dotnn.codegen import training, tree
from dotnn.codegen.called import TABLE
from dotnn.codegen.sections import Section
from dotnn.model.model import Model
from dotnn.model.turns import predicting


def predicts(model: Model) -> str:
    """Return the name of the section whose pass predicts."""
    return predicting(model).name


def turn_of(section: Section, body: Sequence[tree.Stmt]) -> list[tree.Stmt]:
    """Return the statements of a section's turn on a batch, as often as it takes one, until it has ended."""
    made: list[tree.Stmt] = list(body)
    if section.steps > 1:
        made = [tree.For(f"for _ in range({section.steps})", tuple(made))]
    return [tree.If(section.goes_on, tuple(made))] if section.stops else made


def added(section: Section, loss: str = "float(loss)") -> str:
    """Return what a loss adds to the sum of an epoch's."""
    steps = section.steps
    if training.sums(section.model):
        return f"{loss}{f' / {steps}' * (steps > 1)}"
    return f"{loss} * len(chosen) / {f'({steps} * count)' if steps > 1 else 'count'}"


def sums(sections: Sequence[Section]) -> tree.Stmt:
    """Return the statement before the batches of an epoch: the losses of the sections that have not ended."""
    if any(s.stops for s in sections):
        return tree.assign("losses", f'{{name: 0.0 for name in {TABLE} if not state["ended"].get(name)}}')
    return tree.assign("losses", f"dict.fromkeys({TABLE}, 0.0)")


def record() -> list[tree.Stmt]:
    """Return the statements that append the record of an epoch: the loss of every section, and their sum."""
    return [
        tree.assign("named", '{f"{name}.loss": loss for name, loss in losses.items()}'),
        tree.Do('history.append({"epoch": epoch, "loss": sum(losses.values()), **named})'),
    ]


def counted(steps: int) -> str:
    """Return what a comment says of the updates of a section."""
    return "an update on the batch" if steps == 1 else f"{steps} updates on the batch"


def figures_of_all() -> tree.Stmt:
    """Return the last statement of `evaluate`: the figures of all `sections`, under the names that a record has."""
    each = '{f"{name}.{key}": value for name, some in sections.items() for key, value in some.items()}'
    return tree.Return(f'{{"loss": sum(some["loss"] for some in sections.values()), **{each}}}')
