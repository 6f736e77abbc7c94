"""What a script is trained on to look at its steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from types import ModuleType

import numpy as np

from ..reading.script import Script
from ..reading.types import Point
from ..tracing.recording import Arrays, Training, record
from .draws import Kinds, as_classes, calmed, generic_batch_size, generic_data, generic_parameter
from .evaluation import sizes_of

EPOCHS = 2
MANY = 4


@dataclass(frozen=True)
class Course:
    """What a script is trained on to look at its steps: generic weights and examples, and two sizes of a batch.

    Neither is a size of the network. A script that takes batches takes two of the larger size and one of the smaller
    in each epoch, or more of the larger where an update is of several; one that takes all examples at once is trained
    on as many as either. Where there are data in [0, 1], all of it is done a second time with 0 or 1 in their place.
    """

    params: Arrays
    parts: Mapping[str, Arrays]
    sizes: tuple[int, int]
    declared: Kinds

    @classmethod
    def of(cls, script: Script, seed: int) -> Course:
        """Draw the course of a script."""
        plain, rng = script.plain, np.random.default_rng([seed, 3])
        declared = {**plain.INPUTS, **plain.TARGETS}

        def examples(count: int) -> Arrays:
            return {name: generic_data(kind, (count, *shape), rng) for name, (kind, shape) in declared.items()}

        initial = plain.init_params(seed, dtype=np.float64)
        params = {name: generic_parameter(value, rng) for name, value in initial.items()}
        few = examples(2)
        params = calmed(script, Point(params, few, seed))[0].params
        _, cache = plain.forward(params, few, training=True, rng=np.random.default_rng(seed))
        taken = [*script.params.values(), *(np.shape(value)[1:] for value in cache.values()), *sizes_of(plain), (5,)]
        small = generic_batch_size(taken, least=6)
        large = generic_batch_size([*taken, (small,)], least=small + 1)
        count = (1 + batches_of_an_update(plain)) * large + small
        parts = {"train": examples(count), "val": examples(small), "test": examples(small)}
        return cls(params, parts, (large, small), declared)

    def run(self, module: ModuleType) -> Iterator[tuple[Training, Arrays]]:
        """Train a script, and yield what was recorded with the examples it was trained on."""
        large, small = self.sizes
        counts = (
            ((1 + batches_of_an_update(module)) * large + small,)
            if getattr(module, "BATCH_SIZE", 0)
            else (large, small)
        )
        units = any(kind == "unit" for kind, _ in self.declared.values())
        for count, whole in product(counts, (False, True) if units else (False,)):
            train = {name: values[:count] for name, values in self.parts["train"].items()}
            train = as_classes(train, self.declared) if whole else train
            parts = {**self.parts, "train": train}
            yield record(module, self.params, parts, epochs=EPOCHS, size=large), train


def batches_of_an_update(module: ModuleType) -> int:
    """Return how many batches an update is of, no more than a few: then it is of all examples."""
    return min(getattr(module, "ACCUMULATE", 1), MANY)


@dataclass(frozen=True)
class Trial:
    """A script and its course; it is trained once, when that is first asked for."""

    script: Script
    seed: int

    @cached_property
    def course(self) -> Course:
        """What the script is trained on."""
        return Course.of(self.script, self.seed)

    @cached_property
    def trainings(self) -> list[tuple[Training, Arrays]]:
        """What `fit` did, with the examples it was given."""
        return list(self.course.run(self.script.whole))
