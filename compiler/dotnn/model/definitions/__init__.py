"""What a spec defines itself: `activation swish(z, beta = 1) = z * sigmoid(beta * z)`.

Each kind of definition is a `DefinitionKind` in a file of this folder. What is defined becomes a member like those of
the language, under a name of the constants.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from dotnn.core.diagnostics import Reporter
from dotnn.core.registry import collect
from dotnn.library.layers import LAYERS
from dotnn.library.values import REDUCTIONS
from dotnn.model import messages
from dotnn.model.constants import WORDS, Constant, Constants, Defined, Poison, Poisoned
from dotnn.model.definitions.base import DefinitionKind, Definitions
from dotnn.model.formulas import ELEMENTWISE
from dotnn.model.messages.base import Fail
from dotnn.model.order import Circle, dependency_order
from dotnn.model.scope import names_read
from dotnn.syntax import nodes
from dotnn.syntax.walk import section_expressions

KINDS: dict[str, DefinitionKind] = collect(__name__, __path__, DefinitionKind)


def read_definitions(
    sections: Sequence[nodes.Section], blocks: Collection[str], constants: Constants, reporter: Reporter
) -> dict[str, Constant]:
    """Return what a spec defines, by name; a wrong definition is `Poison`, and has been reported."""
    definitions: dict[str, nodes.Definition] = {}
    for section in sections:
        if isinstance(section, nodes.Definition):
            problem = _name_problem(section, definitions, blocks, constants, reporter)
            if problem is None:
                definitions[section.name.id] = section
            else:
                reporter.add(problem.diagnostic)
    found: dict[str, Constant] = {}
    for name in _ordered(definitions, found, reporter):
        section = definitions[name]
        kind = KINDS[section.keyword]
        try:
            member = kind.read(section, Definitions({**constants, **found}, definitions, reporter))
            found[name] = Defined(kind.name, kind.families, member)
        except (Fail, Poisoned) as failure:
            if isinstance(failure, Fail):
                reporter.add(failure.diagnostic)
            found[name] = Poison()
    return found


def _name_problem(
    section: nodes.Definition,
    definitions: Mapping[str, nodes.Definition],
    blocks: Collection[str],
    constants: Constants,
    reporter: Reporter,
) -> Fail | None:
    name, span = section.name.id, section.name.span
    if name in definitions:
        return Fail(messages.names.duplicate_name(span, name, reporter.source.place(definitions[name].span)))
    if name in constants:
        return Fail(messages.names.name_is_parameter(span, name))
    words = (*WORDS, *ELEMENTWISE, *REDUCTIONS, "repeat", *KINDS[section.keyword].taken)
    if name in LAYERS or name in blocks or name in words:
        return Fail(messages.names.reserved_name(span, name))
    return None


def _ordered(definitions: Mapping[str, nodes.Definition], found: dict[str, Constant], reporter: Reporter) -> list[str]:
    """Return the names so that each comes after what it calls; one that calls itself is reported and left out."""
    reads = {name: _read(section) & definitions.keys() for name, section in definitions.items()}
    while True:
        try:
            return dependency_order(reads)
        except Circle as circle:
            span = definitions[circle.names[0]].name.span
            help = "a definition is a formula: it cannot repeat itself; write out what it computes"
            reporter.add(messages.names.cycle(span, circle.names, help))
            for name in circle.names:
                found[name] = Poison()
                reads.pop(name)


def _read(section: nodes.Definition) -> set[str]:
    """Return the names that a definition reads, besides its own parameters."""
    names = {name for expr in section_expressions(section) for name in names_read(expr)}
    return names - {param.name.id for param in section.params}
