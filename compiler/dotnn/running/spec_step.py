"""A training step as the spec has it: the graph, run by the interpreter, and the optimizer's equations.

It shares no emitted line with a script, so a step of any script of the spec can be compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.codegen import optimizer
from dotnn.ir.expr import Equation
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import helper_functions, run
from dotnn.ir.rounding import RandomRounding
from dotnn.model.model import Model
from dotnn.running.update import solved
from dotnn_runtime.gradcheck.probing.steps import Expected, Memory, Slots

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class SpecStep:
    """What a training step of a model must give, as `steps.Reference` wants it.

    `scaled` says in which scale the optimizer's memories are compared: whether the script leaves constant factors out.
    """

    model: Model
    graph: Graph
    scaled: bool = False

    def gradients(self, params: Arrays, batch: Arrays, draws: np.random.Generator) -> Expected:
        """Return what the interpreter makes of a batch in training mode."""
        return self._pass(run(self.graph, {**params, **batch}, rng=draws))

    def rounded(self, params: Arrays, batch: Arrays, draws: np.random.Generator, number: int) -> Expected:
        """Return the same in another arithmetic: every number is rounded by chance, in each try otherwise."""
        chance = RandomRounding(np.random.default_rng(number))
        return self._pass(run(self.graph, {**params, **batch}, rng=draws, rounded=chance))

    def _pass(self, values: dict[int, np.ndarray]) -> Expected:
        assert self.graph.loss is not None
        return Expected(
            float(values[self.graph.loss.id]),
            {name: np.asarray(values[v.id]) for name, v in self.graph.grads.items() if name in self.graph.params},
            {name: np.asarray(values[v.id]) for name, v in {**self.graph.state, **self.graph.new_state}.items()},
            {name: np.asarray(values[v.id]) for name, v in self.graph.outputs.items()},
            {v.name: np.asarray(values[v.id]) for node in self.graph.phase("forward") for v in node.outs},
        )

    def clipped(self, grads: Arrays) -> Arrays:
        """Return the gradients of the parameters as the spec's clipping leaves them."""
        grads = {name: grads[name] for name in self.graph.params}
        clip = self.model.train.clip
        if clip is None:
            return grads
        clipped: Arrays = helper_functions()[clip.entry.helper](grads, clip.attrs["limit"])
        return clipped

    def update(self, params: Arrays, grads: Arrays, rate: float | None, memory: Memory) -> Arrays:
        """Return the parameters after the optimizer's equations and the constraints, and renew the memories."""
        train = self.model.train
        memory.updates += 1
        if self.scaled:  # what is compared are these memories; the weights are those of the textbook's equations
            self._solve(optimizer.fast_equations(train), params, grads, rate, memory, memory.slots)
        slots = memory.of_textbook if self.scaled else memory.slots
        after = self._solve(optimizer.equations(train), params, grads, rate, memory, slots)
        for name, p in self.model.params.items():
            if p.constraint is not None:
                line = p.constraint.entry.written("w", p.constraint.attrs, p.shape)
                after[name] = eval(line, {"np": np, "w": after[name], **helper_functions()})
        return after

    def _solve(
        self,
        equations: Sequence[Equation],
        params: Arrays,
        grads: Arrays,
        rate: float | None,
        memory: Memory,
        slots: Slots,
    ) -> Arrays:
        """Return the parameters after one update by some equations, and renew the memories that these read."""
        train = self.model.train
        numbers = {**memory.run, "t": memory.updates, **train.optimizer.attrs, "weight_decay": train.weight_decay}
        numbers["lr"] = numbers["lr"] if rate is None else rate
        return solved(self.model, equations, numbers, params, {name: grads[name] for name in self.graph.params}, slots)
