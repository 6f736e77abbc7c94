"""What is trained by losses of its own: a section that takes turns with others, or the only training of a spec."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dotnn.codegen import learning_rate, training
from dotnn.codegen.called import Names
from dotnn.codegen.parts import Part
from dotnn.model.model import EarlyStop, Handed, Model, StopAfter, Train, Turn
from dotnn.model.turns import alone


@dataclass(frozen=True)
class Section:
    """A section, by its model as if it were the only one; one that is has no turn."""

    model: Model
    added: Sequence[Part] = ()
    """What its settings add to the loop, in the words of a style."""
    turn: Turn | None = None
    limit: StopAfter | None = None
    """How long it trains together with others; the only training has it among its own rules."""

    @property
    def name(self) -> str:
        """What the spec calls it, "" for the only one."""
        return self.turn.name if self.turn else ""

    @property
    def names(self) -> Names:
        """What its things are called."""
        return Names(self.name)

    @property
    def train(self) -> Train:
        """How it is trained."""
        return self.model.train

    @property
    def steps(self) -> int:
        """How many updates it takes on each batch."""
        return self.turn.steps if self.turn else 1

    @property
    def updates(self) -> tuple[str, ...]:
        """The parameters that it updates."""
        return tuple(name for name, p in self.model.params.items() if p.trained)

    @property
    def handed(self) -> tuple[Handed, ...]:
        """What it takes from earlier ones."""
        return self.turn.handed if self.turn else ()

    @property
    def stops(self) -> bool:
        """Whether a rule may end it."""
        return bool(self.train.stops)

    @property
    def early(self) -> EarlyStop | None:
        """Its early-stopping rule."""
        return training.early_stop(self.model)

    @property
    def validates_early(self) -> bool:
        """Whether early stopping goes by the validations between the ends of epochs."""
        early = self.early
        return early is not None and training.validates_early(early, self.train)

    @property
    def counts(self) -> bool:
        """Whether its updates are counted, for its learning rate or a setting."""
        return learning_rate.counts_updates(self.train)

    @property
    def watches(self) -> bool:
        """Whether its learning rate goes by what an epoch has shown."""
        return learning_rate.watcher(self.train) is not None

    @property
    def averages(self) -> bool:
        """Whether what is evaluated and kept of it is an average."""
        return any(part.shown for part in self.added)

    @property
    def goes_on(self) -> str:
        """The condition that no rule has ended it."""
        return f"not {self.ended}" if self.name else f'{self.ended} == "epochs"'

    @property
    def ended(self) -> str:
        """The entry of the state that says which rule has."""
        return self.names.kept("ended") if self.name else 'state["stopped_by"]'

    @property
    def plateau(self) -> str:
        """The expression of what watches a quantity."""
        return self.names.entry("plateaus") if self.name else "plateau"

    @property
    def rate(self) -> str:
        """The expression of the learning rate of its next update, "" for a plain number."""
        if self.watches:
            return f"{self.plateau}.lr"
        if learning_rate.formula(self.train) is None:
            return ""
        whole = f"epochs * {self.of_turns('steps_per_epoch')}" if self.name else "steps"
        done = self.names.entry("done")
        return f"{self.names.own('learning_rate')}({done}, {whole}, {self.of_turns('steps_per_epoch')})"

    def of_turns(self, count: str) -> str:
        """Return the expression of how many updates it takes in so many batches."""
        return f"{count} * {self.steps}" if self.steps > 1 else count


def sections_of(model: Model) -> tuple[Section, ...]:
    """Return the sections of a model in their order."""
    limit = training.time_limit(model.train)
    return tuple(Section(alone(model, turn), turn=turn, limit=limit) for turn in model.turns)
