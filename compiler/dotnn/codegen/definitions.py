"""The functions that a spec defines, as text for a script."""

from __future__ import annotations

import textwrap

from dotnn.codegen import paste, tree
from dotnn.codegen.printer import print_function
from dotnn.codegen.spec_places import SpecPlaces
from dotnn.codegen.wrap import INDENT, WIDTH
from dotnn.core.diagnostics import CompileError, Diagnostic
from dotnn.ir.definition import Written
from dotnn.ir.graph import Graph
from dotnn.model.model import Model


def defined(model: Model, graph: Graph) -> list[str]:
    """Return the text of each function. Raises `CompileError` for one that is called as a function of ours."""
    texts: list[str] = []
    for definition in graph.definitions():
        sources = definition.sources()
        met = next((name for name in sources if name in paste.library()), None)
        if met is not None:
            message = f"the activation {definition.name} is called as a function that scripts have: {met}"
            help = f"call it otherwise: {definition.name}1"
            raise CompileError([Diagnostic("NN509", message, definition.span, help=help)], model.source)
        place = SpecPlaces(model.source).place(definition.span)
        texts += (_printed(written, place) for written in sources.values())
    return [*texts, *metric_functions(model)]


def metric_functions(model: Model) -> list[str]:
    """Return the text of the functions of the metrics that a spec defines."""
    return [_printed(w) for w in dict.fromkeys(m.written for m in model.train.metrics) if w is not None]


def _printed(written: Written, place: str = "") -> str:
    """Return the text of a function; `place` is where the spec defines it."""
    body = [tree.assign(*pair) for pair in written.assignments]
    room = WIDTH - INDENT - len(f'"""  {place}"""')
    doc = "\n".join(textwrap.wrap(written.doc, room)) if place else written.doc
    function = tree.Function(written.name, written.arguments, doc, place, (*body, tree.Return(written.result)))
    return print_function(function)
