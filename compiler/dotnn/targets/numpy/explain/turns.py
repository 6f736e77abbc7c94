"""The explain style of sections that take turns: the passes and the update of each, and one loop around them.

Every section has a network of its own, which computes the outputs and what its losses read; blocks are functions that
all of them call. What no parameter of a section needs has no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dotnn.codegen import augmenting, optimizer, paste, tree
from dotnn.codegen import turns as common
from dotnn.codegen.definitions import defined
from dotnn.codegen.heading import head_lines, origin
from dotnn.codegen.lines import literal, table
from dotnn.codegen.parts import wrapped_pass
from dotnn.codegen.preparing import fitted
from dotnn.codegen.printer import print_module
from dotnn.codegen.regime import TRAIN_ARGUMENTS, constraints
from dotnn.codegen.sections import (
    TABLE,
    Section,
    after_updates,
    in_turn,
    observed,
    respelt,
    sections_of,
    watchers,
    words,
)
from dotnn.codegen.threads import one_thread_pays
from dotnn.codegen.training import evaluated_parts, init_helpers
from dotnn.codegen.turns import Says
from dotnn.codegen.wrap import wrapped
from dotnn.ir.graph import Graph
from dotnn.targets.base import Draft
from dotnn.targets.numpy.explain.command_line import MODULES, CommandLine
from dotnn.targets.numpy.explain.data import DataWriter
from dotnn.targets.numpy.explain.figures import Figures
from dotnn.targets.numpy.explain.functions import Library
from dotnn.targets.numpy.explain.head import script_head
from dotnn.targets.numpy.explain.initial import init_params
from dotnn.targets.numpy.explain.network import Network, NetworkWriter
from dotnn.targets.numpy.explain.script import PART, Explained, pasted
from dotnn.targets.numpy.explain.spec_text import SpecText
from dotnn.targets.numpy.explain.training import DOC, HISTORY, taken_up
from dotnn.targets.numpy.explain.turns_said import (
    CHECK,
    EVALUATE,
    LOSS_AND_GRADS,
    OF_SECTIONS,
    TRAINING_PASS,
    checked,
)
from dotnn.targets.numpy.explain.update import update_functions
from dotnn.targets.numpy.settings import explained_parts
from dotnn.targets.numpy.settings.average import SHOWN

SAYS = Says("{{name: params[name] for name in {table}}}", "params.update({best})")
AVERAGED = Says("{{name: shown[name] for name in {table}}}", SAYS.back, 'state["average"].update({best})')
"""Where a section has an average."""


def explained_turns(draft: Draft) -> Explained:
    """Return the script of a draft whose sections take turns."""
    return _Script(draft).run()


@dataclass
class _Part:
    """A section, what is written of it, and the names of its functions."""

    section: Section
    graph: Graph
    writer: NetworkWriter
    network: Network
    spec: SpecText
    functions: list[tree.Item]

    @property
    def name(self) -> str:
        return self.section.name

    @property
    def renews(self) -> bool:
        return bool(self.graph.new_state)

    @property
    def pass_(self) -> tuple[str, list[tree.Item]]:
        """The function that returns the loss and the gradients of a batch, and those that settings put around it."""
        return wrapped_pass(
            self.section.added, self.section.called("training_pass" if self.renews else "loss_and_grads")
        )

    @property
    def draws(self) -> bool:
        """Whether an update draws numbers."""
        return self.graph.draws or any(part.draws for part in self.section.added)

    @property
    def figures(self) -> Figures:
        return Figures(self.section.model, self.network.metrics, samples=self.graph.samples)


class _Script:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.model = draft, draft.model
        self.library = Library()
        self.parts = [self._part(section) for section in sections_of(self.model)]
        self.sections = [part.section for part in self.parts]
        self.train = self.model.train
        self.evaluated = evaluated_parts(self.model)
        self.fitted = bool(fitted(self.model))
        self.divided = any(self.evaluated[1:]) or self.fitted
        self.examples = 'parts["train"]' if self.divided else "examples"
        self.seen = "seen" if augmenting.changes(self.model) else self.examples
        self.draws = any(part.graph.draws for part in self.parts)
        self.says = AVERAGED if any(s.averages for s in self.sections) else SAYS
        self.shown = "shown" if self.says is AVERAGED else "params"
        self.samples = any(part.graph.samples for part in self.parts)
        self.unscales = any(part.figures.unscales() for part in self.parts)
        self.scaling = ", scaling" * self.unscales

    def _part(self, section: Section) -> _Part:
        graph = self.draft.parts[section.name].graph
        writer = NetworkWriter(section.model, graph, self.library, section.table)
        writer.spec.section = section.turn.span
        network = writer.run()
        renewal = writer.renewal()
        functions = [*network.functions, *([renewal] if renewal else [])]
        added = explained_parts(section.model, writer.spec.place_of_key)
        section = replace(section, added=[in_turn(part, section, {}) for part in added])
        return _Part(section, graph, writer, network, writer.spec, [_named(f, section) for f in functions])

    def run(self) -> Explained:
        spec = SpecText(self.model)
        data, command_line = DataWriter(self.model, spec), CommandLine(self.model, self.draft.graph)
        network = [f for part in self.parts for f in self._network(part)]
        formulas = self._formulas(network)
        helpers = paste.needed(self._helpers())
        check = tuple(checked(self.model, self.sections, draws=self.draws))
        items: list[tree.Item] = [
            tree.Banner("the network"),
            *pasted(formulas),
            *map(tree.Prose, [*self._defined(), *self._parameters(network)]),
            *network,
            *self._dispatch(),
            tree.Banner("the training"),
            *pasted(name for name in helpers if name not in formulas),
            *(f for part in self.parts for f in self._updates(part)),
            *(f for s in self.sections for part in s.added for f in part.functions),
            tree.Prose(HISTORY.strip("\n")),
            tree.Function("train", tuple(TRAIN_ARGUMENTS), DOC, "", tuple(self._train())),
            *self._figures(),
            tree.Banner("data"),
            *pasted(n for n in paste.needed(augmenting.helpers(self.model)) if n not in {*formulas, *helpers}),
            *data.items(),
            tree.Banner("command line"),
            tree.Function("check", ("seed=0", "examples=5"), CHECK, "", check),
            *command_line.items()[1:],
        ]
        body, _ = print_module(tree.Module("", items))
        modules = MODULES | data.modules() | paste.standard_modules([*formulas, *helpers])
        modules |= {name for name in ("math", "pathlib", "time") if re.search(rf"(?<![\w.\"]){name}\.", body)}
        modules |= {"os"} if one_thread_pays(self.model) else set()
        text, marks = print_module(tree.Module(self._head(sorted(modules)), items))
        first = head_lines({**origin(self.model), **self.draft.facts}, text)
        moved = tuple(replace(mark, line=mark.line + len(first)) for mark in marks)
        return Explained("\n".join([*first, text]), moved, {})

    def _head(self, modules: Sequence[str]) -> str:
        lines = script_head(self.model, self.draft.graph, modules, zeros=self._zeros())
        updates = {s.name: s.turn.updates for s in self.sections}
        return "\n".join([lines.rstrip("\n"), *wrapped(f"{TABLE} = {literal(updates)}"), ""])

    def _zeros(self) -> tuple[str, ...]:
        from dotnn.passes.zeros import zero_gradients

        found = {
            name for part in self.parts for name in zero_gradients(part.graph) if name in part.section.turn.updates
        }
        return tuple(name for name in self.model.params if name in found)

    # ------------------------------------------------------------------------------------------------ the network

    def _network(self, part: _Part) -> Iterator[tree.Item]:
        yield from part.network.parts
        yield from part.functions
        hands = part.section.model.hands
        more = f", and to {' and '.join(h.of for h in hands)}" if hands else ""
        yield tree.Prose(LOSS_AND_GRADS.strip("\n").format(name=part.name, more=more))
        if part.renews:
            yield tree.Prose(TRAINING_PASS.strip("\n").format(name=part.name))
        yield from part.pass_[1]

    def _dispatch(self) -> Iterator[tree.Item]:
        made = {
            p.name: f"({', '.join(f'{f}_{p.name}' for f in ('forward', 'total_loss', 'backward'))})" for p in self.parts
        }
        entries = ", ".join(f"{literal(name)}: {functions}" for name, functions in made.items())
        first = literal(self.parts[0].name)
        yield tree.Prose("\n".join(wrapped(f"SECTIONS = {{{entries}}}")))
        yield tree.Prose(OF_SECTIONS.strip("\n").format(first=first))

    def _defined(self) -> list[str]:
        return [*dict.fromkeys(text for p in self.parts for text in defined(p.section.model, p.graph))]

    def _parameters(self, network: Sequence[tree.Item]) -> list[str]:
        called = re.search(r"\bpart\(", _code(network))
        return [*([PART.strip("\n")] if called else []), init_params(self.model, self.draft.values)]

    def _formulas(self, network: Sequence[tree.Item]) -> list[str]:
        helpers = {h for p in self.parts for node in p.graph.all_nodes() for h in node.rule.called(node)}
        code = "\n".join([_code(network), *self._defined()])
        called = {h for h in helpers if re.search(rf"\b{h}\b", code)}
        return paste.needed((called | init_helpers(self.model)) - {"locate"})

    # ----------------------------------------------------------------------------------------------- the training

    def _helpers(self) -> set[str]:
        found: set[str] = set()
        for part in self.parts:
            train = part.section.turn.train
            found |= part.figures.helpers() | optimizer.helpers(train)
            found |= {train.clip.entry.helper} if train.clip else set()
            found |= {"with_noise"} if train.setting("noise") else set()
            found |= {train.schedule.entry.watches} if train.schedule and part.section.watches else set()
            found |= set().union(*(paste.called_in(value) for _, value in constraints(part.section.model)))
        return found

    def _updates(self, part: _Part) -> Iterator[tree.Item]:
        for item in update_functions(part.section.model, part.graph, part.spec):
            yield _named(respelled(item, part.section), part.section)

    def _train(self) -> Iterator[tree.Stmt]:
        yield from self._begin()
        yield self._epochs()
        yield from common.at_the_end(self.sections, self.says)
        yield from self._lost()
        if self.shown != "params":
            yield tree.assign("params", SHOWN)
        if self.evaluated[2]:
            yield tree.assign("history.test", f'evaluate(params, parts["test"]{self.scaling})')
        yield tree.Return("params, history")

    def _begin(self) -> Iterator[tree.Stmt]:
        prepared = "prepare(load_data() if data is None else data, dtype)"
        if self.divided:
            yield tree.Assign(("parts", "scaling" if self.fitted else "_"), prepared)
        else:
            yield tree.assign("examples", f'{prepared}[0]["train"]')
        yield tree.assign("count", f'len({self.examples}["{next(iter(self.model.inputs))}"])')
        given = "{n: w.astype(dtype) for n, w in params.items()}"
        yield tree.assign("params", f"init_params(seed, dtype) if params is None else {given}")
        memory = {s.name: f"{s.called('optimizer_state')}(params)" for s in self.sections}
        entries = {"params": "params", "optimizer": table(memory), "history": "[]", **common.kept(self.sections)}
        yield from taken_up(entries, fitted=self.fitted, draws=self._uses_rng())
        yield from common.clock(self.sections)
        yield from common.counted(self.sections)
        yield from watchers(self.sections)
        if self.train.shuffle == "batches":
            yield tree.assign("order", "np.random.default_rng([seed, 2]).permutation(count)")
            yield tree.assign("batches", f"np.split(order, range({self._size}, count, {self._size}))")

    @property
    def _size(self) -> str:
        return "BATCH_SIZE" if self.train.batch else "count"

    def _uses_rng(self) -> bool:
        return any(part.draws for part in self.parts) or bool(self.train.shuffle)

    def _epochs(self) -> tree.For:
        body: list[tree.Stmt] = []
        if common.ends(self.sections):
            body.append(tree.If(common.SPENT, (tree.Do("break"),)))
        body += [*self._batches(), *common.record()]
        body.append(tree.If('not np.isfinite(history[-1]["loss"])', (tree.Do("break"),)))
        body += after_updates(self.sections)
        body += [tree.assign("shown", SHOWN)] if self.shown != "params" else []
        if self.evaluated[1] or any(s.model.train.metrics for s in self.sections):
            body += self._watched()
        body += [*observed(self.sections), *common.stop_rules(self.sections, self.says)]
        now = '"history": history[:]' + ', "rng": rng.bit_generator.state' * self._uses_rng()
        body.append(tree.If("on_epoch is not None", (tree.Do(f"on_epoch(history[-1], state | {{{now}}})"),)))
        return tree.For("for epoch in range(len(history) + 1, epochs + 1)", tuple(body))

    def _watched(self) -> Iterator[tree.Stmt]:
        """Yield what adds the figures of an epoch to its record."""
        if any(s.model.train.metrics for s in self.sections):
            yield tree.assign(
                "history[-1]", f"evaluate({self.shown}, {self.examples}{self.scaling}) | history[-1]", "|="
            )
        if self.evaluated[1]:
            figures = f'evaluate({self.shown}, parts["val"]{self.scaling})'
            yield tree.assign("history[-1]", f'{{f"val_{{key}}": value for key, value in {figures}.items()}}', "|=")

    def _batches(self) -> Iterator[tree.Stmt]:
        fixed = self.train.shuffle == "batches"
        if not fixed:
            yield tree.assign("order", "rng.permutation(count)" if self.train.shuffle else "np.arange(count)")
        yield common.sums(self.sections)
        if self.seen == "seen":
            yield tree.assign("seen", augmenting.augmented(self.examples, "epoch"))
        head = f"for chosen in np.split(order, range({self._size}, count, {self._size}))"
        body: list[tree.Stmt] = [tree.assign("chosen", "batches[number]")] if fixed else []
        body.append(tree.assign("batch", f"{{n: v[chosen] for n, v in {self.seen}.items()}}"))
        for part in self.parts:
            body.append(tree.Note(f"{part.name}: {_counted(part.section.turn.steps)}"))
            body += common.turn_of(part.section, [*self._turn(part)])
        body.append(tree.If("not np.isfinite(sum(losses.values()))", (tree.Do("break"),)))
        yield tree.For("for number in rng.permutation(len(batches))" if fixed else head, tuple(body))

    def _turn(self, part: _Part) -> Iterator[tree.Stmt]:
        """Yield one update of a section."""
        section, name = part.section, literal(part.name)
        train, model = section.turn.train, section.model
        yield tree.Assign(("loss", "grads"), f"{part.pass_[0]}(params, batch{', rng=rng' * part.draws})")
        yield tree.assign(f"losses[{name}]", common.added(section), "+=")
        yield from (tree.assign(f"batch[{literal(h.name)}]", f"grads[{literal(h.name)}]") for h in model.hands)
        if train.clip is not None:
            own = f"{{name: grads[name] for name in {section.table}}}" if model.hands else "grads"
            yield tree.assign("grads", f"{train.clip.entry.helper}({own}, {train.clip.attrs['limit']})")
        yield from (statement for added in section.added for statement in added.gradient)
        rate = f", lr={section.rate}" if section.rate else ""
        yield tree.Do(f"{section.called('update')}(params, grads, memory[{name}]{rate})")
        if section.counts:
            yield tree.assign(f"done[{name}]", "1", "+=")
        if constraints(model):
            yield tree.Do(f"{section.called('constrain')}(params)")
        yield from (statement for added in section.added for statement in added.updated)

    def _lost(self) -> Iterator[tree.Stmt]:
        """Yield what finds an array that is not finite, which no loss shows."""
        yield tree.assign("arrays", "dict(params)")
        for s in self.sections:
            for slot in optimizer.slots(s.turn.train):
                memory = f"memory[{literal(s.name)}][{literal(slot)}]"
                yield tree.assign("arrays", f'{{f"{slot} of {{n}}": a for n, a in {memory}.items()}}', "|=")
        yield tree.assign("lost", 'next((name for name, a in arrays.items() if not np.isfinite(a).all()), "")')
        ended = tree.Assign(("history.stopped_by", "history.diverged_at"), '"diverged", lost')
        yield tree.If('lost or history and not np.isfinite(history[-1]["loss"])', (ended,))

    # ------------------------------------------------------------------------------------------------ the figures

    def _figures(self) -> Iterator[tree.Item]:
        for part in self.parts:
            evaluate = part.figures.evaluation()
            yield _named(respelt(evaluate, words(_inside(part.section))), part.section)
        yield tree.Function("evaluate", ("params", "examples", "scaling=None"), EVALUATE, "", tuple(self._evaluate()))
        forward = f"forward_{common.predicts(self.model)}"
        yield from Figures(self.model, {}, samples=self.samples, forward=forward).prediction()

    def _evaluate(self) -> Iterator[tree.Stmt]:
        yield tree.assign("sections", "{}")
        for part in self.parts:
            section, scaling = part.section, ", scaling" * part.figures.unscales()
            made = f"{section.called('evaluate')}(params, examples{scaling})"
            yield tree.assign(f"sections[{literal(part.name)}]", made)
            if section.model.hands:
                made = section.called("loss_and_grads")
                seeded = ", rng=np.random.default_rng(SEED)" * part.graph.draws
                yield tree.assign("grads", f"{made}(params, examples, training=False{seeded})[1]")
                handed = {h.name: f"grads[{literal(h.name)}]" for h in section.model.hands}
                yield tree.assign("examples", f"examples | {table(handed)}")
        each = '{f"{name}.{key}": value for name, some in sections.items() for key, value in some.items()}'
        yield tree.Return(f'{{"loss": sum(some["loss"] for some in sections.values()), **{each}}}')


def _counted(steps: int) -> str:
    return "an update on the batch" if steps == 1 else f"{steps} updates on the batch"


def _inside(section: Section) -> dict[str, str]:
    """Return what a section calls the functions of the network."""
    return {name: section.called(name) for name in ("forward", "total_loss")}


def respelled(item: tree.Item, section: Section) -> tree.Item:
    """Return a function of the update in which `PARAMS` is what the section updates."""
    made: tree.Item = respelt(item, words({"PARAMS": section.table}))
    return made


def _named(item: tree.Item, section: Section) -> tree.Item:
    """Return a function under the name that it has in a script of several sections."""
    return replace(item, name=section.called(item.name)) if isinstance(item, tree.Function) else item


def _code(items: Sequence[tree.Item]) -> str:
    return print_module(tree.Module("", items))[0]
