"""The fast script of sections that take turns: a step and an update of each, in arrays that all of them share.

What a section needs is written by the templates of a script with one, which are handed the names of its functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from dotnn.codegen import augmenting, optimizer, paste, training, tree
from dotnn.codegen import turns as common
from dotnn.codegen.called import TABLE, Names
from dotnn.codegen.definitions import defined
from dotnn.codegen.epochs import HEAD, Loop
from dotnn.codegen.heading import headed, header
from dotnn.codegen.hygiene import names_of
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.loop_words import Words
from dotnn.codegen.printer import print_module, printed
from dotnn.codegen.regime import IN_PLACE_ARGUMENTS, modules
from dotnn.codegen.render import Parts, assembled, render
from dotnn.codegen.sections import Section, sections_of
from dotnn.codegen.shared import result_files, training_context, value_names
from dotnn.codegen.tables import constants, decayed, named
from dotnn.codegen.threads import thread_lines
from dotnn.codegen.wrap import INDENT
from dotnn.ir.graph import Graph
from dotnn.passes.zeros import zero_gradients
from dotnn.running.told_by_data import classes_from_one
from dotnn.targets.base import Draft
from dotnn.targets.numpy import training_loop
from dotnn.targets.numpy.equations import forward, helper_names, total_loss
from dotnn.targets.numpy.fast import context as fast
from dotnn.targets.numpy.fast.plan import Plan
from dotnn.targets.numpy.script import TEMPLATES, mark_of, predicted, read_by_figures
from dotnn.targets.numpy.settings import fast_parts


def script_of_turns(draft: Draft) -> str:
    """Return the text of the script. Equal drafts give the same bytes.

    Raises `NamesMeet` where a value must be called otherwise.
    """
    return _Script(draft).text()


def _with_settings(section: Section) -> Section:
    """Return a section with what its settings add to the loop."""
    return replace(section, added=fast_parts(section.model, section.names))


@dataclass(frozen=True)
class _Part:
    """A section: its graphs, whose values have a mark, and the plans of a step and of a prediction."""

    section: Section
    graph: Graph
    step: Graph
    prediction: Graph

    @cached_property
    def plans(self) -> tuple[Plan, Plan]:
        return fast.plans(self.section.model, self.step, self.prediction)

    @cached_property
    def context(self) -> dict[str, Any]:
        """What the templates of a script show of this section."""
        model, graph, train = self.section.model, self.graph, self.section.train
        return {
            "forward_lines": forward(model, graph),
            "loss_lines": total_loss(model, graph),
            "state": bool(graph.state),
            "fast": fast.context(model, self.step, *self.plans),
            "update": optimizer.context(train),
            "regime": training_loop.context(model, graph),
            "draws": graph.draws,
            "samples": graph.samples,
            "figures_read": literal(read_by_figures(model, graph)),
            "metric_lines": training.metric_lines(
                model, value_names(model, graph), f"{self.names.own('total_loss')}(params, examples, cache)"
            ),
            "names": self.names,
            "hands": [h.name for h in model.hands],
        }

    @property
    def d_loss(self) -> str:
        """The expression of what a step multiplies the gradients by: the optimizer may want them so."""
        return str(self.context["fast"]["rule"].d_loss)

    def written(self, template: str) -> str:
        """Return what a template says of this section, under its own names."""
        return render(TEMPLATES, template, self.context).strip("\n")

    @property
    def names(self) -> Names:
        """What its things are called."""
        return self.section.names

    @property
    def passes(self) -> list[str]:
        """The entry of the table of the functions that compute a section: its pass, its loss, and its gradient."""
        functions = [*map(self.names.own, ("forward", "total_loss", "loss_and_grads"))]
        return indented(wrapped(f"{literal(self.section.name)}: (", functions, "),", INDENT))

    @property
    def functions(self) -> list[str]:
        """The functions of its settings."""
        made = [tree.Module("", [function]) for part in self.section.added for function in part.functions]
        return [print_module(module)[0].strip("\n") for module in made]

    @property
    def helpers(self) -> set[str]:
        step, prediction = self.plans
        found = helper_names(self.graph) | step.helpers | prediction.helpers
        return found | optimizer.helpers(self.section.train)


class _Script:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.model, self.mark = draft, draft.model, mark_of(draft)
        mark = self.mark
        self.parts = [
            _Part(section, mark.on(part.graph), mark.on(part.step), mark.on(part.prediction))
            for section in map(_with_settings, sections_of(self.model))
            for part in (draft.parts[section.name],)
        ]
        self.sections = [part.section for part in self.parts]
        self.augments = bool(augmenting.changes(self.model))
        self.averages = [s.name for s in self.sections if s.averages]
        self.shown = "shown" if self.averages else "params"
        figures, val_figures = (f"evaluate({self.shown}, {p}, scaling)" for p in ("examples", 'parts["val"]'))
        words = Words(figures, val_figures, best=self._best, back=self._back)
        self.around = Loop(self.model, self.sections, words)

    def _best(self, names: Names) -> str:
        return f"{{name: {self.shown}[name].copy() for name in {names.params}}}"

    def _back(self, names: Names, best: str) -> tuple[tree.Stmt, ...]:
        average = tree.Do(f"fill({names.own('average')}, {best})")
        return (tree.Do(f"fill(params, {best})"), *([average] if names.section in self.averages else []))

    def text(self) -> str:
        parts = self.draft.parts.values()
        names = names_of(*(graph for part in parts for graph in (part.graph, part.step, part.prediction)))
        called = set().union(*(part.helpers for part in self.parts)) | training.init_helpers(self.model)
        formulas = paste.needed(called - {"locate"})
        used = modules(self.model.train).union(*(modules(part.section.train) for part in self.parts))
        alone = self.draft.options.get("helpers") != "import"
        made = Parts(TEMPLATES, paste.SCRIPT, formulas, used, alone, "turns")
        text = self.mark.off(assembled(made, self._context(formulas)), names)
        return headed(self.model, text, self.draft.facts)

    def _context(self, formulas: list[str]) -> dict[str, object]:
        model, first = self.model, self.parts[0]
        predicting = next(part for part in self.parts if part.section.name == common.predicts(model))
        state = {name for name, p in model.params.items() if not p.trained}
        return {
            **header(model, self.draft.facts, self.draft.style.name),
            **self._tables(),
            "dead": self._zeros(),
            "formulas": [*paste.sources(formulas), *self._defined()],
            "init_lines": indented(training.init_lines(model, self.draft.values)),
            "updates": self._updates(),
            "parts": self.parts,
            "passes": [line for part in self.parts for line in part.passes],
            "first": first.section.name,
            "state": bool(state),
            "weights": "{**PARAMS, **STATE}" if state else "PARAMS",
            "regime": {
                "checkpoint": model.train.checkpoint,
                "train_head": wrapped("def train(", IN_PLACE_ARGUMENTS, "):"),
                "resampled": False,
            },
            "samples": any(part.graph.samples for part in self.parts),
            "draws": any(part.graph.draws for part in self.parts),
            "thread_lines": thread_lines(model),
            **training_context(model, in_place=True, from_one=classes_from_one(model, self.draft.labels)),
            "early": None,
            "predict_dtype": "dtype",
            "predict_setup": [
                "dtype = next(iter(params.values())).dtype if params else np.float64",
                "params = in_precision(params, dtype)",
            ],
            "predict_forward": predicted(predicting.graph, predicting.names),
            "framework_errors": False,
            **result_files(model, "weights.npz", "history.csv"),
            "train_options": [],
            "checked_with": "complex-step derivatives",
            "workers": False,
            "more_made_of": ', "precision": "float32"',
            "fit_lines": indented(printed([*self._fit()], 4), 4),
            "evaluate_lines": indented(printed([*self._evaluate()], 4), 4),
            "puts_back": any(s.early for s in self.sections),
            "handed": {name: d for part in self.parts for name, d in self._handed(part).items()},
        }

    def _tables(self) -> dict[str, Any]:
        """Return the tables at the top; what decays has one for each section."""
        plain = replace(self.model, train=replace(self.model.train, weight_decay=0.0))
        found = constants(plain, self.parts[0].graph, dead=self._zeros())
        own = [(s.names.own("DECAYED"), decayed(s.model)) for s in self.sections if s.train.weight_decay]
        return {**found, "tables": [*found["tables"], *(line for pair in own for line in named(*pair))]}

    def _zeros(self) -> tuple[str, ...]:
        found = {n for p in self.parts for n in zero_gradients(p.graph) if n in p.section.updates}
        return tuple(name for name in self.model.params if name in found)

    def _defined(self) -> list[str]:
        return [*dict.fromkeys(text for p in self.parts for text in defined(p.section.model, p.graph))]

    def _updates(self) -> list[str]:
        shapes = {s.name: {name: self.model.params[name].shape for name in s.updates} for s in self.sections}
        return [
            line
            for name, table in shapes.items()
            for line in indented(
                wrapped(f"{literal(name)}: {{", [f"{literal(n)}: {s}" for n, s in table.items()], "},", 4)
            )
        ]

    def _handed(self, part: _Part) -> dict[str, tuple[int, ...]]:
        targets = part.section.model.targets
        return {h.name: targets[h.name].type.example for h in part.section.handed}

    # ------------------------------------------------------------------------------------------------ the training

    def _fit(self) -> Iterator[tree.Stmt]:
        yield from self._arrays()
        for part in self.parts:
            yield from self._made(part)
        yield tree.assign("history", "History(scaling)")
        if self.averages:
            averages = "".join(f", **average_{name}" for name in self.averages)
            yield tree.assign("shown", f"{{**params{averages}}}")
        yield from self.around.state({"params": "params", "optimizer": "memory", "history": "history"})
        yield tree.If("resume is not None", tuple(self._restored()))
        yield from self.around.begin()
        if self.model.train.shuffle == "batches":
            yield tree.assign("order", "np.random.default_rng([seed, 2]).permutation(count)")
            yield tree.assign("batches", "[order[start : start + size] for start in range(0, count, size)]")
        yield tree.For(HEAD, tuple(self._epoch()))
        yield from self.around.end()
        yield from self._lost()
        if training.evaluated_parts(self.model)[2]:
            yield tree.assign("history.test", f'evaluate({self.shown}, parts["test"], scaling)')
        yield tree.Return(f"{self.shown}, history")

    def _arrays(self) -> Iterator[tree.Stmt]:
        """Yield what makes the arrays of all sections: parameters, their gradients, and what is handed on."""
        yield tree.assign("examples", 'parts["train"]')
        yield tree.assign("dtype", "next(iter(params.values())).dtype")
        yield tree.assign("count", "len(next(iter(examples.values())))")
        yield tree.assign("size", "min(BATCH_SIZE, count)" if self.model.train.batch else "count")
        yield tree.assign("rest", "count % size")
        yield tree.assign("rng", "np.random.default_rng([seed, 1])")
        shapes = "STATE" if any(not p.trained for p in self.model.params.values()) else "{}"
        yield tree.assign("held", f"{{name: np.empty(shape, dtype) for name, shape in {shapes}.items()}}")
        yield tree.Assign(("w", "g", "grads"), "{}, {}, {}")
        yield tree.For(
            f"for section, shapes in {TABLE}.items()",
            (
                tree.Assign(("w[section]", "views"), "flat_arrays(shapes, dtype)"),
                tree.Assign(("g[section]", "grads[section]"), "flat_arrays(shapes, dtype)"),
                tree.assign("held", "views", "|="),
            ),
        )
        yield tree.For("for name in held", (tree.assign("held[name][...]", "params[name]"),))
        yield tree.assign("params", "{name: held[name] for name in params}")
        handed = {name: shape for part in self.parts for name, shape in self._handed(part).items()}
        for name, shape in handed.items():
            shown = ", ".join(["count", *map(str, shape)])
            yield tree.assign("examples", f"examples | {{{literal(name)}: np.zeros(({shown}), dtype)}}")
        yield tree.assign("memory", "{}")

    def _made(self, part: _Part) -> Iterator[tree.Stmt]:
        """Yield what makes the step and the update of a section."""
        section, name = part.section, part.section.name
        key = literal(name)
        arrays = f"{section.names.own('training_arrays')}(examples, dtype)"
        copied = f"{{name: np.array(values) for name, values in {arrays}.items()}}"
        yield tree.assign(f"arrays_{name}", copied if self.augments else arrays)
        made, d_loss = section.names.own("make_step"), f"d_loss={part.d_loss}"
        if section.model.hands:
            yield tree.assign(f"last_grads_{name}", f"dict(grads[{key}])")
        last = f"last_grads_{name}" if section.model.hands else f"grads[{key}]"
        yield tree.assign(f"step_{name}", f"{made}(params, grads[{key}], arrays_{name}, size, {d_loss})")
        rest = f"{made}(params, {last}, arrays_{name}, rest, {d_loss}) if rest else None"
        yield tree.assign(f"last_step_{name}", rest)
        yield tree.assign(f"memory[{key}]", f"{section.names.own('optimizer_state')}(w[{key}])")
        if section.train.clip is not None:
            yield tree.assign(f"clip_{name}", f"{section.names.own('make_clip')}(g[{key}], grads[{key}])")
        given = f"w[{key}], g[{key}], memory[{key}], params"
        yield tree.assign(f"update_{name}", f"{section.names.own('make_update')}({given})")
        yield from (statement for added in section.added for statement in added.setup)

    def _restored(self) -> Iterator[tree.Stmt]:
        """Yield what takes over a state."""
        yield tree.Do('fill(params, resume["params"])')
        for s in self.sections:
            memory = f"memory[{literal(s.name)}]"
            given = f'resume["optimizer"][{literal(s.name)}]'
            for slot in optimizer.slots(s.train):
                yield tree.assign(f"{memory}[{literal(slot)}][...]", f"{given}[{literal(slot)}]")
            if optimizer.counts_updates(s.train):
                yield tree.assign(f'{memory}["t"]', f'{given}["t"]')
        yield tree.assign("rng.bit_generator.state", 'resume["rng"]')
        yield from self.around.taken_up()

    def _epoch(self) -> Iterator[tree.Stmt]:
        yield from self.around.over()
        if self.augments:
            yield tree.assign("seen", augmenting.augmented("as_arrays(examples)", "epoch"))
            for part in self.parts:
                arrays = f"{part.section.names.own('training_arrays')}(seen, dtype)"
                yield tree.Do(f"fill(arrays_{part.section.name}, {arrays})")
        fixed = self.model.train.shuffle == "batches"
        if not fixed:
            yield tree.assign("order", "rng.permutation(count)" if self.model.train.shuffle else "np.arange(count)")
        yield common.sums(self.sections)
        body: list[tree.Stmt] = [tree.assign("chosen", "batches[number]" if fixed else "order[start : start + size]")]
        for part in self.parts:
            body += common.turn_of(part.section, [*self._turn(part)])
        body.append(tree.If("not math.isfinite(sum(losses.values()))", (tree.Do("break"),)))
        head = "for number in rng.permutation(len(batches))" if fixed else "for start in range(0, count, size)"
        yield tree.For(head, tuple(body))
        yield from common.record()
        yield from self.around.after({"rng": "rng.bit_generator.state"})

    def _turn(self, part: _Part) -> Iterator[tree.Stmt]:
        """Yield one update of a section."""
        section, name = part.section, part.section.name
        run = f"step_{name}(chosen, rng) if len(chosen) == size else last_step_{name}(chosen, rng)"
        yield tree.assign("loss", run)
        yield tree.assign(f"losses[{literal(name)}]", common.added(section, "loss"), "+=")
        if section.model.hands:
            yield tree.assign("handed", f"grads[{literal(name)}] if len(chosen) == size else last_grads_{name}")
        divided = "" if part.d_loss == "1.0" else f" / {part.d_loss}"
        for handed in section.model.hands:
            for other in self.parts:
                if handed.name in self._handed(other):
                    taken = f"arrays_{other.section.name}[{literal(handed.name)}][chosen]"
                    yield tree.assign(taken, f"handed[{literal(handed.name)}]{divided}")
        yield from training_loop.step(section, self.around)

    def _lost(self) -> Iterator[tree.Stmt]:
        """Yield what finds an array that is not finite, which no loss shows."""
        yield tree.assign("memories", "{}")
        for s in self.sections:
            for slot in optimizer.slots(s.train):
                key = literal(s.name)
                yield tree.assign(f"g[{key}][...]", f"memory[{key}][{literal(slot)}]")
                copied = f"{{name: grads[{key}][name].copy() for name in {s.names.params}}}"
                yield tree.assign(f"memories[{literal(slot)}]", f"memories.get({literal(slot)}, {{}}) | {copied}")
        ended = tree.assign("history.stopped_by", '"diverged"')
        lost = tree.assign("history.diverged_at", "first_not_finite(params)")
        yield tree.If('history and not math.isfinite(history[-1]["loss"])', (ended, lost))
        hiding = [part for part in self.parts if training_loop.hides_overflow(part.graph)]
        passes = [f"{part.names.own('forward')}(params, rows)[1]" for part in hiding]
        if passes:
            yield tree.assign("rows", training_loop.looked_at(self.model))
        values = f", {' | '.join(passes)}" if passes else ""
        yield tree.Do(f"note_overflow(history, params, memories{values})")

    def _evaluate(self) -> Iterator[tree.Stmt]:
        yield tree.assign("sections", "{}")
        for part in self.parts:
            section, name = part.section, literal(part.section.name)
            yield tree.assign(f"sections[{name}]", f"{section.names.own('evaluate')}(params, examples, scaling)")
            if section.model.hands:
                seeded = ", rng=np.random.default_rng(SEED)" * part.graph.draws
                given = f"params, as_arrays(examples), training=False{seeded}"
                yield tree.assign("grads", f"{section.names.own('loss_and_grads')}({given})[1]")
                handed = ", ".join(f"{literal(h.name)}: grads[{literal(h.name)}]" for h in section.model.hands)
                yield tree.assign("examples", f"examples | {{{handed}}}")
        yield common.figures_of_all()
