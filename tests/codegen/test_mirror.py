"""Scripts that mirror their spec compute what its graph says, whatever functions they are cut into."""

import ast
import tempfile
import warnings
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from fuzz.grow import spec
from fuzz.trial import model_in
from samples import LAYERS_TOGETHER
from support import OF_ONE, ROOT, SPECS, as_module, compiled, generic_point, model_of, module_of

from dotnn.codegen.wrap import WIDTH
from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.library.layers import LAYERS
from dotnn.session import Options, compile_model

RANDOM = range(3_000_000, 3_000_040)
BOUNDS = {"xor": 201, "iris": 270, "digits": 245, "jabberwocky": 293, "lenet": 320, "brackets": 400, "gan": 540}
"""How long a script may be."""
TOLERANCE = 1e-11


def assert_as_the_graph_says(module, graph: Graph, *, training: bool) -> None:
    """Compare outputs, loss, gradients and the new state with the interpreter, with equal draws."""
    params, batch = generic_point(module)
    values = run(graph, {**params, **batch}, rng=np.random.default_rng(3), training=training)
    own = dict(params)
    outputs, cache = module.forward(own, batch, training=training, rng=np.random.default_rng(3))
    for name, value in graph.outputs.items():
        np.testing.assert_allclose(outputs[name], values[value.id], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)
    assert graph.loss is not None
    np.testing.assert_allclose(module.total_loss(own, batch, cache), values[graph.loss.id], rtol=TOLERANCE)
    grads = module.backward(own, batch, cache)
    assert list(grads) == list(graph.grads)
    largest = max((np.abs(values[v.id]).max(initial=0) for v in graph.grads.values()), default=0)
    for name, value in graph.grads.items():
        wanted = np.asarray(values[value.id])
        assert np.shape(grads[name]) == wanted.shape
        np.testing.assert_allclose(grads[name], wanted, rtol=0, atol=TOLERANCE * max(largest, 1e-300), err_msg=name)
    if graph.new_state:
        module.renew_state(own, cache)
        for name, value in graph.new_state.items():
            np.testing.assert_allclose(own[name], values[value.id], rtol=TOLERANCE, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("path", OF_ONE, ids=lambda p: p.stem)
def test_every_spec(path, training):
    made = compiled(path)
    assert_as_the_graph_says(as_module(made.script, path), made.graph, training=training)


@pytest.mark.parametrize("text", LAYERS_TOGETHER.values(), ids=LAYERS_TOGETHER)
def test_every_layer(text):
    made = compile_model(model_of(text), Options())
    module = as_module(made.script, ROOT / "test.nn")
    for training in (True, False):
        assert_as_the_graph_says(module, made.graph, training=training)


def _directional(module, params, batch, moved, name):
    """The derivative of the loss along all ones, by a complex step in one array alone."""
    arrays = {**moved, name: moved[name] + 1e-20j}
    point = ({**params, **arrays}, batch) if moved is params else (params, {**batch, **arrays})
    return (
        module.total_loss(*point, module.forward(*point, training=True, rng=np.random.default_rng(3))[1]).imag / 1e-20
    )


@pytest.mark.parametrize("text", LAYERS_TOGETHER.values(), ids=LAYERS_TOGETHER)
def test_one_complex_array_is_enough(text):
    """Whichever it is, a weight or an input, what is computed from it is complex, in every array on the way."""
    made = compile_model(model_of(text), Options(input_gradients=True))
    module = as_module(made.script, ROOT / "test.nn")
    params, batch = generic_point(module)
    with warnings.catch_warnings():
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        grads = module.loss_and_grads(params, batch, rng=np.random.default_rng(3))[1]
        largest = max(np.abs(g).sum() for g in grads.values())
        for array, grad in grads.items():
            slope = _directional(module, params, batch, params if array in params else batch, array)
            assert abs(slope - grad.sum()) <= 1e-11 * largest, array
        assert module.check()


@pytest.mark.parametrize("number", RANDOM)
def test_random_specs(number):
    with tempfile.TemporaryDirectory() as folder, np.errstate(all="ignore"):
        made = compile_model(model_in(Path(folder), spec(number), number), Options())
        module = as_module(made.script, Path(folder) / "random.nn")
        for training in (True, False):
            assert_as_the_graph_says(module, made.graph, training=training)
    assert widest(made.script) <= WIDTH


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda p: p.stem)
def test_a_script_fits_its_page(path):
    script = compiled(path).script
    assert script.count("\n") <= BOUNDS.get(path.stem, 500)


