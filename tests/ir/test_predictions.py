"""The predictions of a fast script: a pass of their own, in chunks, with the numbers of `forward`."""

import tracemalloc
from functools import cache
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from samples import LAYER_SPECS
from support import OF_ONE, SPECS, as_module, model_of

from dotnn.core.diagnostics import Source
from dotnn.ir.interpret import run
from dotnn.ir.verify import verify
from dotnn.passes.predict import predict
from dotnn.session import Compilation, Options, compile_spec
from dotnn.targets.numpy.fast.placement.verify import InvalidPlan, verify_plan
from dotnn.targets.numpy.script import plans
from dotnn_runtime.script.selfcheck import generic_batch

PATHS = OF_ONE
MODES = """model M {
  input  x: [6, 3]
  target t: [2]
  a = x -> dense(4, relu) -> dropout(30%) -> gaussian_noise(0.1)
  h = a -> lstm(5, dropout = 0.2, returns = sequence) -> batchnorm -> gru(4, reverse = true)
  output y = h -> batchnorm -> dropout(20%) -> dense(2)
}
train { loss = mse(y, t)  metrics = mae }
"""


@cache
def script_of(path: Path) -> ModuleType:
    return as_module(compile_spec(str(path), Options("fast")).script, path)


def point(script: ModuleType, count: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    params = script.init_params(3, np.float64)
    params = {name: np.abs(w + 0.1 * rng.standard_normal(w.shape)) if name in getattr(script, "STATE", {}) else
              w + 0.1 * rng.standard_normal(w.shape) for name, w in params.items()}  # fmt: skip
    return params, generic_batch({**script.INPUTS, **script.TARGETS}, rng, count)


def values(script: ModuleType, params: dict, batch: dict, chunk: int) -> dict[str, np.ndarray]:
    size = script.chunk_size(batch, chunk)
    return script.in_chunks(script.make_forward(params, size), size, batch, {})


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
@pytest.mark.parametrize(("count", "chunk"), [(1, 16), (7, 16), (7, 3)])
def test_a_prediction_has_the_numbers_of_forward(path: Path, count: int, chunk: int):
    """For one example, for some at once, and for chunks of which the last one overlaps the one before it."""
    script = script_of(path)
    params, batch = point(script, count)
    with np.errstate(all="ignore"):
        cache_ = script.forward(params, batch)[1]
        found = values(script, params, batch, chunk)
    assert found
    for name, value in found.items():
        size = np.abs(cache_[name]).max(initial=0)
        np.testing.assert_allclose(value, cache_[name], rtol=1e-11, atol=1e-13 * size, err_msg=name)


def test_the_graph_of_predictions_is_the_forward_pass_in_prediction_mode():
    """The interpreter finds the same; nothing is left that draws, or that has two modes."""
    begun = Compilation.of(model_of(MODES))
    whole = begun.graph()
    graph = predict(whole)
    verify(graph)
    assert not any(node.rule.random or node.rule.inference for node in graph.all_nodes())
    rng = np.random.default_rng(0)
    given = {name: rng.uniform(0.2, 1, v.type.example) for name, v in {**whole.params, **whole.state}.items()}
    given |= {name: rng.standard_normal((3, *v.type.example)) for name, v in {**whole.inputs, **whole.targets}.items()}
    expected, found = run(whole, given, training=False), run(graph, given, training=False)
    by_name = {v.name: v for node in whole.nodes for v in node.outs}
    for name, value in graph.outputs.items():
        np.testing.assert_allclose(found[value.id], expected[by_name[name].id], rtol=1e-12)


def test_both_modes_of_layers_that_have_two():
    script = as_module(Compilation.of(model_of(MODES), check=True).script(style="fast"), Path("modes.py"))
    params, batch = point(script, 9)
    for name, value in script.forward(params, batch)[0].items():
        np.testing.assert_allclose(script.predict(params, {"x": batch["x"]})[name], value, rtol=1e-11)


@pytest.mark.parametrize(("name", "text"), LAYER_SPECS, ids=[name for name, _ in LAYER_SPECS])
def test_every_layer_predicts_what_forward_says(name: str, text: str):
    """Alone, in a branch and behind others; the verifier runs over the memory of each."""
    script = as_module(Compilation.of(model_of(text), check=True).script(style="fast"), Path("layer.py"))
    params, batch = point(script, 7)
    with np.errstate(all="ignore"):
        cache_, found = script.forward(params, batch)[1], values(script, params, batch, 4)
    for key, value in found.items():
        np.testing.assert_allclose(value, cache_[key], rtol=1e-10, atol=1e-13 * np.abs(cache_[key]).max(initial=0))


def test_figures_follow_parameters_that_change_in_place():
    """`fit` makes the function that evaluates once, and trains on."""
    script = script_of(SPECS / "digits.nn")
    params, batch = point(script, 9)
    figures = script.make_evaluate(params, batch, None)
    before = figures()
    for w in params.values():
        w *= 1.5
    assert figures() == script.evaluate(params, batch, None) != before


def test_memory_does_not_grow_with_the_examples():
    """But for the results: a whole data set once took 300 times as much."""
    script = script_of(SPECS / "lenet.nn")
    params = script.init_params(0)
    peaks = []
    for count in (script.CHUNK * 4, script.CHUNK * 40):
        batch = generic_batch(script.INPUTS, np.random.default_rng(0), count)
        batch = {name: a.astype(np.float32) for name, a in batch.items()}
        tracemalloc.start()
        found = values(script, params, batch, script.CHUNK)
        peaks.append(tracemalloc.get_traced_memory()[1] - sum(a.nbytes for a in found.values()))
        tracemalloc.stop()
    assert peaks[1] < 1.1 * peaks[0]


BROKEN = {
    "a value that is read is overwritten": ("{z} = aligned((2, size), dtype)", "{z} = h[:2]"),
    "a parameter is copied once": ('y_W = params["y.W"]', 'y_W = params["y.W"].copy()'),
    "a result is never written": ("dot(y_W_T, h, {z})", "pass"),
}


@pytest.mark.parametrize("what", BROKEN)
def test_the_memory_of_a_prediction_is_verified(what: str):
    """A plan that was right, with one line of it broken."""
    text = """model M { input x: [3]  target t: [2]  h = x -> dense(4, tanh)  output y = h -> dense(2) }
    train { loss = mse(y, t)  metrics = mae }"""
    begun = Compilation.of(model_of(text))
    plan, script = plans(begun.draft(Options("fast")))[1], begun.script(style="fast")
    plan.results["h"] = "h.T"
    verify_plan(plan, script)
    old, new = (line.format(z="y") for line in BROKEN[what])
    assert old in [*plan.setup, *plan.step]
    plan.setup, plan.step = ([new if line == old else line for line in lines] for lines in (plan.setup, plan.step))
    plan.reused.add("y")
    with pytest.raises(InvalidPlan):
        verify_plan(plan, script)


def test_predictions_of_a_spec_without_metrics_run_the_network_once():
    source = Source(
        "m.nn", "model M { input x: [3]  target t: [2]  output y = x -> dense(2) } train { loss = mse(y, t) }"
    )
    graph = Compilation(source).draft(Options("fast")).prediction
    assert [node.op for node in graph.nodes] == ["affine"]
