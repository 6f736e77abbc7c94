"""A training step as the spec has it: the graph, run by the interpreter, and the optimizer's equations.

It shares no emitted line with a script, so a step of any script of the spec can be compared with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.codegen import optimizer
from dotnn.codegen.training import sums
from dotnn.ir.expr import Equation
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import as_it_is, helper_functions, run, scope_of_lines
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

    def gradients(self, params: Arrays, batch: Arrays, draws: np.random.Generator, piece: int = 0) -> Expected:
        """Return what the interpreter makes of a batch in training mode."""
        return self.passes(params, batch, draws, piece, None)

    def rounded(
        self, params: Arrays, batch: Arrays, draws: np.random.Generator, number: int, piece: int = 0
    ) -> Expected:
        """Return the same in another arithmetic: every number is rounded by chance, in each try otherwise."""
        return self.passes(params, batch, draws, piece, RandomRounding(np.random.default_rng(number)))

    def passes(
        self, params: Arrays, batch: Arrays, draws: np.random.Generator, piece: int, rounded: RandomRounding | None
    ) -> Expected:
        """Return what a batch gives: as a whole, unless pieces of it draw numbers of their own."""
        count = len(next(iter(batch.values())))
        drawn = any(node.rule.random for node in self.graph.all_nodes())
        size = piece if piece and drawn else count
        passes = []
        for start in range(0, count, size):
            part = {name: values[start : start + size] for name, values in batch.items()}
            values = run(self.graph, {**params, **part}, rng=draws, rounded=rounded or as_it_is)
            passes.append((1 if sums(self.model) else len(next(iter(part.values()))) / count, self._pass(values)))
        if len(passes) == 1:
            return passes[0][1]
        names = passes[0][1].grads
        grads = {name: np.sum([share * p.grads[name] for share, p in passes], axis=0) for name in names}
        return Expected(sum(share * p.loss for share, p in passes), grads)

    def _pass(self, values: dict[int, np.ndarray]) -> Expected:
        assert self.graph.loss is not None
        return Expected(
            float(values[self.graph.loss.id]),
            {name: np.asarray(values[v.id]) for name, v in self.graph.grads.items() if name in self.graph.params},
            {name: np.asarray(values[v.id]) for name, v in {**self.graph.state, **self.graph.new_state}.items()},
            {name: np.asarray(values[v.id]) for name, v in self.graph.outputs.items()},
            {v.name: np.asarray(values[v.id]) for node in self.graph.phase("forward") for v in node.outs},
        )

    def clipped(self, grads: Arrays, draws: np.random.Generator, done: int) -> Arrays:
        """Return the gradients of the parameters as the spec's clipping leaves them, with the spec's noise."""
        grads = {name: grads[name] for name in self.graph.params}
        clip, noise = self.model.train.clip, self.model.train.setting("noise")
        if clip is not None:
            grads = helper_functions()[clip.entry.helper](grads, clip.attrs["limit"])
        if noise is None or noise.entry.on != "gradient":
            return grads
        deviation = eval(noise.entry.deviation, {**noise.attrs, "step": done})
        return {name: g + deviation * draws.standard_normal(g.shape) for name, g in grads.items()}

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
                after[name] = eval(line, {**scope_of_lines(), "w": after[name]})
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