@pytest.mark.parametrize("number", RANDOM)
def test_no_line_of_a_random_fast_script_is_wider_than_the_page(number):
    with tempfile.TemporaryDirectory() as folder:
        assert widest(compile_model(model_in(Path(folder), spec(number), number), Options("fast")).script) <= WIDTH


@pytest.mark.parametrize(
    ("target", "style", "number"),
    [
        ("numpy", "fast", 5_000_015),  # a loop over many arrays side by side
        ("numpy", "fast", 5_000_031),  # an optimizer whose numbers are long formulas
        ("tensorflow", "", 3_000_023),  # a quotient of two long brackets
        ("tensorflow", "", 3_000_027),  # an optimizer with many arguments
        ("tensorflow", "", 5_000_038),  # gradients clipped by row
    ],
)
def test_no_line_is_wider_where_one_was(target, style, number):
    with tempfile.TemporaryDirectory() as folder:
        options = Options(style, target=target) if style else Options(target=target)
        assert widest(compile_model(model_in(Path(folder), spec(number), number), options).script) <= WIDTH


def widest(script: str) -> int:
    return max(map(len, script.split("\n")))


def functions(script: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in ast.parse(script).body if isinstance(node, ast.FunctionDef)}


def calls(script: str) -> Counter[str]:
    names = (node.func for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Call))
    return Counter(name.id for name in names if isinstance(name, ast.Name))


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 0.0])
def test_the_check_of_a_script_sees_a_gradient_that_is_wrong(wrong, monkeypatch):
    module = as_module(compiled(SPECS / "xor.nn").script, SPECS / "xor.nn")
    assert module.check()
    right = module.backward
    name = list(module.PARAMS)[1]
    monkeypatch.setattr(module, "backward", lambda *args: right(*args) | {name: np.full(module.PARAMS[name], wrong)})
    with np.errstate(all="ignore"):
        assert not module.check()


def test_equal_blocks_share_a_function_in_a_loop():
    script = compiled(SPECS / "brackets.nn").script
    assert {"encoder", "encoder_backward", "layernorm", "layernorm_backward"} <= functions(script).keys()
    assert calls(script)["encoder"] == calls(script)["encoder_backward"] == 1
    loops = [node for node in functions(script)["forward"].body if isinstance(node, ast.For)]
    assert len(loops) == 1


def test_blocks_of_other_sizes_share_a_function():
    script = compiled(SPECS / "lenet.nn").script
    assert [name for name in functions(script) if name.startswith("conv_pool")] == ["conv_pool", "conv_pool_backward"]
    assert calls(script)["conv_pool"] == 2


DIFFERENT = """
block Twice(act) {{ input x: [n]  output x -> dense(4, act) -> dense(4) }}
model M {{
  input x: [4]
  target t: [4]
  h = x -> Twice(tanh)
  output y = h -> Twice({act})
}}
train {{ loss = mse(y, t)  optim = sgd(0.1) }}
"""


@pytest.mark.parametrize(("act", "count"), [("tanh", 1), ("relu", 2)])
def test_blocks_share_a_function_only_where_they_compute_the_same(act, count):
    module = module_of(DIFFERENT.format(act=act))
    assert len([name for name in vars(module) if name.startswith("twice") and "backward" not in name]) == count


BOTH_WAYS = """
model M {{ input x: [5, 3]  target t: [4]
  output y = concat({layer}(x, 2), {layer}(x, 2, reverse = true)) -> dense(4) }}
train {{ loss = mse(y, t) }}
"""


@pytest.mark.parametrize(
    "layer", [layer.name for layer in LAYERS.values() if "reverse" in {a.name for a in layer.args}]
)
def test_a_layer_that_runs_both_ways_is_one_function(layer):
    module = module_of(BOTH_WAYS.format(layer=layer))
    assert [name for name in vars(module) if name.startswith(layer)] == [layer, f"{layer}_backward"]
    assert module.check()


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda p: p.stem)
def test_every_function_is_used(path):
    """Nothing is defined in a script that nobody calls: no library is pasted."""
    contract = {"main", "update", "train", "evaluate", "predict", "load_data", "optimizer_state", "renew_state"}
    contract |= {"train_ensemble", "predict_ensemble"}
    script = compiled(path).script
    used = {node.id for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Name)}
    assert functions(script).keys() - used - contract == set()
