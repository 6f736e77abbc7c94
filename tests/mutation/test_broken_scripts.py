"""Scripts that do not run, or return what they should not: the answer is a diagnosis, never a traceback."""

import ast
import os
import random

import pytest
from click.testing import CliRunner
from mutation import fast
from mutation.subjects import BATCH, right_script
from support import SPECS

from dotnn.cli import main
from dotnn.session import Options, compile_spec
from dotnn_runtime.gradcheck import check_script
from dotnn_runtime.gradcheck.reading.script import read_script
from dotnn_runtime.gradcheck.reading.statements import walk_statements

TANH = "dense1 = np.tanh(dense1_z)"
BACK = "d_dense1 = d_p_z @ dense2_W.T"
LOSS = "    return sigmoid_cross_entropy(p_z, t).sum() / len(p_z)\n"
GRADS = '    return {"p.dense1.W"'
# what is replaced by what, and what the answer says
BROKEN = {
    "an unknown name in forward": (TANH, "dense1 = np.tanh(z)", "NameError: name 'z' is not defined"),
    "shapes that do not fit in forward": ("x @ dense1_W", "dense1_W @ x", "This line stops: ValueError"),
    "a division by zero in the loss": (
        "return sigmoid_cross_entropy",
        "return 1 / 0 * sigmoid_cross_entropy",
        "ZeroDivisionError",
    ),
    "NaN in forward": (TANH, f"{TANH} / (0 * dense1_z)", "dense1 holds NaN or infinity, the first value"),
    "NaN in backward": (BACK, f"{BACK} * np.nan", "d_dense1 holds NaN or infinity"),
    "an unknown name in backward": (BACK, "d_dense1 = d_z", "NameError: name 'd_z' is not defined"),
    "the end of the program in backward": (BACK, "d_dense1 = exit(3)", "This line stops: SystemExit"),
    "a function without end": (BACK, "d_dense1 = backward(params, batch, cache)", "RecursionError"),
    "an error inside a formula": ("p_z = dense1 @", "p_z = sigmoid(params) @", "inside sigmoid in line"),
    "no gradients": (GRADS, f"    return None\n{GRADS}", "It must return two things"),
    "a list of gradients": (GRADS, f"    return []\n{GRADS}", "It must return two things"),
    "a gradient left out": ('"p.dense1.W": d_dense1_W, ', "", "missing from the dict that is returned"),
    "a number for a gradient": ('"p.dense1.b": d_dense1_b', '"p.dense1.b": 3', "has the shape ()"),
    "a text for a gradient": ('"p.dense1.b": d_dense1_b', '"p.dense1.b": "3"', "has the shape ()"),
    "two losses": (LOSS, "    return np.array([p_z.sum(), p_z.sum()])\n", "The loss must be a number"),
    "no loss": (LOSS, "    pass\n", "The loss must be a number, not None"),
    "one result of forward": ('return {"p": p}, {', 'return {"p": p} or {', "not enough values to unpack"),
    "no function total_loss": ("def total_loss(", "def total(", "a generated script has total_loss"),
    "no function backward": ("def backward(", "def back(", "name 'backward' is not defined"),
    "a syntax error": ("cache, d_loss=1.0):", "cache, d_loss=1.0)", "expected ':'"),
    "a module that does not exist": ("import numpy as np", "import numpyy as np", "No module named 'numpyy'"),
    "an error before any function": ("SEED = ", "SEED = 1 / 0 + ", "ZeroDivisionError"),
    "an end before any function": ("def backward(", "exit(3)\n\n\ndef backward(", "SystemExit"),
    "an unknown kind of data": ('("real", (2,))', '("voice", (2,))', "kind 'voice'"),
    "inputs that are no dict": ("INPUTS = {", "INPUTS = 3, {", "INPUTS is a tuple, not a dict"),
    "parameters that cannot be made": ("seed, dtype=np.float32):", "seed):", "unexpected keyword argument 'dtype'"),
}


def check(tmp_path, text, *options):
    path = tmp_path / "broken.py"
    path.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["check", str(path), *options])
    assert isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, " ".join(done.output.split())


@pytest.fixture(scope="module")
def script():
    return compile_spec(str(SPECS / "xor.nn"), Options()).script


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_script_gets_a_diagnosis(name, script, tmp_path):
    old, new, words = BROKEN[name]
    assert old in script
    code, told = check(tmp_path, script.replace(old, new, 1))
    assert code == 1
    assert words in told
    assert "NN901" not in told


def test_a_function_without_end_is_blamed_on_the_line_that_calls_it_again(script):
    old, new, _ = BROKEN["a function without end"]
    report = check_script(script.replace(old, new, 1), "broken.py")
    assert [blame.text for blame in [report.blame, *report.more]] == [new]


@pytest.mark.parametrize("name", BROKEN)
def test_json_stays_json(name, script, tmp_path):
    old, new, _ = BROKEN[name]
    code, told = check(tmp_path, script.replace(old, new, 1), "--json")
    assert code == 1
    assert told.startswith(("{", "error[NN407]"))


def test_a_script_of_another_spec_is_told_apart(script, tmp_path):
    code, told = check(tmp_path, script, "--spec", str(SPECS / "iris.nn"))
    assert code == 1
    assert "the script was compiled from another spec" in told


def test_no_script_at_all(tmp_path):
    code, told = check(tmp_path, "")
    assert code == 1
    assert "a generated script has PARAMS" in told


@pytest.mark.parametrize("subject", [*fast.SUBJECTS, "lstm"])
def test_a_fast_step_that_stops_in_a_line_is_blamed_for_that_line_alone(subject):
    """What reads the array that the line has not written is right; with DOTNN_LONG every line stops once, else one."""
    source, name = right_script(subject, "fast"), f"{subject}.py"
    step = read_script(source, name).structure.step
    lines = [n for n in walk_statements(step.body) if fast.written(n) and not _may_be_left_out(n, step)]
    for node in lines if os.environ.get("DOTNN_LONG") else random.Random(subject).sample(lines, 1):
        report = check_script(_stopping(source, node), name, batch_size=BATCH.get(subject))
        assert [blame.line for blame in report.blames] == [node.lineno], ast.unparse(node)


def _may_be_left_out(node, step):
    conditions = [n for n in walk_statements(step.body) if isinstance(n, ast.If)]
    return any(node in walk_statements([condition]) for condition in conditions)


def _stopping(source, node):
    """A script in which a statement divides by zero."""
    lines = source.split("\n")
    stops = ast.parse(ast.unparse(node)).body[0]
    place = 1 if ast.unparse(stops.value.func) == "copyto" else 0
    stops.value.args[place] = ast.parse("(lambda: 1 / 0)()", mode="eval").body
    text = " " * node.col_offset + ast.unparse(stops)
    lines[node.lineno - 1 : node.end_lineno] = [text, *[""] * (node.end_lineno - node.lineno)]
    return "\n".join(lines)
