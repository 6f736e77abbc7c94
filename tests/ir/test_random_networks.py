"""Random networks: every pass keeps the numbers, and the script gives them too."""

import numpy as np
import pytest
from fuzz.grow import spec
from support import generic_point, gradients, loss_at, model_of, module_of

from dotnn.ir.interpret import run
from dotnn.ir.verify import verify
from dotnn.passes.build import build
from dotnn.passes.pipelines import plain

NUMBERS = range(30)


def results(graph, params, batch, seed):
    """Everything somebody outside reads, by name, from one run of the interpreter."""
    values = run(graph, {**params, **batch}, rng=np.random.default_rng(seed))
    tables = {"output": graph.outputs, "gradient": graph.grads, "loss": {"": graph.loss}}
    return {(kind, name): values[v.id] for kind, table in tables.items() for name, v in table.items()}


def assert_same(found, expected):
    """Whatever both tables hold is the same, to 1e-12 of its size; less than 1e-14 of the largest one is noise."""
    largest = max(np.abs(value).max() for value in expected.values())
    for key in found.keys() & expected.keys():
        atol = max(1e-12 * np.abs(expected[key]).max(), 1e-14 * largest, 1e-300)
        np.testing.assert_allclose(found[key], expected[key], rtol=0, atol=atol, err_msg=str(key))


@pytest.mark.parametrize("seed", NUMBERS)
def test_no_pass_changes_a_number(seed):
    text = spec(seed, files=False)
    model = model_of(text)
    module = module_of(text, input_gradients=True)
    # Small weights: a probability below 1e-7 is clipped before the loss is fused with its softmax, not after.
    params, batch = generic_point(module, seed, spread=0.2)
    graph = build(model)
    verify(graph)
    before = results(graph, params, batch, seed)
    for step in plain(input_gradients=True):
        graph = step(graph)
        verify(graph)
        after = results(graph, params, batch, seed)
        assert before.keys() <= after.keys()
        assert_same(after, before)
        before = after
    script = {("gradient", name): grad for name, grad in gradients(module, params, batch, seed).items()}
    assert script.keys() == {key for key in before if key[0] == "gradient"}
    assert_same({**script, ("loss", ""): loss_at(module, params, batch, seed)}, before)
    outputs, _ = module.forward(params, batch, training=True, rng=np.random.default_rng(seed))
    assert_same({("output", name): value for name, value in outputs.items()}, before)


@pytest.mark.parametrize("seed", NUMBERS)
def test_prediction_mode_is_training_mode_without_dropout(seed):
    module = module_of(spec(seed, moods=False, files=False))
    params, batch = generic_point(module, seed)
    np.testing.assert_array_equal(loss_at(module, params, batch), loss_at(module, params, batch, seed))


@pytest.mark.parametrize("seed", NUMBERS)
def test_every_example_counts_alike(seed):
    """A batch twice over: the same means, twice the sums, the order of the examples aside."""
    module = module_of(spec(seed, moods=False, files=False))
    params, batch = generic_point(module, seed)
    order = np.random.default_rng(seed).permutation(5)
    moved = {name: values[order] for name, values in batch.items()}
    np.testing.assert_allclose(loss_at(module, params, moved), loss_at(module, params, batch), rtol=1e-12)
    outputs, _ = module.forward(params, batch)
    for name, values in module.forward(params, moved)[0].items():
        np.testing.assert_allclose(values, outputs[name][order], rtol=1e-12, atol=1e-13)
