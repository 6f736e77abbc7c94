"""A fault in what a spec defines itself is blamed with the line of its definition."""

import ast

import pytest

from dotnn.commands.checking.changes import compared
from dotnn.commands.checking.script import beside
from dotnn.running.spec_step import SpecStep
from dotnn.session import Compilation, Options, compile_spec
from dotnn_runtime.gradcheck import Verdict, check_script

SPEC = """# a loss and an activation of its own
loss bent(y, t) = mean(sqrt(1 + (y - t)^2) - 1)
activation leaning(z) = z * sigmoid(1.5 * z)
penalty group(w, s) = s * sum(sqrt(sum(w^2, axis = 0)))
constraint simplex(w) = abs(w) / sum(abs(w), axis = 0)
model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, leaning, penalty = group(0.01))
  output y = h -> dense(2, constraint = simplex)
}
train { loss = bent(y, t)  optim = sgd(0.1)  epochs = 3 }
"""


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.nn"
    path.write_text(SPEC, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def script(spec):
    return Compilation.read(str(spec)).script("numpy", "explain")


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
    [
        ("backward", "d_y", "own.nn:2"),
        ("leaning_slope", "", "own.nn:3"),
        ("backward", "d_y_W", "own.nn:10"),
        ("backward", "d_h_W_from_group", "own.nn:4"),
    ],
)
def test_the_line_of_the_definition_is_blamed(script, function, target, place):
    line, wrong = with_the_sign_turned(script, function, target)
    report = check_script(wrong, "own.py", v4=False)
    assert report.verdict is Verdict.FAIL
    assert (report.blame.line, report.blame.spec_line) == (line, place)


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_the_line_of_the_definition_is_blamed_for_another_constraint(spec, style):
    """What training does besides the gradients is compared with a training step of the interpreter, and the script."""
    compiled = compile_spec(str(spec), Options(style))
    (right,) = (line for line in compiled.script.splitlines() if line.startswith('    params["y.W"][...] = '))
    wrong = compiled.script.replace(right, f"{right} / 2")
    step = SpecStep(compiled.model, compiled.graph, style == "fast")
    report = compared(beside(wrong, "own.py", 0, compiled.script, step), wrong, compiled.script, compiled.model)
    assert report.verdict is Verdict.FAIL
    assert (report.blame.text, report.blame.spec_line) == (f"{right} / 2".strip(), "own.nn:5")
