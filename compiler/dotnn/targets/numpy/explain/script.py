"""The explain style: the whole script as a tree."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dotnn.codegen import augmenting, paste, tree
from dotnn.codegen import training as common
from dotnn.codegen.definitions import defined
from dotnn.codegen.heading import head_lines, origin
from dotnn.codegen.lines import table
from dotnn.codegen.printer import Mark, print_module
from dotnn.codegen.sections import Section
from dotnn.codegen.site import Site
from dotnn.codegen.wrap import WIDTH, wrapped
from dotnn.targets.base import Draft
from dotnn.targets.numpy.explain.command_line import MODULES, CommandLine
from dotnn.targets.numpy.explain.data import DataWriter
from dotnn.targets.numpy.explain.generation import generation
from dotnn.targets.numpy.explain.head import imported, script_head
from dotnn.targets.numpy.explain.initial import init_params, shapes_are_read
from dotnn.targets.numpy.explain.network import Network, NetworkWriter
from dotnn.targets.numpy.explain.prose import prose
from dotnn.targets.numpy.explain.rows import chunk, held_once
from dotnn.targets.numpy.explain.trained import Trained
from dotnn.targets.numpy.explain.training import TrainingWriter
from dotnn.targets.numpy.settings import explained_parts

PART = '''
def part(params, path):
    """Return the parameters under `path`, without it in their names."""
    return {name[len(path) + 1 :]: w for name, w in params.items() if name.startswith(path + ".")}
'''
LOSS_AND_GRADS = '''
def loss_and_grads(params, batch, *, training=True, rng=None, d_loss=1.0):
    """Return the loss and its gradient with respect to every parameter."""
    outputs, cache = forward(params, batch, training=training, rng=rng)
    return total_loss(params, batch, cache), backward(params, batch, cache, d_loss)
'''
UNIT_VARIANCE = """Divide weights, layer by layer, until what a layer makes of the examples has variance 1 (LSUV).

Source: Mishkin and Matas 2015, whose tolerance of 0.1 and at most 10 trials these are."""
SHAPES = "PARAMS = {name: value.shape for name, value in init_params(0).items()}"
TRAINING_PASS = '''
def training_pass(params, batch, rng=None):
    """Return the loss and its gradient, as `loss_and_grads` does, and renew the state in `params`."""
    outputs, cache = forward(params, batch, training=True, rng=rng)
    loss, grads = total_loss(params, batch, cache), backward(params, batch, cache)
    renew_state(params, cache)
    return loss, grads
'''


@dataclass(frozen=True)
class Explained:
    """A script, where each of its lines comes from, and where it computes each value, by the value's name."""

    text: str
    source_map: tuple[Mark, ...]
    sites: Mapping[str, Site]


def explain_script(draft: Draft) -> Explained:
    """Return the script of a draft."""
    return _Script(draft).run()


