"""The explain style of sections that take turns: the passes and the update of each, and one loop around them.

Every section has a network of its own, which computes the outputs and what its losses read; blocks are functions that
all of them call. What no parameter of a section needs has no line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from dotnn.codegen import augmenting, paste, tree
from dotnn.codegen import turns as common
from dotnn.codegen.called import TABLE
from dotnn.codegen.definitions import defined
from dotnn.codegen.heading import head_lines, origin
from dotnn.codegen.lines import literal, table
from dotnn.codegen.printer import print_module
from dotnn.codegen.sections import Section, sections_of
from dotnn.codegen.training import init_helpers
from dotnn.codegen.wrap import wrapped
from dotnn.targets.base import Draft
from dotnn.targets.numpy.explain.command_line import MODULES, CommandLine
from dotnn.targets.numpy.explain.data import DataWriter
from dotnn.targets.numpy.explain.figures import Figures
from dotnn.targets.numpy.explain.functions import Library
from dotnn.targets.numpy.explain.head import imported, script_head
from dotnn.targets.numpy.explain.initial import init_params
from dotnn.targets.numpy.explain.network import NetworkWriter
from dotnn.targets.numpy.explain.script import PART, Explained, pasted
from dotnn.targets.numpy.explain.spec_text import SpecText
from dotnn.targets.numpy.explain.trained import Trained
from dotnn.targets.numpy.explain.training import TrainingWriter
from dotnn.targets.numpy.explain.turns_said import (
    CHECK,
    EVALUATE,
    checked,
    loss_and_grads,
    of_sections,
    training_pass,
)
from dotnn.targets.numpy.settings import explained_parts


def explained_turns(draft: Draft) -> Explained:
    """Return the script of a draft whose sections take turns."""
    return _Script(draft).run()


@dataclass(frozen=True)
class _Part(Trained):
    """A section, and the functions of its network."""

    functions: Sequence[tree.Item] = ()


class _Script:
    def __init__(self, draft: Draft) -> None:
        self.draft, self.model = draft, draft.model
        self.library = Library()
        self.parts = [self._part(section) for section in sections_of(self.model)]
        self.sections = [part.section for part in self.parts]
        self.training = TrainingWriter(self.model, self.parts)
        self.draws = any(part.graph.draws for part in self.parts)
        self.samples = any(part.graph.samples for part in self.parts)

    def _part(self, section: Section) -> _Part:
        graph = self.draft.parts[section.name].graph
        writer = NetworkWriter(section.model, graph, self.library, section.names.params)
        assert section.turn is not None
        writer.spec.section = section.turn.span
        network = writer.run()
        renewal = writer.renewal()
        functions = [*network.functions, *([renewal] if renewal else [])]
        added = explained_parts(section.model, writer.spec.place_of_key, section.names)
        named = [_named(f, section) for f in functions]
        return _Part(replace(section, added=added), graph, network, writer.spec, functions=named)

    def run(self) -> Explained:
        spec = SpecText(self.model)
        data = DataWriter(self.model, spec, self.draft.labels)
        command_line = CommandLine(self.model, self.draft.graph)
        network = [f for part in self.parts for f in self._network(part)]
        formulas = self._formulas(network)
        helpers = paste.needed(self.training.helpers())
        check = tuple(checked(self.model, self.sections, draws=self.draws))
        items: list[tree.Item] = [
            tree.Banner("the network"),
            *pasted(formulas),
            *map(tree.Prose, [*self._defined(), *self._parameters(network)]),
            *network,
            *self._dispatch(),
            tree.Banner("the training"),
            *pasted(name for name in helpers if name not in formulas),
            *self.training.items(),
            *self._figures(),
            tree.Banner("data"),
            *pasted(n for n in paste.needed(augmenting.helpers(self.model)) if n not in {*formulas, *helpers}),
            *data.items(),
            tree.Banner("command line"),
            tree.Function("check", ("seed=0", "examples=5"), CHECK, "", check),
            *command_line.items()[1:],
        ]
        body, _ = print_module(tree.Module("", items))
        modules = MODULES | paste.standard_modules([*formulas, *helpers])
        modules |= self.training.modules()
        text, marks = print_module(tree.Module(self._head(imported(self.model, body, modules, data.modules())), items))
        first = head_lines({**origin(self.model), **self.draft.facts}, text)
        moved = tuple(replace(mark, line=mark.line + len(first)) for mark in marks)
        return Explained("\n".join([*first, text]), moved, {})

    def _head(self, modules: Sequence[str]) -> str:
        lines = script_head(self.model, self.draft.graph, modules, zeros=self._zeros())
        updates = {s.name: s.updates for s in self.sections}
        return "\n".join([lines.rstrip("\n"), *wrapped(f"{TABLE} = {literal(updates)}"), ""])

    def _zeros(self) -> tuple[str, ...]:
        from dotnn.passes.zeros import zero_gradients

        found = {name for part in self.parts for name in zero_gradients(part.graph) if name in part.section.updates}
        return tuple(name for name in self.model.params if name in found)

    # ------------------------------------------------------------------------------------------------ the network

    def _network(self, part: _Part) -> Iterator[tree.Item]:
        yield from part.network.parts
        yield from part.functions
        hands = part.section.model.hands
        more = f", and to {' and '.join(h.of for h in hands)}" if hands else ""
        yield loss_and_grads(part.section.name, more)
        if part.renews:
            yield training_pass(part.section.name)

    def _dispatch(self) -> Iterator[tree.Item]:
        functions = ("forward", "total_loss", "backward")
        made = {s.name: f"({', '.join(map(s.names.own, functions))})" for s in self.sections}
        first = literal(self.parts[0].section.name)
        yield tree.Prose("\n".join(wrapped(f"SECTIONS = {table(made)}")))
        yield from of_sections(first)

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

    # ------------------------------------------------------------------------------------------------ the figures

    def _figures(self) -> Iterator[tree.Item]:
        for part in self.parts:
            yield part.figures.evaluation()
        yield tree.Function("evaluate", ("params", "examples", "scaling=None"), EVALUATE, "", tuple(self._evaluate()))
        forward = f"forward_{common.predicts(self.model)}"
        yield from Figures(self.model, {}, samples=self.samples, forward=forward).prediction()

    def _evaluate(self) -> Iterator[tree.Stmt]:
        yield tree.assign("sections", "{}")
        for part in self.parts:
            section, scaling = part.section, ", scaling" * part.figures.unscales()
            made = f"{section.names.own('evaluate')}(params, examples{scaling})"
            yield tree.assign(f"sections[{literal(part.section.name)}]", made)
            if section.model.hands:
                made = section.names.own("loss_and_grads")
                seeded = ", rng=np.random.default_rng(SEED)" * part.graph.draws
                yield tree.assign("grads", f"{made}(params, examples, training=False{seeded})[1]")
                handed = {h.name: f"grads[{literal(h.name)}]" for h in section.model.hands}
                yield tree.assign("examples", f"examples | {table(handed)}")
        yield common.figures_of_all()


def _named(item: tree.Item, section: Section) -> tree.Item:
    """Return a function under the name that it has in a script of several sections."""
    return replace(item, name=section.names.own(item.name)) if isinstance(item, tree.Function) else item


def _code(items: Sequence[tree.Item]) -> str:
    return print_module(tree.Module("", items))[0]
