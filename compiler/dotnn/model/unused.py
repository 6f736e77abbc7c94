"""Definitions that nothing reads: they would be dropped without a word, so each is an error."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dotnn.core.diagnostics import Diagnostic, Source
from dotnn.model import messages
from dotnn.model.constants import Poison
from dotnn.model.definitions import KINDS
from dotnn.model.scope import Scope, names_read
from dotnn.syntax import nodes
from dotnn.syntax.walk import section_expressions

WHAT = {nodes.Assign: "value", nodes.LayerDef: "layer"}


def unused_names(scope: Scope, statements: Sequence[nodes.Stmt]) -> Iterator[Diagnostic]:
    """Yield an error for every value, shared layer, input and target of a model or block that is not in use."""
    for s in statements:
        named = nodes.Assign | nodes.LayerDef | nodes.TensorDecl | nodes.ArrayDecl
        if isinstance(s, named) and s.name.id not in scope.used:
            what = s.role if isinstance(s, nodes.TensorDecl | nodes.ArrayDecl) else WHAT[type(s)]
            if not isinstance(scope.names.get(s.name.id), Poison):
                yield messages.names.unused_value(s.name.span, s.name.id, what)


def unused_definitions(file: nodes.File, source: Source) -> Iterator[Diagnostic]:
    """Yield an error for every parameter and every block that no other line names; what other files offer is free."""
    read = {name for section in file.sections for name in _read(section)}
    for section in file.sections:
        if source.at(section.span.start)[0] is not source:
            continue
        if isinstance(section, nodes.BlockSection):
            yield from _unused_block(section, read)
        elif isinstance(section, nodes.Definition):
            if section.name.id not in read:
                yield _unused_definition(section)
        elif section.keyword == "params":
            for s in section.statements:
                if isinstance(s, nodes.Assign) and s.name.id not in read:
                    yield messages.names.unused_value(s.name.span, s.name.id, "parameter")


def _unused_definition(section: nodes.Definition) -> Diagnostic:
    name, kind = section.name, KINDS[section.keyword]
    return messages.warnings.unused_definition(name.span, kind.name, name.id, kind.example.format(name=name.id))


def _unused_block(block: nodes.BlockSection, read: set[str]) -> Iterator[Diagnostic]:
    if block.name.id not in read:
        yield messages.names.unused_value(block.name.span, block.name.id, block.keyword)
    inside = set(_read(block))
    for param in block.params:
        if param.name.id not in inside:
            yield messages.names.unused_value(param.name.span, param.name.id, "parameter")


def _read(section: nodes.Section) -> Iterator[str]:
    for expr in section_expressions(section):
        yield from names_read(expr)
