"""A section that takes turns: its names in a script, and what its settings add to the loop of all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

from dotnn.codegen import learning_rate, optimizer, training, tree
from dotnn.codegen.lines import literal, table
from dotnn.codegen.parts import Part
from dotnn.model.model import EarlyStop, Model, StopAfter, Turn
from dotnn.model.turns import alone

TABLE = "UPDATES"
"""The table of a script: the names of the parameters that each section updates."""
TOGETHER = frozenset({"average"})
"""What settings keep by the names of parameters: the sections, whose names differ, have one table of it."""


@dataclass(frozen=True)
class Section:
    """A section, and its model as if it were the only one."""

    turn: Turn
    model: Model
    added: Sequence[Part] = ()
    """What its settings add to the loop, in the words of a style."""
    limit: StopAfter | None = None
    """How long all sections together train."""

    @property
    def name(self) -> str:
        """What the spec calls it."""
        return self.turn.name

    @property
    def table(self) -> str:
        """The expression of the names of what it updates."""
        return f"{TABLE}[{literal(self.name)}]"

    def called(self, function: str) -> str:
        """Return the name of a function of this section."""
        return f"{function}_{self.name}"

    def figure(self, quantity: str) -> str:
        """Return the key of a quantity in the record of an epoch: `val_loss` -> `val_critic.loss`."""
        plain = quantity.removeprefix("val_")
        return f"{'val_' * (plain != quantity)}{self.name}.{plain}"

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
            return f"plateaus[{literal(self.name)}].lr"
        if learning_rate.formula(self.turn.train) is None:
            return ""
        each = f" * {self.turn.steps}" if self.turn.steps > 1 else ""
        done = f"done[{literal(self.name)}]"
        return f"{self.called('learning_rate')}({done}, epochs * steps_per_epoch{each}, steps_per_epoch{each})"


def sections_of(model: Model) -> tuple[Section, ...]:
    """Return the sections of a model in their order."""
    limit = training.time_limit(model.train)
    return tuple(Section(turn, alone(model, turn), limit=limit) for turn in model.turns)


def respelt(item: Any, change: Callable[[str], str]) -> Any:
    """Return a tree of Python with every text changed."""
    if isinstance(item, str):
        return change(item)
    if isinstance(item, tuple):
        return tuple(respelt(inner, change) for inner in item)
    if isinstance(item, tree.Origin) or not is_dataclass(item) or isinstance(item, type):
        return item
    return replace(item, **{f.name: respelt(getattr(item, f.name), change) for f in fields(item)})


def words(mapping: dict[str, str]) -> Callable[[str], str]:
    """Return the function that puts words in the place of others."""
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, mapping))})\b")
    return lambda text: pattern.sub(lambda match: mapping[match[1]], text)


# -------------------------------------------------------------------------------------------------- what settings add


def kept_by_settings(sections: Sequence[Section]) -> dict[str, str]:
    """Return what a state begins with for settings: of each section that has them, or what all have together."""
    found: dict[str, dict[str, str]] = {}
    for s in sections:
        for name, text in (entry for part in s.added for entry in part.kept.items()):
            found.setdefault(name, {})[s.name] = text
    return {name: each.popitem()[1] if name in TOGETHER else table(each) for name, each in found.items()}


def in_turn(part: Part, section: Section, own: dict[str, str]) -> Part:
    """Return what a setting adds to the loop of a section; `own` are its words for what others have, too."""
    key, functions = literal(section.name), _functions(part, section)
    called = words({"PARAMS": section.table, "done": f"done[{key}]", **own, **functions})
    named = words({"PARAMS": section.table, **functions})

    def change(text: str) -> str:
        for name in part.kept.keys() - TOGETHER:
            text = text.replace(f"state[{literal(name)}]", f"state[{literal(name)}][{key}]")
        return text

    def wrapped(inner: str) -> tuple[str, tree.Item]:
        assert part.wraps is not None
        name, function = part.wraps(inner)
        made = words({"PARAMS": section.table, name: section.called(name)})
        return section.called(name), respelt(function, made)

    return replace(
        part,
        functions=[respelt(function, lambda text: named(change(text))) for function in part.functions],
        wraps=wrapped if part.wraps else None,
        **{
            moment: respelt(getattr(part, moment), lambda text: called(change(text)))
            for moment in ("setup", "gradient", "updated", "epoch")
        },
    )


def _functions(part: Part, section: Section) -> dict[str, str]:
    """Return what the functions that a setting defines are called in a section."""
    texts = [item.text if isinstance(item, tree.Prose) else f"def {item.name}(" for item in part.functions]  # type: ignore[union-attr]
    return {name: section.called(name) for text in texts for name in re.findall(r"^def (\w+)\(", text, re.MULTILINE)}


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
            figure = s.figure(watched.attrs["quantity"])
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
