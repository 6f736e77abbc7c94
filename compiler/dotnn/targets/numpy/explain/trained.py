"""What is trained by losses of its own, with what a script says of it."""

from __future__ import annotations

from dataclasses import dataclass

from dotnn.codegen import learning_rate, optimizer, paste, tree
from dotnn.codegen.called import Names
from dotnn.codegen.parts import wrapped_pass
from dotnn.codegen.regime import constraints
from dotnn.codegen.sections import Section
from dotnn.ir.graph import Graph
from dotnn.targets.numpy.explain.figures import Figures
from dotnn.targets.numpy.explain.network import Network
from dotnn.targets.numpy.explain.spec_text import SpecText


@dataclass(frozen=True)
class Trained:
    """What is trained by losses of its own, and what is written of it: a section, or the only training.

    With a `chunk` its figures are computed of so many examples at a time.
    """

    section: Section
    graph: Graph
    network: Network
    spec: SpecText
    chunk: int = 0

    @property
    def names(self) -> Names:
        """What its things are called."""
        return self.section.names

    @property
    def renews(self) -> bool:
        """Whether a pass renews a state."""
        return bool(self.graph.new_state)

    @property
    def draws(self) -> bool:
        """Whether an update draws numbers."""
        return self.graph.draws or any(part.draws for part in self.section.added)

    @property
    def wrapped(self) -> tuple[str, list[tree.Item]]:
        """The function that returns the loss and the gradients of a batch, and those that settings put around it."""
        innermost = "training_pass" if self.renews else "loss_and_grads"
        return wrapped_pass(self.section.added, self.names.own(innermost))

    def passed(self, batch: str) -> str:
        """Return the call of that function."""
        return f"{self.wrapped[0]}(params, {batch}{', rng=rng' * self.draws})"

    @property
    def figures(self) -> Figures:
        """What writes its figures."""
        model, read = self.section.model, self.network.read or ()
        return Figures(
            model, self.network.metrics, self.chunk, read, samples=self.graph.samples, names=self.section.names
        )

    @property
    def remark(self) -> tree.Note:
        """What the spec says of when it stops."""
        return tree.Note(self.spec.text_of_key("stop") or "when to stop", self.spec.place_of_key("stop"))

    def helpers(self) -> set[str]:
        """Return the functions of the runtime that its training calls."""
        train = self.section.train
        plateau = learning_rate.watcher(train)
        found = self.figures.helpers() | optimizer.helpers(train)
        found |= {train.clip.entry.helper} if train.clip else set()
        found |= {plateau.entry.watches} if plateau else set()
        found |= {"resampled"} if any(part.resampled for part in self.section.added) else set()
        found |= {"with_noise"} if train.setting("noise") else set()
        return found.union(*(paste.called_in(value) for _, value in constraints(self.section.model)))
