"""How arrays are prepared, as expressions that all targets share: what is fitted, applied and undone, in order."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from dataclasses import dataclass

from dotnn.core.arguments import Bound
from dotnn.library.preparations import Preparation
from dotnn.library.preparations.base import Shape, Written
from dotnn.model.model import Data, Model


@dataclass(frozen=True)
class Step:
    """One preparation of an array whose examples have a shape. Its expressions are of `values`, an expression too."""

    name: str
    way: Bound[Preparation]
    shape: Shape

    @property
    def entry(self) -> Preparation:
        """The member of the library."""
        return self.way.entry

    @property
    def does_something(self) -> bool:
        """Whether it changes the values; leaving examples out does not."""
        return not self.entry.drops

    @property
    def encodes(self) -> bool:
        """Whether it makes classes or rows of each example alone."""
        other = self.entry.counts or self.entry.raw_shape(self.shape) != self.shape
        return other and self.entry.fit is None

    @property
    def fitted(self) -> dict[str, Shape | None]:
        """Names and shapes of what is fitted."""
        return dict(self.entry.fitted(self.way.attrs, self.shape))

    def fit(self, values: str) -> str:
        """Return the dict of arrays that is fitted on the training part; "" where nothing is."""
        return self._written(self.entry.fit, values) if self.entry.fit else ""

    def apply(self, values: str, *, bare: bool = False) -> str:
        """Return the prepared values; `bare` for a script that is to be read."""
        return self._written(self.entry.bare if bare and self.entry.bare else self.entry.apply, values)

    def undo(self, values: str) -> str:
        """Return prepared values in their own units."""
        return self._written(self.entry.undo, values) if self.entry.undo else values

    def _written(self, form: Written, values: str) -> str:
        text = form(self.way.attrs, self.shape).replace("{operand}", operand(values))
        return text.replace("{values}", values).replace("{s}", f'scaling["{self.name}"]')


@dataclass(frozen=True)
class Chain:
    """All that is done to an array, in order; `origin` is the array it is made of, mostly itself."""

    name: str
    origin: str
    shape: Shape
    steps: tuple[Step, ...]

    @property
    def fitted(self) -> dict[str, Shape | None]:
        """Names and shapes of what is fitted for it."""
        return {key: shape for step in self.steps for key, shape in step.fitted.items()}

    @property
    def acts(self) -> bool:
        """Whether it changes the values."""
        return any(step.does_something for step in self.steps)

    @property
    def drops(self) -> bool:
        """Whether examples are left out where it has a gap."""
        return any(step.entry.drops for step in self.steps)

    @property
    def counts(self) -> bool:
        """Whether it makes whole numbers."""
        return self.steps[-1].entry.counts

    @property
    def is_undone(self) -> bool:
        """Whether prepared values are taken back to units of their own."""
        return any(step.entry.undo for step in self.steps)

    def apply(self, values: str, *, bare: bool = False) -> str:
        """Return the values after all steps."""
        return applied(self.steps, values, bare=bare)

    def undo(self, values: str) -> str:
        """Return prepared values in their own units."""
        for step in reversed(self.steps):
            values = step.undo(values)
        return values


def applied(steps: Iterable[Step], values: str, *, bare: bool = False) -> str:
    """Return the values after some steps, in order."""
    for step in steps:
        values = step.apply(values, bare=bare)
    return values


def operand(text: str) -> str:
    """Return an expression as it stands beside an operator, or before a dot: in brackets, but a name or a call."""
    node = ast.parse(text, mode="eval").body
    return text if isinstance(node, ast.Name | ast.Call | ast.Subscript | ast.Attribute) else f"({text})"


def in_type(text: str, dtype: str = "dtype") -> str:
    """Return the expression of an array in another type."""
    return f"{operand(text)}.astype({dtype})"


def chains(model: Model) -> dict[str, Chain]:
    """Return how the arrays of a model are prepared, those that are at all, inputs first."""
    data = model.data or Data()
    declared = {**model.inputs, **model.targets}
    return {
        name: Chain(
            name,
            data.made_of.get(name, name),
            item.type.example,
            tuple(Step(name, way, item.type.example) for way in data.prepared[name]),
        )
        for name, item in declared.items()
        if data.prepared.get(name)
    }


def fitted(model: Model) -> dict[str, dict[str, Shape | None]]:
    """Return the names and shapes of all that is fitted on the training part, by array."""
    return {name: chain.fitted for name, chain in chains(model).items() if chain.fitted}


def divided(model: Model) -> dict[str, float]:
    """Return what arrays are divided by, whatever the data are, by array."""
    found = {
        name: [step.entry.divisor(step.way.attrs) for step in chain.steps if step.entry.divisor]
        for name, chain in chains(model).items()
    }
    return {name: math.prod(numbers) for name, numbers in found.items() if numbers}


def is_affine(model: Model) -> bool:
    """Whether what is fitted are shifts and scales alone, or nothing."""
    return all(set(keys) <= {"shift", "scale"} for keys in fitted(model).values())


def undone_outputs(model: Model) -> dict[str, Chain]:
    """Return how the outputs are taken back to the units of the target that they are trained towards."""
    undone = {name: chain for name, chain in chains(model).items() if chain.is_undone}
    paths = {t.output: t.target for t in model.train.losses if t.target in undone}
    return {name: undone[paths[path]] for name, path in model.outputs.items() if path in paths}
