"""A fault in what a spec defines itself is blamed with the line of its definition."""

import ast

import pytest

from dotnn.session import Compilation
from dotnn_runtime.gradcheck import Verdict, check_script

SPEC = """# a loss and an activation of its own
loss bent(y, t) = mean(sqrt(1 + (y - t)^2) - 1)
activation leaning(z) = z * sigmoid(1.5 * z)
model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, leaning)
  output y = h -> dense(2)
}
train { loss = bent(y, t)  optim = sgd(0.1)  epochs = 3 }
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.nn"
    path.write_text(SPEC, encoding="utf-8")
    return Compilation.read(str(path)).script("numpy", "explain")


def with_the_sign_turned(script, function, target=""):
    """The script in which what a function assigns to a name, or returns, is negative."""
    tree = ast.parse(script)
    body = next(n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == function).body
    kind = ast.Assign if target else ast.Return
    (node,) = (n for n in body if isinstance(n, kind) and (not target or ast.unparse(n.targets[0]) == target))
    lines = script.splitlines()
    first, last = node.value.lineno - 1, node.value.end_lineno
    assert first == last - 1
    head = lines[first][: node.value.col_offset]
    lines[first] = f"{head}-({ast.unparse(node.value)})"
    return node.lineno, "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("function", "target", "place"),
    [("backward", "d_y_from_terms", "own.nn:2"), ("leaning_slope", "", "own.nn:3"), ("backward", "d_y_W", "own.nn:8")],
)
def test_the_line_of_the_definition_is_blamed(script, function, target, place):
    line, wrong = with_the_sign_turned(script, function, target)
    report = check_script(wrong, "own.py", v4=False)
    assert report.verdict is Verdict.FAIL
    assert (report.blame.line, report.blame.spec_line) == (line, place)
