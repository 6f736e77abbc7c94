"""The source map: which line of a script is which value of the graph, from which line of the spec."""

import ast
import re

import pytest
from support import SPECS

from dotnn.session import Compilation, Options
from dotnn.targets.numpy.explain.script import explain_script
from dotnn_runtime.gradcheck.tracing.traced import load_script

PLACE = re.compile(r"\.nn:(\d+)(?:\"\"\")?$")


@pytest.mark.parametrize("name", ["xor", "brackets", "jabberwocky", "digits_batchnorm", "probe"])
def test_marks(name):
    """A marked line assigns something, in the function that the mark names, under its spec line or beside it."""
    draft = Compilation.read(str(SPECS / f"{name}.nn")).draft(Options())
    graph, explained = draft.graph, explain_script(draft)
    lines = explained.text.split("\n")
    tree = ast.parse(explained.text)
    statements = {node.lineno: node for node in ast.walk(tree) if isinstance(node, ast.stmt)}
    spans = {n.name: (n.lineno, n.end_lineno) for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    known = {v.name for node in graph.all_nodes() for v in node.outs}
    structure = load_script(explained.text, f"{name}.py").structure
    assert explained.source_map
    for mark in explained.source_map:
        first, last = spans[mark.function]
        assert first < mark.line <= last
        assert isinstance(statements[mark.line], ast.Assign | ast.AugAssign | ast.Return)
        if mark.origin.op in ("call", "accumulate"):
            continue
        assert mark.origin.value in known
        above = (PLACE.search(line) for line in reversed(lines[first - 1 : mark.line]))
        headings = [int(found[1]) for found in above if found]
        if headings and mark.origin.line:
            assert mark.origin.line == headings[0]
            said = structure.place(mark.line)
            if mark.function != "total_loss":  # whose docstring says it
                assert said.spec_line == f"{name}.nn:{mark.origin.line}"
                assert said.op and not said.op.startswith("[")  # it is the spec's statement, no shape
