"""A section that takes turns: its names in a script, and what its settings add to the loop of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dotnn.codegen import learning_rate, optimizer, training, tree
from dotnn.codegen.called import Names
from dotnn.codegen.lines import literal, table
from dotnn.codegen.parts import Part
from dotnn.model.model import EarlyStop, Model, Turn
from dotnn.model.turns import alone


@dataclass(frozen=True)
class Section:
    """A section, and its model as if it were the only one."""

    turn: Turn
    model: Model
    added: Sequence[Part] = ()
    """What its settings add to the loop, in the words of a style."""

    @property
    def name(self) -> str:
        """What the spec calls it."""
        return self.turn.name

    @property
    def names(self) -> Names:
        """What its things are called."""
        return Names(self.name)

    @property
    def stops(self) -> bool:
        """Whether it may end before the others."""
        return bool(self.turn.train.stops)

    @property
    def early(self) -> EarlyStop | None:
        """Its early-stopping rule."""
        return training.early_stop(self.model)

    @property
    def counts(self) -> bool:
        """Whether its updates are counted, for its learning rate or a setting."""
        return learning_rate.counts_updates(self.turn.train)

    @property
    def watches(self) -> bool:
        """Whether its learning rate goes by what an epoch has shown."""
        return learning_rate.watcher(self.turn.train) is not None

    @property
    def averages(self) -> bool:
        """Whether what is evaluated and kept of it is an average."""
        return any(part.shown for part in self.added)

    @property
    def counts_steps(self) -> bool:
        """Whether the updates of an epoch are."""
        return self.counts or bool(optimizer.run_lengths(self.turn.train))

    @property
    def rate(self) -> str:
        """The expression of the learning rate of its next update, "" for a plain number."""
        if self.watches:
            return f"{self.names.entry('plateaus')}.lr"
        if learning_rate.formula(self.turn.train) is None:
            return ""
        each = f" * {self.turn.steps}" if self.turn.steps > 1 else ""
        done = self.names.entry("done")
        return f"{self.names.own('learning_rate')}({done}, epochs * steps_per_epoch{each}, steps_per_epoch{each})"


def sections_of(model: Model) -> tuple[Section, ...]:
    """Return the sections of a model in their order."""
    return tuple(Section(turn, alone(model, turn)) for turn in model.turns)


# -------------------------------------------------------------------------------------------------- what settings add


def kept_by_settings(sections: Sequence[Section]) -> dict[str, str]:
    """Return what a state begins with for settings: of each section that has them, or what all have together."""
    found: dict[str, dict[str, str]] = {}
    together: dict[str, str] = {}
    for s in sections:
        for part in s.added:
            together |= part.together
            for name, text in part.kept.items():
                found.setdefault(name, {})[s.name] = text
    return together | {name: table(each) for name, each in found.items()}


def watchers(sections: Sequence[Section]) -> Iterator[tree.Stmt]:
    """Yield the statements before the loop that make what watches a quantity."""
    bound = {s.name: (s.turn.train, learning_rate.watcher(s.turn.train)) for s in sections}
    watched = {n: learning_rate.watching(train, plateau) for n, (train, plateau) in bound.items() if plateau}
    if watched:
        yield tree.assign("plateaus", table(watched))
        taken = tree.Do('vars(plateau).update(state["plateaus"][name])')
        yield tree.For("for name, plateau in plateaus.items()", (taken,))


def observed(sections: Sequence[Section]) -> Iterator[tree.Stmt]:
    """Yield the statements after the figures of an epoch that show them to what watches them."""
    for s in sections:
        watched, name = learning_rate.watcher(s.turn.train), literal(s.name)
        if watched is not None:
            figure = s.names.figure(watched.attrs["quantity"])
            body = (
                tree.Do(f'plateaus[{name}].observe(history[-1]["{figure}"])'),
                tree.assign(f'state["plateaus"][{name}]', f"vars(plateaus[{name}])"),
            )
            yield from [tree.If(f'not state["ended"][{name}]', body)] if s.stops else body


def after_updates(sections: Sequence[Section]) -> Iterator[tree.Stmt]:
    """Yield what settings do after the updates of an epoch, for the sections that have not ended."""
    for s in sections:
        body = tuple(statement for part in s.added for statement in part.epoch)
        if body:
            yield from [tree.If(f'not state["ended"][{literal(s.name)}]', body)] if s.stops else body
