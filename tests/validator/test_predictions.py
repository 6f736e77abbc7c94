"""V12: what the fast style predicts is what its `forward` says, and a line that computes something else is blamed."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from support import as_module, model_of

from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import Verdict, check_script

SPECS = {
    "dense": """model M { input x: [3]  target t: class[4]
  h = x -> dense(5, tanh) -> dropout(20%) -> batchnorm
  output p = h -> dense(4, softmax) }
train { loss = cross_entropy(p, t)  metrics = accuracy }""",
    "images": """model M { input x: [6, 6, 1]  target t: [2]
  output y = x -> conv2d(3, 3, relu) -> maxpool(2) -> flatten -> dense(2) }
train { loss = mse(y, t) }""",
    "steps": """model M { input x: [4, 3]  target t: [2]
  output y = x -> lstm(5) -> dense(2) }
train { loss = mse(y, t) }""",
}


PREPARED = """model M { input x: [2]  target t: [1]
  output y = x -> dense(4, tanh) -> dropout(30%, always = true) -> dense(1) }
data { x = [[1, 2], [3, 5], [2, 1], [4, 4]]  t = [[1], [2], [3], [5]]  scale = [log(x), standard(x)] }
train { loss = mse(y, t)  batch = 2 }"""
"""A network that draws when it predicts, from inputs that are prepared by more than a scaling."""


@cache
def script_of(name: str) -> str:
    """The script; arrays begin as zeros, so that a statement left out does the same in every run."""
    return compile_model(model_of(SPECS[name]), Options("fast")).script.replace("np.empty(", "np.zeros(")


def mistakes(name: str) -> Iterator[tuple[int, str]]:
    """Every second call of a prediction, left out or with its result turned."""
    source = script_of(name)
    maker = next(n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "make_forward")
    run = next(n for n in maker.body if isinstance(n, ast.FunctionDef))
    calls = [n for n in ast.walk(run) if isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)]
    for number, call in enumerate(sorted(calls, key=lambda n: n.lineno)[1::2]):
        target = next((k.value for k in call.value.keywords if k.arg == "out"), call.value.args[-1])
        target = call.value.args[0] if ast.unparse(call.value.func) == "copyto" else target
        turned = [ast.unparse(call), f"np.multiply({ast.unparse(target)}, 1.01, {ast.unparse(target)})"]
        lines = source.splitlines(keepends=True)
        lines[call.lineno - 1 : call.end_lineno] = [
            f"{' ' * call.col_offset}{text}\n" for text in (turned if number % 2 else ["pass"])
        ]
        yield call.lineno, "".join(lines)


def statement_of(source: str, line: int) -> str:
    """The place in the spec that stands above a line."""
    return next(text.split()[-1] for text in source.splitlines()[line - 1 :: -1] if text.strip().startswith("# "))


def predicted(source: str, name: str) -> np.ndarray:
    script = as_module(source, Path(f"{name}.py"))
    rng = np.random.default_rng(0)
    params = {n: np.abs(w + rng.standard_normal(w.shape)) for n, w in script.init_params(1, np.float64).items()}
    inputs = {n: rng.standard_normal((7, *shape)) for n, (_, shape) in script.INPUTS.items()}
    with np.errstate(all="ignore"):
        return np.concatenate([a.ravel() for a in script.predict(params, inputs).values()])


@pytest.mark.parametrize("name", SPECS)
def test_a_right_script_passes(name: str):
    report = check_script(script_of(name), f"{name}.py", v4=False)
    assert report.verdict is Verdict.PASS
    assert "V12" in {check.id for check in report.checks}


@pytest.mark.parametrize("name", SPECS)
def test_a_mistake_in_a_prediction_is_found_where_it_is(name: str):
    """Blamed is the last line that writes the first value that is another: of the same statement, or a later one."""
    right, source = predicted(script_of(name), name), script_of(name)
    first, last = (source[: source.index(f"def {f}(")].count("\n") for f in ("make_forward", "make_evaluate"))
    tried = 0
    for line, wrong in mistakes(name):
        if np.allclose(predicted(wrong, name), right, rtol=1e-12):
            continue
        tried += 1
        report = check_script(wrong, f"{name}.py", v4=False)
        assert report.verdict is Verdict.FAIL
        assert report.blame is not None and first < report.blame.line < last
        assert report.blame.line >= line or report.blame.spec_line == statement_of(source, line), report.blame
    assert tried > 2


def test_a_prediction_that_prepares_and_draws_is_right():
    script = compile_model(model_of(PREPARED), Options("fast")).script
    assert check_script(script, "drawn.py").verdict is Verdict.PASS


def test_other_rows_are_found():
    """A chunk that goes over other examples than those whose results it writes."""
    source = script_of("dense")
    wrong = source.replace("found[name][rows] = value", "found[name][rows] = value[::-1]")
    assert wrong != source
    report = check_script(wrong, "dense.py", v4=False)
    assert report.verdict is Verdict.FAIL and report.blame.name in ("p", "loss", "accuracy")
