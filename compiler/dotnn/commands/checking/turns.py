"""`dotnn check` of sections that take turns: each as if it were the only one, and then all of them together.

That a section alone is right is proven like any spec. What is left is that the script of all does the same: its losses
and gradients are compared with those of the interpreter, what one section hands on to another with a complex-step
derivative at that value, and its training with a loop written here, whose steps are the interpreter's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dotnn.codegen import learning_rate, optimizer
from dotnn.codegen.data import declarations
from dotnn.codegen.sections import Section, sections_of
from dotnn.codegen.training import sums
from dotnn.commands.checking.averages import Averaged
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Node
from dotnn.model.model import Handed, Model
from dotnn.passes.fuse_losses import fuse_losses
from dotnn.passes.stable_forms import stable_forms
from dotnn.running.scripts import run_script
from dotnn.running.spec_step import Arrays, SpecStep
from dotnn.session import Compilation
from dotnn.targets import PROVEN
from dotnn_runtime.gradcheck import CheckResult, Report, Verdict
from dotnn_runtime.gradcheck.probing.steps import Memory
from dotnn_runtime.gradcheck.tracing.recording import fit_of
from dotnn_runtime.script.selfcheck import generic_batch

ID = "V13"
LIMIT = 1e-9
COUNT, SIZE, EPOCHS = 7, 3, 2
"""Examples, those of a batch where not all are one, and epochs of the training that is compared."""
STEP = 1e-20


@dataclass(frozen=True)
class Part:
    """A section, its graph, and what the interpreter makes of a step of it."""

    section: Section
    graph: Graph
    step: SpecStep
    plain: Graph


def parts_of(begun: Compilation) -> tuple[Part, ...]:
    """Return the sections of a compilation."""
    found = []
    for section in sections_of(begun.model):
        own = begun.parts[section.name]
        graph = own.graph(PROVEN.name, PROVEN.styles[0].name)
        found.append(Part(section, graph, SpecStep(section.model, graph), own.after((fuse_losses, stable_forms))))
    return tuple(found)


def merged(reports: Mapping[str, Report], seed: int) -> Report:
    """Return the reports of sections as one; every row says of which it is."""
    whole = Report(seed)
    for name, report in reports.items():
        whole.tensors += [replace(row, name=f"{name}: {row.name}", section=name) for row in report.tensors]
        whole.checks += [replace(check, title=f"{name}: {check.title}", section=name) for check in report.checks]
        blames = [replace(blame, section=name) for blame in report.blames]
        whole.blame, whole.more = (whole.blame or next(iter(blames), None)), [*whole.more, *blames]
        whole.kinks += report.kinks
        whole.ties += report.ties
        whole.notes += [f"{name}: {note}" for note in report.notes]
        whole.oracles = [*dict.fromkeys([*whole.oracles, *report.oracles])]
        whole.cost_forwards += report.cost_forwards
        whole.batch_size = report.batch_size
    whole.more = [blame for blame in whole.more if blame is not whole.blame]
    return whole


def check_together(begun: Compilation, seed: int) -> list[CheckResult]:
    """Return what the scripts of all sections show, in all styles."""
    begun, parts = _without_stops(begun), parts_of(begun)
    checks = [_handed(begun.model, parts, handed, seed) for handed in _all_handed(begun.model)]
    for style in PROVEN.styles:
        module = run_script(begun.script(PROVEN.name, style.name), "dotnn_turns", begun.model.source.path)
        for compare in (alike, in_turn):
            try:
                checks += compare(module, parts, style.name, seed)
            except Exception as error:  # whatever a script that was edited may raise
                said = f"{type(error).__name__}: {error}"
                checks.append(CheckResult(ID, f"the script of all, {style.name} style, runs", Verdict.FAIL, said))
    return checks


def _without_stops(begun: Compilation) -> Compilation:
    """Return a compilation in which no section ends before the others."""
    turns = tuple(replace(turn, train=replace(turn.train, stops=())) for turn in begun.model.turns)
    return Compilation.of(replace(begun.model, turns=turns), begun.sets)


def _all_handed(model: Model) -> list[Handed]:
    return [*{handed.name: handed for turn in model.turns for handed in turn.handed}.values()]


def _point(module: ModuleType, parts: tuple[Part, ...], seed: int, count: int) -> tuple[Arrays, Arrays]:
    """Return parameters and examples, with what sections hand on to each other drawn, too."""
    rng = np.random.default_rng([seed, 11])
    params = {n: w + 0.1 * rng.standard_normal(w.shape) for n, w in module.init_params(seed, np.float64).items()}
    return params, generic_batch({**module.INPUTS, **module.TARGETS}, rng, count)


def _drawn(parts: tuple[Part, ...], count: int, seed: int) -> Arrays:
    rng = np.random.default_rng([seed, 12])
    shapes = {h.name: p.section.model.targets[h.name].type.example for p in parts for h in p.section.handed}
    return {name: rng.standard_normal((count, *shape)) for name, shape in shapes.items()}


def result(title: str, error: float, section: str = "", tensors: tuple[str, ...] = ()) -> CheckResult:
    """Return what a comparison shows: right where the error is below the limit."""
    verdict = Verdict.PASS if error < LIMIT else Verdict.FAIL  # a NaN is no less
    return CheckResult(ID, title, verdict, value=error, tensors=tensors, section=section)


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    scale = max(float(np.abs(a).max(initial=0)), float(np.abs(b).max(initial=0)), 1e-300)
    return float(np.abs(a - b).max(initial=0)) / scale if a.shape == b.shape else float("inf")


def alike(module: ModuleType, parts: tuple[Part, ...], style: str, seed: int) -> Iterator[CheckResult]:
    """Yield whether the script computes the loss and the gradients of every section."""
    params, batch = _point(module, parts, seed, COUNT)
    batch |= _drawn(parts, COUNT, seed)
    for part in parts:
        name = part.section.name
        values = _values(part, params, batch, np.random.default_rng(seed))
        draws = np.random.default_rng(seed)
        given = {n: batch[n] for n in (*part.graph.inputs, *part.graph.targets)}
        loss, grads = module.loss_and_grads(params, given, rng=draws, section=name)
        assert part.graph.loss is not None
        errors = {"loss": _distance(np.array(float(loss)), values[part.graph.loss.id])}
        errors |= {n: _distance(np.asarray(grads[n]), values[v.id]) for n, v in part.graph.grads.items()}
        wrong = tuple(n for n, error in errors.items() if not error < LIMIT)
        yield result(
            f"{name}: loss and gradients in the script of all, {style} style", max(errors.values()), name, wrong
        )


def _values(part: Part, params: Arrays, batch: Arrays, rng: np.random.Generator) -> dict[int, np.ndarray]:
    return run(part.graph, {**params, **batch}, rng=rng)


def _handed(model: Model, parts: tuple[Part, ...], handed: Handed, seed: int) -> CheckResult:
    """Return whether the gradient that is handed on is one: the loss moves with the value as it says."""
    part = next(p for p in parts if p.section.name == handed.source)
    rng = np.random.default_rng([seed, 13])
    shapes = {**part.plain.params, **part.plain.state}
    params = {name: rng.uniform(-0.3, 0.3, part.section.model.params[name].shape) for name in shapes}
    inputs, targets = declarations(part.section.model)
    batch = generic_batch({**inputs, **targets}, rng, COUNT)
    grads = _values(part, params, batch, np.random.default_rng(seed))[part.graph.grads[handed.name].id]
    direction = rng.standard_normal(grads.shape)
    moved = part.plain.hands[handed.name]
    assert part.plain.loss is not None
    start = run(part.plain, {**params, **batch}, rng=np.random.default_rng(seed))
    cut = replace(
        part.plain,
        nodes=tuple(_renamed(node, moved.id) for node in part.plain.nodes),
        inputs={**part.plain.inputs, handed.name: moved},
    )
    values = {**params, **batch, handed.name: start[moved.id] + STEP * 1j * direction}
    slope = run(cut, values, rng=np.random.default_rng(seed))[part.plain.loss.id].imag / STEP
    error = _distance(np.array((grads * direction).sum()), np.asarray(slope))
    return result(f"{handed.source}: gradient({handed.of}), which it hands on", error, handed.source)


def _renamed(node: Node, number: int) -> Node:
    """Return a node whose result of this number goes nowhere: the value is given."""
    if all(v.id != number for v in node.outs):
        return node
    return replace(node, outs=tuple(replace(v, id=-v.id) if v.id == number else v for v in node.outs))


# ------------------------------------------------------------------------------------------------------ the training


@dataclass
class _Loop:
    """The training as the spec has it, by the steps of the interpreter.

    Of the script it takes what is no part of a step: what augments the examples, and figures that a rate watches.
    """

    module: ModuleType
    parts: tuple[Part, ...]
    params: Arrays
    examples: Arrays
    size: int
    rates: Mapping[str, ModuleType]
    memories: dict[str, Memory] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    losses: list[dict[str, float]] = field(default_factory=list)
    plateaus: dict[str, Any] = field(default_factory=dict)
    averages: dict[str, Averaged] = field(default_factory=dict)

    @property
    def shown(self) -> Arrays:
        """The parameters that are validated and returned: of a section with an average, that."""
        return {**self.params, **{name: w for average in self.averages.values() for name, w in average.weights.items()}}

    def run(self, seed: int) -> None:
        """Train for a few epochs."""
        rng = np.random.default_rng([seed, 1])
        count = len(next(iter(self.examples.values())))
        fixed = np.random.default_rng([seed, 2]).permutation(count)
        trains = {part.section.name: part.section.train for part in self.parts}
        averages = {name: train.setting("average") for name, train in trains.items()}
        self.averages = {name: Averaged(average) for name, average in averages.items() if average is not None}
        self.plateaus = {s.name: _plateau(self.module, s) for s in (part.section for part in self.parts) if s.watches}
        for epoch in range(1, EPOCHS + 1):
            batches = self._batches(fixed, rng)
            self.losses.append(dict.fromkeys([part.section.name for part in self.parts], 0.0))
            seen = self.examples
            if hasattr(self.module, "augment"):
                seen = self.module.augment(seen, np.random.default_rng([seed, 3, epoch]))
            for rows in batches:
                self._batch({name: values[rows] for name, values in seen.items()}, rng, count)
            for part in self.parts:
                if part.section.name in self.averages:
                    self.averages[part.section.name].epoch_ended(self._own(part))
            self._observe()

    def _batches(self, fixed: NDArray[np.int_], rng: np.random.Generator) -> list[NDArray[np.int_]]:
        """Return the rows of the batches of an epoch; `fixed` is the order in which batches are put together once."""
        shuffle, count = self.parts[0].section.train.shuffle, len(fixed)
        cuts = range(self.size, count, self.size)
        if shuffle == "batches":
            batches = np.split(fixed, cuts)
            return [batches[number] for number in rng.permutation(len(batches))]
        return np.split(rng.permutation(count) if shuffle else np.arange(count), cuts)

    def _own(self, part: Part) -> Arrays:
        """Return the parameters that a section updates."""
        return {name: self.params[name] for name in part.graph.params}

    def _batch(self, batch: Arrays, rng: np.random.Generator, count: int) -> None:
        for part in self.parts:
            section = part.section
            for _ in range(section.steps):
                values = _values(part, self.params | self._noise(part, rng), batch, rng)
                assert part.graph.loss is not None
                share = 1 if sums(section.model) else len(next(iter(batch.values()))) / count
                self.losses[-1][section.name] += float(values[part.graph.loss.id]) * share / section.steps
                grads = {name: np.asarray(values[v.id]) for name, v in part.graph.grads.items()}
                batch |= {h.name: grads[h.name] for h in section.model.hands}
                self.params = self.params | {n: values[v.id] for n, v in part.graph.new_state.items()}
                self._update(part, grads, rng, -(-count // self.size) * section.steps)

    def _noise(self, part: Part, rng: np.random.Generator) -> Arrays:
        """Return the parameters that an update is computed with, where these have noise."""
        noise = part.section.train.setting("noise")
        if noise is None or noise.entry.on == "gradient":
            return {}
        own = {name: self.params[name] for name in part.section.updates}
        return {name: w + noise.attrs["sigma"] * rng.standard_normal(w.shape) for name, w in own.items()}

    def _observe(self) -> None:
        """Show the figures of an epoch to the rates that watch them."""
        for section in (part.section for part in self.parts if part.section.watches):
            watched = learning_rate.watcher(section.train)
            assert watched is not None
            quantity = watched.attrs["quantity"].removeprefix("val_")
            figures = {f"{section.name}.loss": self.losses[-1][section.name]}
            if quantity != watched.attrs["quantity"] or quantity != "loss":
                figures = self.module.evaluate(self.shown, self.examples, {})
            self.plateaus[section.name].observe(figures[f"{section.name}.{quantity}"])

    def _rate(self, part: Part, done: int, steps: int) -> float | None:
        name = part.section.name
        if part.section.watches:
            return float(self.plateaus[name].lr)
        if learning_rate.formula(part.section.train) is None:
            return None
        return float(self.rates[name].learning_rate(done, EPOCHS * steps, steps))

    def _update(self, part: Part, grads: Arrays, rng: np.random.Generator, steps: int) -> None:
        name, train = part.section.name, part.section.train
        lengths = {"steps": EPOCHS * steps, "steps_per_epoch": steps}
        memory = self.memories.setdefault(name, Memory(run={n: lengths[n] for n in optimizer.run_lengths(train)}))
        done = self.done.setdefault(name, 0)
        rate = self._rate(part, done, steps)
        own = {n: grads[n] for n in part.graph.params}
        self.params = part.step.update(self.params, part.step.clipped(own, rng, done), rate, memory)
        self.done[name] += 1
        if name in self.averages:
            self.averages[name].updated(self._own(part))


def _plateau(module: ModuleType, section: Section) -> Any:
    """Return what watches a quantity for a section."""
    train, watched = section.train, learning_rate.watcher(section.train)
    assert watched is not None
    numbers = dict(watched.attrs)
    sign = 1 if learning_rate.better(train, numbers.pop("quantity")) == "min" else -1
    return getattr(module, watched.entry.watches)(**numbers, sign=sign)


def in_turn(module: ModuleType, parts: tuple[Part, ...], style: str, seed: int) -> Iterator[CheckResult]:
    """Yield whether the training of a script takes the turns of the spec."""
    params, examples = _point(module, parts, seed, COUNT)
    if module.BATCH_SIZE:
        vars(module)["BATCH_SIZE"] = SIZE
    rates = {p.section.name: run_script(_alone(p.section), "dotnn_rates") for p in parts if p.section.counts}
    loop = _Loop(module, parts, params, examples, module.BATCH_SIZE or COUNT, rates)
    loop.run(seed)
    given = {name: examples.copy() for name, examples in examples.items()}
    every = dict.fromkeys(("train", "val", "test"), given)
    found, history = fit_of(module)(dict(params), every, {}, epochs=EPOCHS, seed=seed)
    errors = [_distance(np.asarray(found[name]), w) for name, w in loop.shown.items()]
    for record, losses in zip(history, loop.losses, strict=True):
        errors += [_distance(np.array(record[f"{n}.loss"]), np.array(loss)) for n, loss in losses.items()]
    yield result(f"{EPOCHS} epochs of all sections in turn, {style} style", max(errors))


def _alone(section: Section) -> str:
    """Return the script of a section alone, whose learning rate has been proven."""
    return Compilation.of(replace(section.model, hands=())).script(PROVEN.name, PROVEN.styles[0].name)


def check_turns(begun: Compilation, reports: Mapping[str, Report], seed: int) -> Report:
    """Return the report of a spec whose sections take turns; `reports` are those of each as if it were the only one."""
    report = merged(reports, seed)
    if report.verdict is not Verdict.FAIL:
        report.checks += check_together(begun, seed)
    return report
