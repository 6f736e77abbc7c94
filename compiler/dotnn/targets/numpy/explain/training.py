"""The training of a script: the loop, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.codegen import augmenting, learning_rate, stopping, tree, turns
from dotnn.codegen import training as common
from dotnn.codegen.called import Names
from dotnn.codegen.epochs import HEAD, Loop
from dotnn.codegen.lines import literal, table
from dotnn.codegen.loop_words import Words
from dotnn.codegen.parts import shown
from dotnn.codegen.preparing import fitted
from dotnn.codegen.regime import TRAIN_ARGUMENTS, constraints
from dotnn.model.model import Model
from dotnn.targets.numpy.explain.overflow import watched
from dotnn.targets.numpy.explain.trained import Trained
from dotnn.targets.numpy.explain.update import update_functions

HISTORY = '''
class History(list):
    """One record per epoch, and how training ended."""
    stopped_by, best_epoch, diverged_at, scaling, test = "epochs", 0, "", {}, {}
'''
WHILE = 'while (epoch := len(history) + 1) <= epochs and state["stopped_by"] == "epochs"'
"""The head of a loop that rules may end."""
DOC = "Train on raw arrays by name; return params and history. `resume` takes a state that `on_epoch` got."


class TrainingWriter:
    """Writes the functions of the training: of sections that take turns, or of the only training.

    With all examples in one batch the only training computes the gradient for the next epoch at the end of each, so
    that the loss of an epoch is that after its update.
    """

    def __init__(self, model: Model, parts: Sequence[Trained]) -> None:
        self.model, self.parts, self.train = model, parts, model.train
        self.first, self.sections = parts[0], [part.section for part in parts]
        self.turns = bool(self.first.section.name)
        self.ahead = not self.train.batch and not self.turns
        self.evaluated = common.evaluated_parts(model)
        self.fitted = bool(fitted(model))
        self.scaling = ", scaling" if any(part.figures.unscales() for part in parts) else ""
        self.divided = any(self.evaluated[1:]) or self.fitted
        self.examples = 'parts["train"]' if self.divided else "examples"
        self.augments = bool(augmenting.changes(model))
        self.seen = "seen" if self.augments else self.examples
        self.count = f'len({self.examples}["{next(iter(model.inputs))}"])'
        self.shown = next((shown(s.added) for s in self.sections if s.averages), "params")
        self.around = Loop(model, self.sections, self._words())

    def _words(self) -> Words:
        several = self.turns and self.shown != "params"
        of = "shown" if several else self.shown
        figures, val_figures = (f"evaluate({of}, {p}{self.scaling})" for p in (self.examples, 'parts["val"]'))
        return Words(
            figures,
            val_figures,
            shows=(tree.assign("shown", self.shown),) if several else (),
            best=lambda names: self._best(names, of),
            first="params",
            back=self._back,
            finite="np.isfinite",
            remarks={part.section.name: part.remark for part in self.parts},
        )

    def _best(self, names: Names, of: str) -> str:
        """Return the expression of the best parameters, no array of which is written into."""
        if self.turns:
            return f"{{name: {of}[name] for name in {names.params}}}"
        return "dict(params)" if of == "params" else of

    def _back(self, names: Names, best: str) -> tuple[tree.Stmt, ...]:
        averages = next(s.averages for s in self.sections if s.name == names.section)
        average = tree.Do(f'state["average"].update({best})')
        return (tree.Do(f"params.update({best})"), *([average] if averages else []))

    def items(self) -> list[tree.Item]:
        """Return the functions of the training, in order; those of its figures come behind."""
        passes = [function for part in self.parts for function in part.wrapped[1]]
        updates = [f for p in self.parts for f in update_functions(p.section.model, p.graph, p.spec, p.names)]
        added = [function for s in self.sections for part in s.added for function in part.functions]
        loop = tree.Function("train", tuple(TRAIN_ARGUMENTS), DOC, "", tuple(self._train()))
        return [*passes, *updates, *added, tree.Prose(HISTORY.strip("\n")), loop]

    def helpers(self) -> set[str]:
        """Return the functions of the runtime that the training calls."""
        return set().union(*(part.helpers() for part in self.parts))

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
        if any(part.resampled for s in self.sections for part in s.added):
            yield tree.assign(self.examples, f"resampled({self.examples}, seed)")
        if self._counts_examples():
            yield tree.assign("count", self.count)
        drawn = "init_params(seed, dtype)"
        rescaled = not self.turns and common.rescaled(self.model, self.first.graph)
        fresh = f"unit_variance({drawn}, {self.examples})" if rescaled else drawn
        given = "{n: w.astype(dtype) for n, w in params.items()}"
        yield tree.assign("params", f"{fresh} if params is None else {given}")

    def _begin(self) -> Iterator[tree.Stmt]:
        """Yield what makes the state that training goes on from, or takes it up."""
        memory = {part.section.name: f"{part.names.own('optimizer_state')}(params)" for part in self.parts}
        fresh = table(memory) if self.turns else memory[""]
        entries = {"params": "params", "optimizer": fresh, "history": "[]", **self.around.kept()}
        yield tree.assign("state", f"resume or {table(entries)}")
        taken = 'state["params"], state["optimizer"], History(state["history"])'
        yield tree.Assign(("params", "memory", "history"), taken)
        if self.fitted:
            yield tree.assign("history.scaling", "scaling")
        if self._uses_rng():
            yield tree.assign("rng", "np.random.default_rng([seed, 1])")
            yield tree.assign("rng.bit_generator.state", 'state.get("rng", rng.bit_generator.state)')
        yield from (*self.around.clock_anew(), *self.around.begin(), *self._fixed_batches())

    def _fixed_batches(self) -> Iterator[tree.Stmt]:
        """Yield what draws the batches once, and how large they are where several make an update."""
        if self.train.setting("accumulate"):
            yield tree.assign("size", "ACCUMULATE * BATCH_SIZE")
        if self._batches_are_fixed():
            yield tree.assign("order", "np.random.default_rng([seed, 2]).permutation(count)")
            yield tree.assign("batches", f"np.split(order, range({self._size}, count, {self._size}))")

    def _batches_are_fixed(self) -> bool:
        return self.train.shuffle == "batches" and not self.ahead

    @property
    def _size(self) -> str:
        """The expression of how many examples a batch has."""
        if self.train.setting("accumulate"):
            return "size"
        return "BATCH_SIZE" if self.train.batch else "count"

    def _counts_examples(self) -> bool:
        """Whether the number of examples is read before the first epoch."""
        counts = learning_rate.counts_steps(self.train) or self.train.shuffle == "batches"
        return self.turns or (not self.ahead and counts)

    def _uses_rng(self) -> bool:
        return any(part.draws for part in self.parts) or (not self.ahead and bool(self.train.shuffle))

    def _keeps_gradient(self) -> bool:
        """Whether the next gradient cannot be computed anew: it has drawn numbers, or renewed the state."""
        return self.ahead and (self.first.draws or self.first.renews)

    def _first_gradient(self) -> Iterator[tree.Stmt]:
        """Yield the gradient before the first epoch, where an epoch ends with the next one."""
        if self.ahead:
            yield from self._augmented("len(history) + 1")
        if self._keeps_gradient():
            yield tree.assign("grads", f'resume["grads"] if resume else {self.first.passed(self.seen)}[1]')
        elif self.ahead:
            yield tree.Assign(("loss", "grads"), self.first.passed(self.seen))

    def _augmented(self, epoch: str) -> Iterator[tree.Stmt]:
        """Yield what changes the examples at random, as an epoch sees them."""
        if self.augments:
            yield tree.assign("seen", augmenting.augmented(self.examples, epoch))

    # ------------------------------------------------------------------------------------------------- the epochs

    def _epochs(self) -> tree.For:
        now = {"history": "history[:]"}
        now |= {"rng": "rng.bit_generator.state"} if self._uses_rng() else {}
        now |= {"grads": "grads"} if self._keeps_gradient() else {}
        body = [*(self._full_batch() if self.ahead else self._batches()), *self.around.after(now)]
        return tree.For(WHILE if stopping.stops(self.sections) else HEAD, tuple(body))

    def _full_batch(self) -> Iterator[tree.Stmt]:
        yield from self._step(self.first)
        yield from self._augmented("epoch + 1")
        yield tree.Assign(("loss", "grads"), self.first.passed(self.seen))
        yield tree.Do('history.append({"epoch": epoch, "loss": float(loss)})')

    def _batches(self) -> Iterator[tree.Stmt]:
        fixed = self._batches_are_fixed()
        whole = "count" if self.turns or fixed else "len(order)"
        yield from self._sums_begin()
        yield from self._augmented("epoch")
        head = f"for chosen in np.split(order, range({self._size}, {whole}, {self._size}))"
        chosen = [tree.assign("chosen", "batches[number]")] if fixed else []
        body = (*chosen, *(self._all_turns() if self.turns else self._only_turn(whole)))
        yield tree.For("for number in rng.permutation(len(batches))" if fixed else head, body)
        if self.turns:
            yield from turns.record()
        else:
            reported = common.epoch_loss(self.model, whole)[1]
            yield tree.Do(f'history.append({{"epoch": epoch, "loss": {reported}}})')

    def _sums_begin(self) -> Iterator[tree.Stmt]:
        """Yield the order of the examples, and what the losses are added to."""
        count = "count" if self._counts_examples() else self.count
        order = f"rng.permutation({count})" if self.train.shuffle else f"np.arange({count})"
        drawn = [] if self._batches_are_fixed() else [order]
        if self.turns:
            yield from (tree.assign("order", order) for order in drawn)
            yield turns.sums(self.sections)
        else:
            yield tree.Assign((*(["order"] * len(drawn)), "total"), ", ".join([*drawn, "0.0"]))

    @property
    def _rows(self) -> str:
        return f"{{n: v[chosen] for n, v in {self.seen}.items()}}"

    def _only_turn(self, whole: str) -> Iterator[tree.Stmt]:
        yield tree.Assign(("loss", "grads"), self.first.passed(self._rows))
        yield tree.assign("total", common.epoch_loss(self.model, whole)[0], "+=")
        yield tree.If("not np.isfinite(loss)", (tree.Do("break"),))
        yield from self._step(self.first)

    def _all_turns(self) -> Iterator[tree.Stmt]:
        yield tree.assign("batch", self._rows)
        for part in self.parts:
            yield tree.Note(f"{part.section.name}: {turns.counted(part.section.steps)}")
            yield from turns.turn_of(part.section, [*self._turn(part)])
        yield tree.If("not np.isfinite(sum(losses.values()))", (tree.Do("break"),))

    def _turn(self, part: Trained) -> Iterator[tree.Stmt]:
        """Yield one update of a section; what it hands on becomes part of the batch."""
        yield tree.Assign(("loss", "grads"), part.passed("batch"))
        yield tree.assign(part.names.entry("losses"), turns.added(part.section), "+=")
        for handed in part.section.model.hands:
            yield tree.assign(f"batch[{literal(handed.name)}]", f"grads[{literal(handed.name)}]")
        yield from self._step(part)

    def _step(self, part: Trained) -> Iterator[tree.Stmt]:
        """Yield what lies between one gradient and the next."""
        section, names, clip = part.section, part.names, part.section.train.clip
        if clip is not None:
            known = part.graph.grads.keys() <= part.graph.params.keys()
            grads = "grads" if known else f"{{name: grads[name] for name in {names.params}}}"
            yield tree.assign("grads", f"{clip.entry.helper}({grads}, {clip.attrs['limit']})")
        yield from self.around.gradient(section)
        rate = f", lr={section.rate}" if section.rate else ""
        yield tree.Do(f"{names.own('update')}(params, grads, {names.entry('memory')}{rate})")
        if constraints(section.model):
            yield tree.Do(f"{names.own('constrain')}(params)")
        yield from self.around.updated(section)

    # ------------------------------------------------------------------------------------------- after the epochs

    def _end(self) -> Iterator[tree.Stmt]:
        yield from self.around.end()
        few = self.examples if not self.train.batch else f"{{n: v[:BATCH_SIZE] for n, v in {self.examples}.items()}}"
        arrays = yield from watched(self.parts, few)
        lost = f'next((name for name, a in {arrays}.items() if not np.isfinite(a).all()), "")'
        yield tree.assign("lost", lost)
        seen = 'history and not np.isfinite(history[-1]["loss"])'
        shown = self.ahead and arrays == "params"  # the loss of an epoch comes after its only update
        ended = tree.Assign(("history.stopped_by", "history.diverged_at"), '"diverged", lost')
        yield tree.If(seen if shown else f"lost or {seen}", (ended,))
        best = 'state["best_params"]' if self.first.section.early and not self.turns else self.shown
        if best not in ("params", 'state["best_params"]'):
            yield tree.assign("params", best)
            best = "params"
        if self.evaluated[2]:
            yield tree.assign("history.test", f'evaluate({best}, parts["test"]{self.scaling})')
        yield tree.Return(f"{best}, history")