class _Script:
    def __init__(self, draft: Draft) -> None:
        self.model, self.graph, self.facts, self.values = draft.model, draft.graph, draft.facts, draft.values
        self.large, self.labels = draft.large, draft.labels

    def run(self) -> Explained:
        writer = NetworkWriter(self.model, self.graph)
        network = writer.run()
        renewal = writer.renewal()
        by_rows = (
            self.large and not augmenting.changes(self.model) and held_once(self.model) and network.read is not None
        )
        section = Section(self.model, explained_parts(self.model, writer.spec.place_of_key))
        size = chunk(self.graph) if by_rows and not self.graph.samples else 0
        trained = Trained(section, self.graph, network, writer.spec, size)
        training = TrainingWriter(self.model, [trained])
        data = DataWriter(self.model, writer.spec, self.labels, by_rows=by_rows)
        command_line = CommandLine(self.model, self.graph)
        formulas = self._formulas([*network.parts, *network.functions, *([renewal] if renewal else [])])
        state: list[tree.Item] = [renewal, tree.Prose(TRAINING_PASS.strip("\n"))] if renewal else []
        helpers = paste.needed(training.helpers())
        changing = [name for name in paste.needed(augmenting.helpers(self.model)) if name not in {*formulas, *helpers}]
        parts: list[tree.Item] = [
            tree.Banner("the network"),
            *pasted(formulas),
            *map(tree.Prose, [*defined(self.model, self.graph), *self._parameters(network)]),
            *network.parts,
            *network.functions,
            tree.Prose(LOSS_AND_GRADS.strip("\n")),
            *state,
            tree.Banner("the training"),
            *pasted(n for n in helpers if n not in formulas),
            *self._unit_variance(writer),
            *training.items(),
            *trained.figures.items(),
            tree.Banner("data"),
            *pasted(changing),
            *data.items(),
            *generation(self.model, self.graph),
            tree.Banner("command line"),
            *command_line.items(),
        ]
        body, _ = print_module(tree.Module("", parts))
        modules = MODULES | training.modules() | paste.standard_modules([*formulas, *helpers, *changing])
        head = script_head(self.model, self.graph, imported(self.model, body, modules, data.modules()))
        text, marks = print_module(tree.Module(head, parts))
        first = head_lines({**origin(self.model), **self.facts}, text)
        moved = tuple(replace(mark, line=mark.line + len(first)) for mark in marks)
        return Explained("\n".join([*first, text]), moved, writer.sites(moved))

    def _parameters(self, network: Network) -> list[str]:
        """Return the functions of parameters: `part`, where the network calls it, and `init_params`."""
        called = re.search(r"\bpart\(", self._code([*network.parts, *network.functions]))
        shapes = [SHAPES] if shapes_are_read(self.model) else []
        return [*([PART.strip("\n")] if called else []), init_params(self.model, self.values), *shapes]

    def _code(self, items: list[tree.Item]) -> str:
        return print_module(tree.Module("", items))[0]

    def _formulas(self, network: list[tree.Item]) -> list[str]:
        """Return the helpers that the network and the initial values call, in order."""
        helpers = {h for node in self.graph.all_nodes() for h in node.rule.called(node)}
        code = "\n".join([self._code(network), *defined(self.model, self.graph)])
        called = {h for h in helpers if re.search(rf"\b{h}\b", code)}
        return paste.needed((called | common.init_helpers(self.model)) - {"locate"})

    def _unit_variance(self, writer: NetworkWriter) -> list[tree.Item]:
        lsuv = common.rescaled(self.model, self.graph)
        if not lsuv:
            return []
        root = writer.writers[writer.root]
        root.unpacked, root.targets = {}, {}
        made_by = {name: f"lambda cache: {root.stored(v, 'backward')}" for name, v in lsuv.items()}
        return [tree.Function("unit_variance", ("params", "examples"), UNIT_VARIANCE, "", _rescaling(made_by))]


def _rescaling(made_by: Mapping[str, str]) -> tuple[tree.Stmt, ...]:
    """Return the body of `unit_variance`; `made_by` are functions of the cache, by the weight whose work they find."""
    trial = (
        tree.assign("variance", "value(forward(params, batch)[1]).var()"),
        tree.If("abs(variance - 1) < 0.1 or variance == 0", (tree.Do("break"),)),
        tree.assign("params[name]", "params[name] / np.sqrt(variance)"),
    )
    return (
        tree.assign("params", "dict(params)"),
        tree.assign("batch", "{name: values[:1000] for name, values in examples.items()}"),
        tree.assign("made_by", table(made_by)),
        tree.For("for name, value in made_by.items()", (tree.For("for _ in range(10)", trial),)),
        tree.Return("params"),
    )


def pasted(names: Iterable[str]) -> list[tree.Prose]:
    """Return functions of the runtime as a script shows them."""
    return [tree.Prose(_short_doc(text)) for text in paste.sources(names)]


def _short_doc(source: str) -> str:
    """Return a pasted function with the first paragraph of its docstring, in lines that fit."""
    found = re.search(r'\n    """((?:(?!""").|\n)*?)"""', source)
    if found is None:
        return source
    text = " ".join(found[1].split("\n\n")[0].split())
    if len(text) > WIDTH - 10:
        text = re.split(r"(?<=\w)[;:.] ", text)[0].rstrip(".") + "."
    lines = textwrap.wrap(text, WIDTH - 10)
    quoted = [f'    """{lines[0]}', *(f"    {line}" for line in lines[1:])]
    rest = "\n".join(made for line in source[found.end() :].split("\n") for made in _narrow(line))
    return f'{source[: found.start()]}\n{prose(quoted)}"""{rest}'


def _narrow(line: str) -> list[str]:
    """Return a line of a pasted function in lines that fit; a long signature loses its annotations."""
    if len(line) <= WIDTH:
        return [line]
    code = line.strip()
    if re.match(r"(self|\w+: )", code):
        return [re.sub(r": (float|int|bool|str)\b", "", line)]
    return wrapped(code, len(line) - len(code))
