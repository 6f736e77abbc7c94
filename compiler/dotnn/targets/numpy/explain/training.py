"""The training of a script: the loop, and how it ended."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from dotnn.codegen import augmenting, learning_rate, optimizer, paste, tree
from dotnn.codegen import training as common
from dotnn.codegen.epochs import GOES_ON, HEAD, Loop, Words
from dotnn.codegen.lines import literal, table
from dotnn.codegen.parts import shown, wrapped_pass
from dotnn.codegen.preparing import fitted
from dotnn.codegen.regime import TRAIN_ARGUMENTS, constraints
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.ir.graph import Graph
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.figures import Figures
from dotnn.targets.numpy.explain.network import Network
from dotnn.targets.numpy.explain.rows import chunk
from dotnn.targets.numpy.explain.spec_text import SpecText
from dotnn.targets.numpy.explain.update import update_functions
from dotnn.targets.numpy.settings import explained_parts

HISTORY = '''
class History(list):
    """One record per epoch, and how training ended."""
    stopped_by, best_epoch, diverged_at, scaling, test = "epochs", 0, "", {}, {}
'''
DOC = "Train on raw arrays by name; return params and history. `resume` takes a state that `on_epoch` got."


class TrainingWriter:
    """Writes the functions of the training."""

    def __init__(self, model: Model, graph: Graph, spec: SpecText, network: Network, *, by_rows: bool = False) -> None:
        self.model, self.graph, self.spec, self.train = model, graph, spec, model.train
        self.vanishing = network.vanishing
        size = chunk(graph) if by_rows and not graph.samples else 0
        self.figures = Figures(model, network.metrics, size, network.read or (), samples=graph.samples)
        self.early = common.early_stop(model)
        self.slots = optimizer.slots(self.train)
        self.full = not self.train.batch
        self.rate = learning_rate.current(self.train)
        self.state = bool(graph.new_state)
        self.added = explained_parts(model, spec.place_of_key)
        self.draws = graph.draws or any(part.draws for part in self.added)
        self.parts = common.evaluated_parts(model)
        self.fitted = bool(fitted(model))
        self.scaling = ", scaling" if self.figures.unscales() else ""
        self.divided = any(self.parts[1:]) or self.fitted
        self.examples = 'parts["train"]' if self.divided else "examples"
        self.augments = bool(augmenting.changes(model))
        self.seen = "seen" if self.augments else self.examples
        self.count = f'len({self.examples}["{next(iter(model.inputs))}"])'
        self.shown = shown(self.added)
        figures, val_figures = (f"evaluate({self.shown}, {p}{self.scaling})" for p in (self.examples, 'parts["val"]'))
        best = "dict(params)" if self.shown == "params" else self.shown
        words = Words(figures, val_figures, best=best, first="params", finite="np.isfinite")
        self.around = Loop(model, words, self.added)
        self.pass_, self.passes = wrapped_pass(self.added, "training_pass" if self.state else "loss_and_grads")

    def items(self) -> list[tree.Item]:
        """Return all functions, in order."""
        updates = update_functions(self.model, self.graph, self.spec)
        loop = tree.Function("train", tuple(TRAIN_ARGUMENTS), DOC, "", tuple(self._train()))
        added = [function for part in self.added for function in part.functions]
        return [*self.passes, *updates, *added, tree.Prose(HISTORY.strip("\n")), loop, *self.figures.items()]

    def helpers(self) -> set[str]:
        """Return the functions of the runtime that the training calls."""
        plateau = learning_rate.watcher(self.train)
        found = self.figures.helpers() | optimizer.helpers(self.train)
        found |= {self.train.clip.entry.helper} if self.train.clip else set()
        found |= {plateau.entry.watches} if plateau else set()
        found |= {"resampled"} if any(part.resampled for part in self.added) else set()
        found |= {"with_noise"} if self.train.setting("noise") else set()
        return found.union(*(paste.called_in(value) for _, value in constraints(self.model)))

    def modules(self) -> set[str]:
        """Return the standard modules that it uses."""
        written = learning_rate.written(self.train)
        computes = written and any("math." in value for _, value in written.assignments)
        timed = {"time"} if common.time_limit(self.train) else set()
        counts = learning_rate.counts_steps(self.train) and self.train.batch
        return timed | ({"math"} if counts or computes else set())

    def _train(self) -> Iterator[tree.Stmt]:
        yield from self._examples()
        yield from self._begin()
        yield from self._first_gradient()
        yield self._epochs()
        yield from self._end()

    # ------------------------------------------------------------------------------------------ before the epochs

    def _examples(self) -> Iterator[tree.Stmt]:
        """Yield what makes the examples and the parameters that training begins with."""
        prepared = "prepare(load_data() if data is None else data, dtype)"
        if self.divided:
            yield tree.Assign(("parts", "scaling" if self.fitted else "_"), prepared)
        else:
            yield tree.assign("examples", f'{prepared}[0]["train"]')
        if any(part.resampled for part in self.added):
            yield tree.assign(self.examples, f"resampled({self.examples}, seed)")
        if self._counts_examples():
            yield tree.assign("count", self.count)
        drawn = "init_params(seed, dtype)"
        fresh = f"unit_variance({drawn}, {self.examples})" if common.rescaled(self.model, self.graph) else drawn
        given = "{n: w.astype(dtype) for n, w in params.items()}"
        yield tree.assign("params", f"{fresh} if params is None else {given}")

    def _begin(self) -> Iterator[tree.Stmt]:
        """Yield what makes the state that training goes on from, or takes it up."""
        entries = {"params": "params", "optimizer": "optimizer_state(params)", "history": "[]", **self.around.kept()}
        yield from taken_up(entries, fitted=self.fitted, draws=self._uses_rng())
        yield from (*self.around.clock_anew(), *self.around.begin(), *self._fixed_batches())

    def _fixed_batches(self) -> Iterator[tree.Stmt]:
        """Yield what draws the batches once, and how large they are where several make an update."""
        size = "BATCH_SIZE"
        if self.train.setting("accumulate"):
            yield tree.assign("size", "ACCUMULATE * BATCH_SIZE")
            size = "size"
        if self.train.shuffle == "batches" and not self.full:
            yield tree.assign("order", "np.random.default_rng([seed, 2]).permutation(count)")
            yield tree.assign("batches", f"np.split(order, range({size}, count, {size}))")

    def _counts_examples(self) -> bool:
        """Whether the number of examples is read before the first epoch."""
        return not self.full and (learning_rate.counts_steps(self.train) or self.train.shuffle == "batches")

    def _uses_rng(self) -> bool:
        return self.draws or (not self.full and bool(self.train.shuffle))

    def _keeps_gradient(self) -> bool:
        """Whether the next gradient cannot be computed anew: it has drawn numbers, or renewed the state."""
        return self.full and (self.draws or self.state)

    def _first_gradient(self) -> Iterator[tree.Stmt]:
        """Yield the gradient before the first epoch: with all examples at once, an epoch ends with the next one."""
        if self.full:
            yield from self._augmented("len(history) + 1")
        if self._keeps_gradient():
            yield tree.assign("grads", f'resume["grads"] if resume else {self._pass(self.seen)}[1]')
        elif self.full:
            yield tree.Assign(("loss", "grads"), self._pass(self.seen))

    def _augmented(self, epoch: str) -> Iterator[tree.Stmt]:
        """Yield what changes the examples at random, as an epoch sees them."""
        if self.augments:
            yield tree.assign("seen", augmenting.augmented(self.examples, epoch))

    def _pass(self, batch: str) -> str:
        return f"{self.pass_}(params, {batch}{', rng=rng' * self.draws})"

    # ------------------------------------------------------------------------------------------------- the epochs

    def _epochs(self) -> tree.For:
        now = {"history": "history[:]"}
        now |= {"rng": "rng.bit_generator.state"} if self._uses_rng() else {}
        now |= {"grads": "grads"} if self._keeps_gradient() else {}
        remark = tree.Note(self.spec.text_of_key("stop") or "when to stop", self.spec.place_of_key("stop"))
        body = [*(self._full_batch() if self.full else self._batches()), *self.around.after(now, remark)]
        if not self.train.stops:
            return tree.For(HEAD, tuple(body))
        return tree.For(f"while (epoch := len(history) + 1) <= epochs and {GOES_ON}", tuple(body))

    def _full_batch(self) -> Iterator[tree.Stmt]:
        yield from self._step()
        yield from self._augmented("epoch + 1")
        yield tree.Assign(("loss", "grads"), self._pass(self.seen))
        yield tree.Do('history.append({"epoch": epoch, "loss": float(loss)})')

    def _batches(self) -> Iterator[tree.Stmt]:
        fixed = self.train.shuffle == "batches"
        added, reported = common.epoch_loss(self.model, "count" if fixed else "len(order)")
        if fixed:
            yield tree.assign("total", "0.0")
        else:
            count = "count" if self._counts_examples() else self.count
            order = f"rng.permutation({count})" if self.train.shuffle else f"np.arange({count})"
            yield tree.Assign(("order", "total"), f"{order}, 0.0")
        yield from self._augmented("epoch")
        size = "size" if self.train.setting("accumulate") else "BATCH_SIZE"
        yield tree.For(
            "for number in rng.permutation(len(batches))"
            if fixed
            else f"for chosen in np.split(order, range({size}, len(order), {size}))",
            (
                *([tree.assign("chosen", "batches[number]")] if fixed else []),
                tree.Assign(("loss", "grads"), self._pass(f"{{n: v[chosen] for n, v in {self.seen}.items()}}")),
                tree.assign("total", added, "+="),
                tree.If("not np.isfinite(loss)", (tree.Do("break"),)),
                *self._step(),
            ),
        )
        yield tree.Do(f'history.append({{"epoch": epoch, "loss": {reported}}})')

    def _step(self) -> Iterator[tree.Stmt]:
        """Yield what lies between one gradient and the next."""
        if self.train.clip is not None:
            known = self.graph.grads.keys() <= self.graph.params.keys()
            grads = "grads" if known else "{name: grads[name] for name in PARAMS}"
            yield tree.assign("grads", f"{self.train.clip.entry.helper}({grads}, {self.train.clip.attrs['limit']})")
        yield from self.around.gradient()
        yield tree.Do(f"update(params, grads, memory{f', lr={self.rate}' if self.rate else ''})")
        if constraints(self.model):
            yield tree.Do("constrain(params)")
        yield from self.around.updated()

    # ------------------------------------------------------------------------------------------- after the epochs

    def _end(self) -> Iterator[tree.Stmt]:
        yield from self.around.end()
        yield from self._watched()
        arrays = "arrays" if self.slots or self.vanishing else "params"
        lost = f'next((name for name, a in {arrays}.items() if not np.isfinite(a).all()), "")'
        yield tree.assign("lost", lost)
        seen = 'history and not np.isfinite(history[-1]["loss"])'
        shown = self.full and arrays == "params"  # the loss of an epoch comes after its only update
        ended = tree.Assign(("history.stopped_by", "history.diverged_at"), '"diverged", lost')
        yield tree.If(seen if shown else f"lost or {seen}", (ended,))
        best = 'state["best_params"]' if self.early else self.shown
        if best not in ("params", 'state["best_params"]'):
            yield tree.assign("params", best)
            best = "params"
        if self.parts[2]:
            yield tree.assign("history.test", f'evaluate({best}, parts["test"]{self.scaling})')
        yield tree.Return(f"{best}, history")

    def _watched(self) -> Iterator[tree.Stmt]:
        """Yield what gathers the arrays that may overflow without a loss that shows it."""
        tables = ["params"]
        if len(self.slots) == 1:
            (slot,) = self.slots
            tables.append(f'{{f"{slot} of {{n}}": a for n, a in memory["{slot}"].items()}}')
        elif self.slots:
            slots = ", ".join(f'"{slot}"' for slot in self.slots)
            tables.append(f'{{f"{{s}} of {{n}}": a for s in ({slots}) for n, a in memory[s].items()}}')
        elif self.vanishing:
            tables.append("{}")
        if len(tables) > 1:
            yield tree.assign("arrays", " | ".join(tables))
        if self.vanishing:
            few = self.examples if self.full else f"{{n: v[:BATCH_SIZE] for n, v in {self.examples}.items()}}"
            yield tree.Note("a variance that has overflowed leaves 1 / sigma = 0, and no loss shows it")
            yield tree.assign("cache", f"forward(params, {few})[1]")
            yield from _inverted(self.vanishing)


def _inverted(paths: Mapping[str, tuple[str, ...]]) -> Iterator[tree.Stmt]:
    """Yield what adds 1 / v to the arrays for values in the cache, by their layers, each with the keys that lead there.

    Caches of equal blocks, which only their key in the whole one tells apart, are gone through in a loop.
    """
    inner: dict[str, list[tuple[str, tuple[str, ...]]]] = {}
    for layer, (first, *rest) in paths.items():
        inner.setdefault(first, []).append((_beyond(layer, first), tuple(rest)))
    for rests, alike in itertools.groupby(inner, key=inner.__getitem__):
        some = tuple(alike)
        if len(some) == 1:
            yield from (_inverse(literal(name.format(n=some[0])), literal(some[0]), rest) for name, rest in rests)
        else:
            yield tree.For(f"for n in {literal(some)}", tuple(_inverses(rests)))


def _beyond(layer: str, first: str) -> str:
    """Return the name of a layer, `{n}` in place of the key that it begins with."""
    begins = f"{layer}.".startswith(f"{first}.")
    return "{n}" + layer.removeprefix(first) if begins else layer


def _inverses(rests: Sequence[tuple[str, tuple[str, ...]]]) -> Iterator[tree.Stmt]:
    """Yield what adds 1 / v for the values in the cache of each `n`: at once where they differ in one key alone."""
    last = rests[0][1][1:]
    keys = tuple(rest[0] for name, rest in rests if (name, rest[1:]) == (f"{{n}}.{''.join(rest[:1])}", last))
    at_once = f'{{f"{{n}}.{{k}}": 1 / cache[n][k]{_subscripts(last)} for k in {literal(keys)}}}'
    if len(keys) == len(rests) > 1 and len(f"arrays |= {at_once}") <= WIDTH - 2 * INDENT:
        yield tree.assign("arrays", at_once, "|=")
    else:
        yield from (_inverse("n" if name == "{n}" else f'f"{name}"', "n", rest) for name, rest in rests)


def _inverse(name: str, first: str, rest: Iterable[str]) -> tree.Assign:
    return tree.assign(f"arrays[{name}]", f"1 / cache[{first}]{_subscripts(rest)}")


def _subscripts(keys: Iterable[str]) -> str:
    return "".join(f"[{literal(key)}]" for key in keys)


def taken_up(entries: Mapping[str, str], *, fitted: bool, draws: bool) -> Iterator[tree.Stmt]:
    """Yield what makes the state of a training of its entries, or goes on from the one it is given."""
    yield tree.assign("state", f"resume or {table(entries)}")
    taken = 'state["params"], state["optimizer"], History(state["history"])'
    yield tree.Assign(("params", "memory", "history"), taken)
    if fitted:
        yield tree.assign("history.scaling", "scaling")
    if draws:
        yield tree.assign("rng", "np.random.default_rng([seed, 1])")
        yield tree.assign("rng.bit_generator.state", 'state.get("rng", rng.bit_generator.state)')
