"""The TensorFlow script of sections that take turns: one network, a loss and an optimizer of each section.

The network computes all that any section reads; what a section does not read is not computed in its step, which is one
graph. What a section needs is written by the templates of a script with one, which are handed the names of its
functions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from dotnn.codegen import augmenting, learning_rate, paste, training, tree
from dotnn.codegen import turns as common
from dotnn.codegen.called import TABLE, Names
from dotnn.codegen.definitions import metric_functions
from dotnn.codegen.epochs import HEAD, Loop
from dotnn.codegen.heading import headed, header
from dotnn.codegen.hygiene import Mark, names_of
from dotnn.codegen.lines import indented, literal, wrapped
from dotnn.codegen.loop_words import Words
from dotnn.codegen.printer import printed
from dotnn.codegen.regime import TRAIN_ARGUMENTS
from dotnn.codegen.regime import modules as regime_modules
from dotnn.codegen.render import Parts, assembled, render
from dotnn.codegen.sections import Section, sections_of
from dotnn.codegen.shared import result_files, training_context
from dotnn.codegen.tables import constants
from dotnn.core.diagnostics import CompileError
from dotnn.model import messages
from dotnn.model.model import Model
from dotnn.model.turns import with_handed
from dotnn.passes.build import build
from dotnn.running.told_by_data import classes_from_one
from dotnn.targets.base import Draft
from dotnn.targets.keras import optimizer
from dotnn.targets.keras.cells import base_of
from dotnn.targets.keras.layout import as_black
from dotnn.targets.keras.loss import lines_of
from dotnn.targets.keras.lowered import PACKAGES
from dotnn.targets.keras.network import Network
from dotnn.targets.keras.script import (
    CUTS,
    TEMPLATES,
    model_lines,
    prediction,
    read_lines,
    stacked_rows,
    train_options,
    used_activations,
    variable_lines,
)

WRITTEN = {"rates"}
"""Settings of sections that this script has."""


def script_of_turns(draft: Draft) -> str:
    """Return the text of the script. Raises `CompileError` for what cannot be written, and `NamesMeet`."""
    return _Script(draft).text()


@dataclass(frozen=True)
class _Part:
    """A section, and the lines of its losses."""

    section: Section
    lines: tuple[str, ...]

    @cached_property
    def context(self) -> dict[str, Any]:
        train = self.section.train
        made = optimizer.context(train, stacked=False, section=self.section.name)
        return {
            "optimizer": made,
            "regime": {"learning_rate": learning_rate.written(train), "constraints": []},
            "loss_lines": indented([*self.lines]),
            "names": self.section.names,
            "updated": f"list({self.section.names.own('trained')}(network).values())",
            "hands": {h.name: h.of for h in self.section.model.hands},
            "others": self._others(),
        }

    def _others(self) -> tuple[str, ...]:
        """The running statistics that other sections renew: the network computes them in a pass of this one, too."""
        model = self.section.model
        own = {name for step in model.steps for name in step.params.values()}
        return tuple(name for name, p in model.params.items() if p.renewed and name not in own)

    def written(self, template: str) -> str:
        """Return what a template says of this section, under its own names."""
        return render(TEMPLATES, template, self.context).strip("\n")


class _Script:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.model = draft, with_handed(draft.model)
        self.sections = sections_of(draft.model)
        self.around = Loop(draft.model, self.sections, WORDS)
        self.fixed = draft.model.train.shuffle == "batches"
        self.augments = bool(augmenting.changes(draft.model))
        self.mark = Mark.for_text(self.model.source.whole + self.model.source.path + "".join(draft.options.sets))
        _check(draft.model, draft)
        self.plain = build(self.model)
        for step in draft.style.passes(draft.options, draft.words):
            self.plain = step(self.plain)
        self.graph = self.mark.on(self.plain)
        self.network = Network(self.model, self.graph, self.mark, draft.words, distributed=False)
        if stacked_rows(self.model, self.network):
            self._refuse("parameters that are rows of one variable in Keras", "they may belong to several sections")
        self.parts = [self._part(section) for section in self.sections]

    def _refuse(self, what: str, reason: str) -> None:
        span = self.draft.model.turns[0].span
        raise CompileError([messages.turns.unwritten(span, "TensorFlow", what, reason)], self.model.source)

    def _part(self, section: Section) -> _Part:
        """Return a section with the lines of its losses, which the total of all has in their order."""
        assert self.graph.loss is not None
        nodes = self.graph.phase("loss")
        ends = next((node.ins for node in nodes if node.op == "total"), (self.graph.loss,))
        before = sum(len(s.train.losses) for s in self.sections[: self.sections.index(section)])
        terms = [(ends[before + k], term.weight) for k, term in enumerate(section.train.losses)]
        needed = self.graph.needed_for(value for value, _ in terms)
        own = [node for node in nodes if node.op != "total" and any(v.id in needed for v in node.outs)]
        total = " + ".join(v.name if weight == 1 else f"{weight} * {v.name}" for v, weight in terms)
        if any((p := section.model.params[name].penalty) and p.entry.op for name in section.updates):
            updated = f"{section.names.own('trained')}(network).values()"
            total += f" + tf.add_n([v.regularizer(v) for v in {updated} if v.regularizer])"
        lines = [*lines_of(self.model, self.graph, self.network, own), f"return {total}"]
        return _Part(section, tuple(lines))

    def text(self) -> str:
        network, words = self.network, names_of(self.plain)
        losses = [line for part in self.parts for line in part.lines]
        called = paste.called_in("\n".join([*network.lines, *network.functions.values(), *losses]), PACKAGES)
        called |= used_activations(network) | training.init_helpers(self.model)
        called |= {base_of(step.attrs) for step in self.model.steps if step.layer.expand}
        layers = paste.needed(called - {"locate", "DataError"}, PACKAGES)
        modules = regime_modules(self.model.train).union(*(regime_modules(s.train) for s in self.sections))
        alone = self.draft.options.get("helpers") != "import"
        made = Parts(TEMPLATES, PACKAGES, layers, modules, alone, "turns")
        text = as_black(self.mark.off(assembled(made, self._context(layers)), words | network.words_made))
        return headed(self.draft.model, text, self.draft.facts)

    def _context(self, layers: list[str]) -> dict[str, object]:
        model, network, declared = self.model, self.network, self.draft.model
        state = [name for name, p in declared.params.items() if not p.trained]
        arguments = [a if not a.startswith("dtype") else "dtype=None" for a in TRAIN_ARGUMENTS]
        return {
            **header(declared, self.draft.facts, self.draft.style.name),
            **constants(declared, self.graph, lambda v: network.keys[v.id], dead=()),
            "updates": [
                line
                for s in self.sections
                for line in indented(wrapped(f"{literal(s.name)}: [", [*map(literal, s.updates)], "],", 4))
            ],
            "parts": self.parts,
            "fixed": self.fixed,
            "lsuv": {},
            "handed": any(s.handed for s in self.sections),
            "layers": [*paste.sources(layers, PACKAGES), *network.functions.values()],
            "init_lines": indented(training.init_lines(declared, self.draft.values)),
            "model_lines": indented(model_lines(declared, self.graph, network)),
            "variable_lines": indented(variable_lines(declared, network, {}), 8),
            "stacked": "",
            "stacked_frozen": False,
            "read_lines": indented(read_lines(network)),
            "regime": {
                "checkpoint": model.train.checkpoint,
                "train_head": wrapped("def train(", arguments, "):"),
                "resampled": False,
            },
            "distribute": "",
            "train_call": indented(self._train_call()),
            "xla": network.xla,
            "cut": any(node.op in CUTS for node in self.graph.all_nodes()),
            "state": bool(state),
            "samples": self.graph.samples,
            "weights": "{**PARAMS, **STATE}" if state else "PARAMS",
            **training_context(declared, in_place=False, from_one=classes_from_one(declared, self.draft.labels)),
            "workers": False,
            "framework_errors": True,
            "more_made_of": ', "precision": options.precision',
            **result_files(declared, "weights.npz", "model.keras", "history.csv"),
            "train_options": indented(train_options("")),
            "checked_with": "differences of the loss",
            "early": None,
            "metric_functions": [*dict.fromkeys(text for s in self.sections for text in metric_functions(s.model))],
            **prediction(declared, network, samples=self.graph.samples),
            "turn_lines": indented(printed([*self._turns()], 8), 8),
            "fit_lines": indented(printed([*self._fit()], 4), 4),
            "evaluate_lines": indented(printed([*self._evaluate()], 4), 4),
        }

    def _train_call(self) -> list[str]:
        arguments = ["data", "epochs=options.epochs", "seed=options.seed"]
        arguments += ["resume=resume"] if self.model.train.checkpoint else []
        return wrapped("params, history = train(", [*arguments, "on_epoch=after_epoch"], ")")

    # ----------------------------------------------------------------------------------------------- the training

    def _turns(self) -> Iterator[tree.Stmt]:
        """Yield the turns of all sections on a batch, whose losses become `losses`."""
        for s in self.sections:
            name, made, once = literal(s.name), s.names.own("loss_and_grads"), s.steps == 1
            body: list[tree.Stmt] = []
            if s.counts:
                body.append(tree.Do(f"optimizers[{name}].learning_rate.assign(rates[{name}][{0 if once else 'turn'}])"))
            scaled = f"scale_loss=optimizers[{name}].scale_loss"
            body.append(tree.Assign(("loss", "grads"), f"{made}(network, batch, {scaled})"))
            if s.model.hands:
                handed = ", ".join(f"{literal(h.name)}: grads.pop({literal(h.name)})" for h in s.model.hands)
                body.append(tree.assign("batch", f"{{**batch, {handed}}}"))
            given = f"list(grads.values()), list({s.names.own('trained')}(network).values())"
            body.append(
                tree.For("with tf.control_dependencies([loss])", (tree.Do(f"optimizers[{name}].apply({given})"),))
            )
            share = "loss" if training.sums(s.model) else "loss * share"
            each = share if once else f"losses.get({name}, 0.0) + {share} / {s.steps}"
            body.append(tree.assign(f"losses[{name}]", each))
            if not once:
                body = [tree.For(f"for {'turn' if s.counts else '_'} in range({s.steps})", tuple(body))]
            yield from [tree.If(f"{name} in active", tuple(body))] if s.stops else body

    def _fit(self) -> Iterator[tree.Stmt]:
        made = ", ".join(f"{literal(s.name)}: {s.names.own('make_optimizer')}(network)" for s in self.sections)
        yield tree.assign("optimizers", f"{{{made}}}")
        yield tree.assign("examples", 'parts["train"]')
        yield tree.assign("history", "History(scaling)")
        yield tree.assign("count", "len(next(iter(examples.values())))")
        yield tree.assign("rng", "np.random.default_rng([seed, 1])")
        yield tree.assign("every", "[*network.variables, *(v for o in optimizers.values() for v in o.variables)]")
        variables = "{str(i): v for i, v in enumerate(every)}"
        yield from self.around.state({"variables": variables, "history": "history"})
        taken: list[tree.Stmt] = [
            tree.For(
                'for i, variable in state["variables"].items()',
                (tree.Do('variable.assign(resume["variables"][i])'),),
            ),
            tree.assign("rng.bit_generator.state", 'resume["rng"]'),
            *self.around.taken_up(),
        ]
        yield tree.If("resume is not None", tuple(taken))
        yield from self.around.begin()
        made = f"make_epoch(network, optimizers, examples{', seed' * self.fixed})"
        yield tree.Assign(("run_epoch", *["data"] * self.augments), made)
        yield tree.For(HEAD, tuple(self._epoch()))
        yield from self.around.end()
        ended = tree.assign("history.stopped_by", '"diverged"')
        lost = tree.assign("history.diverged_at", "first_not_finite(weights(network))")
        yield tree.If('history and not math.isfinite(history[-1]["loss"])', (ended, lost))
        memories = "{v.path: v.numpy() for o in optimizers.values() for v in o.variables}"
        yield tree.Do(f'note_overflow(history, weights(network), {{"memory": {memories}}})')
        if training.evaluated_parts(self.model)[2]:
            yield tree.assign("history.test", 'evaluate(network, parts["test"], scaling)')
        yield tree.Return("history")

    def _epoch(self) -> Iterator[tree.Stmt]:
        yield from self.around.over()
        units = "-(-count // (min(BATCH_SIZE, count) or count))" if self.fixed else "count"
        yield tree.assign("order", f"rng.permutation({units})" if self.model.train.shuffle else "np.arange(count)")
        if self.augments:
            head = f"for name, array in {augmenting.augmented('examples', 'epoch')}.items()"
            yield tree.For(head, (tree.Do("data[name].assign(array)"),))
        active = f'tuple(name for name in {TABLE} if not state["ended"].get(name))'
        yield tree.assign("active", active if any(s.stops for s in self.sections) else TABLE)
        yield tree.assign("rates", "{}")
        for s in self.sections:
            if s.counts:
                yield from self._rates(s)
        for s in self.sections:
            if s.watches:
                yield tree.Do(f"optimizers[{literal(s.name)}].learning_rate.assign({s.rate})")
        yield tree.assign("losses", "run_epoch(tf.constant(order, tf.int32), rates, tuple(active))")
        yield tree.assign("losses", "{name: float(loss) for name, loss in losses.items()}")
        yield from common.record()
        yield from self.around.after({"params": "weights(network)", "rng": "rng.bit_generator.state"})

    def _rates(self, s: Section) -> Iterator[tree.Stmt]:
        """Yield the rates of the updates of an epoch: for each batch those of its turns."""
        name, per = literal(s.name), f"steps_per_epoch * {s.steps}" if s.steps > 1 else "steps_per_epoch"
        call = f"{s.names.own('learning_rate')}(step, epochs * {per}, {per})"
        done = f"done[{name}]"
        yield tree.assign(f"rates[{name}]", f"[{call} for step in range({done}, {done} + {per})]")
        shape = f"(-1, {s.steps})"
        yield tree.assign(f"rates[{name}]", f"tf.reshape(tf.constant(rates[{name}], network.variable_dtype), {shape})")
        adds = tree.assign(done, per, "+=")
        yield tree.If(f"{name} in active", (adds,)) if s.stops else adds

    def _evaluate(self) -> Iterator[tree.Stmt]:
        yield tree.assign("values", "forward(network, examples)")
        yield tree.assign("sections", "{}")
        for s in self.sections:
            names = {path: self.network.keys.get(v.id, path) for path, v in self.network.values.items()}
            loss = f"{s.names.own('total_loss')}(network, values, examples)"
            lines = training.metric_lines(s.model, names, loss, "values")
            entries = " ".join(line.strip() for line in lines).rstrip(",")
            yield tree.assign(f"sections[{literal(s.name)}]", f"{{{entries}}}")
            if s.model.hands:
                batch = "{name: tf.constant(values) for name, values in examples.items()}"
                yield tree.assign("grads", f"{s.names.own('loss_and_grads')}(network, {batch}, training=False)[1]")
                handed = ", ".join(f"{literal(h.name)}: grads[{literal(h.name)}].numpy()" for h in s.model.hands)
                yield tree.assign("examples", f"examples | {{{handed}}}")
        yield common.figures_of_all()


def _best(names: Names) -> str:
    return f"{{name: variables(network)[name].numpy() for name in {names.params}}}"


def _back(names: Names, best: str) -> tuple[tree.Stmt, ...]:
    return (tree.Do(f"assign(network, weights(network) | {best})"),)


def _memory(names: Names, entry: str) -> str:
    return f"{names.entry('optimizers')}.{entry}"


WORDS = Words(
    "evaluate(network, examples, scaling)",
    'evaluate(network, parts["val"], scaling)',
    best=_best,
    back=_back,
    memory=_memory,
)


def _check(model: Model, draft: Draft) -> None:
    """Raise `CompileError` for what a training in turn cannot have here."""
    span, found = model.turns[0].span, []
    unwritten = {name for turn in model.turns for name in turn.train.settings} - WRITTEN
    found += [
        (f"`{name}`", "a step of all sections is one graph, which does not have it") for name in sorted(unwritten)
    ]
    if draft.options.get("distribute"):
        found.append(("--distribute", "a step of several sections is not spread over replicas"))
    if found:
        raise CompileError([messages.turns.unwritten(span, "TensorFlow", *fault) for fault in found], model.source)
