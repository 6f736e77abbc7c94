"""What is asked of a script, and what is said when it does not comply."""

import ast
from pathlib import Path

import numpy as np
import pytest
from support import model_of

import dotnn_runtime.gradcheck as gradcheck
from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import ScriptError, Verdict, check_script
from dotnn_runtime.gradcheck.probing.draws import generic_batch_size, generic_data, generic_parameter


def test_a_text_that_is_no_script_is_refused():
    with pytest.raises(ScriptError, match=r"x.py:1"):
        check_script("def", "x.py")
    with pytest.raises(ScriptError, match="INPUTS"):
        check_script("PARAMS = {}", "x.py")


def test_an_unknown_kind_of_data_is_named(script):
    with pytest.raises(ValueError, match="'voice'"):
        check_script(script("mlp", ('"x": ("real"', '"x": ("voice"')), "mlp.py")


def test_the_package_never_imports_the_compiler():
    for path in Path(gradcheck.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert all(module.split(".")[0] != "dotnn" for module in modules), path.name


@pytest.mark.parametrize("kind", ["real", "int:6", "int", "unit", "sign", "class:4", "distribution"])
def test_drawn_data_are_of_their_kind(kind):
    data = generic_data(kind, (50, 3), np.random.default_rng(0))
    assert data.shape == (50, 3)
    if kind.startswith(("int", "class")):
        bound = int(kind.partition(":")[2] or 2)
        assert set(np.unique(data)) == set(range(bound))
    if kind == "unit":
        assert data.min() > 0
        assert data.max() < 1
    if kind == "sign":
        assert set(np.unique(data)) == {-1.0, 1.0}
    if kind == "distribution":
        np.testing.assert_allclose(data.sum(axis=1), 1.0)


def test_parameters_are_moved_off_special_values():
    rng = np.random.default_rng(0)
    assert np.unique(generic_parameter(np.zeros(9), rng)).size == 9
    slopes = generic_parameter(np.full(100, 0.25), rng)
    assert slopes.min() > 0
    assert np.unique(slopes).size == 100
    weights = rng.standard_normal((3, 4))
    assert np.abs(generic_parameter(weights, rng) - weights).max() < 1.0
    assert generic_parameter(np.float64(1.0), rng).shape == ()


def test_batch_size_is_unlike_every_other_size():
    assert generic_batch_size([(5, 6), (7,), (9,)]) == 8
    assert generic_batch_size([]) == 5


FROZEN = """model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh, trainable = false)
  output y = h -> dense(2)
}
train { loss = mse(y, t)  optim = sgd(0.1)  epochs = 3 }
"""


def test_a_pass_that_changes_what_is_not_trained_is_found_without_a_spec():
    """No gradient is returned of a frozen array, so that none tells of it."""
    source = compile_model(model_of(FROZEN), Options()).script
    assert check_script(source, "frozen.py", v4=False).verdict is Verdict.PASS
    lines = source.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("def backward")) + 2
    lines.insert(at, '    params["h.W"] *= 1.01')
    report = check_script("\n".join(lines) + "\n", "frozen.py", v4=False)
    assert report.verdict is Verdict.FAIL
    assert report.blame.line == at + 1
