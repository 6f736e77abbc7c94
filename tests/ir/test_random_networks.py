"""Random networks: every pass keeps the numbers, and the script gives them too."""

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import specs
from support import STYLES, assert_gradients, generic_point, gradients, loss_at, model_of, module_of

from dotnn.driver import passes
from dotnn.ir.build import build
from dotnn.ir.interpret import run
from dotnn.ir.verify import verify

QUICK = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
SEEDS = st.integers(0, 1000)


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


@QUICK
@given(specs(), SEEDS)
def test_no_pass_changes_a_number(text, seed):
    model = model_of(text)
    module = module_of(text, input_gradients=True)
    # Small weights: a probability below 1e-7 is clipped before the loss is fused with its softmax, not after.
    params, batch = generic_point(module, seed, spread=0.2)
    graph = build(model)
    verify(graph)
    before = results(graph, params, batch, seed)
    for _, step in passes(input_gradients=True):
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


@QUICK
@given(specs(), SEEDS, st.sampled_from(STYLES))
def test_gradients(text, seed, style):
    module = module_of(text, style, input_gradients=True)
    params, batch = generic_point(module, seed, examples=3)
    assert_gradients(module, params, batch, rng_seed=seed)


@QUICK
@given(specs(), SEEDS)
def test_the_styles_agree(text, seed):
    """On batches of changing sizes, and after training with whatever optimizer."""
    plain, fast = (module_of(text, style, input_gradients=True) for style in STYLES)
    for examples in (4, 1, 7):
        params, batch = generic_point(plain, seed, examples=examples)
        assert_same(gradients(fast, params, batch, seed), gradients(plain, params, batch, seed))
        (value, _), (found, _) = (
            m.loss_and_grads(params, batch, rng=np.random.default_rng(seed)) for m in (plain, fast)
        )
        np.testing.assert_allclose(found, value, rtol=1e-12)
    (params, history), (found, records) = (m.train(batch, epochs=2, dtype=np.float64, seed=seed) for m in (plain, fast))
    np.testing.assert_allclose([r["loss"] for r in records], [r["loss"] for r in history], rtol=1e-8)
    for name, w in params.items():
        np.testing.assert_allclose(found[name], w, rtol=1e-6, atol=1e-8, err_msg=name)


@QUICK
@given(specs(moods=False), SEEDS)
def test_prediction_mode_is_training_mode_without_dropout(text, seed):
    module = module_of(text)
    params, batch = generic_point(module, seed)
    np.testing.assert_array_equal(loss_at(module, params, batch), loss_at(module, params, batch, seed))


@QUICK
@given(specs(moods=False), SEEDS)
def test_every_example_counts_alike(text, seed):
    """A batch twice over: the same means, twice the sums, the order of the examples aside."""
    module = module_of(text)
    params, batch = generic_point(module, seed)
    order = np.random.default_rng(seed).permutation(5)
    moved = {name: values[order] for name, values in batch.items()}
    np.testing.assert_allclose(loss_at(module, params, moved), loss_at(module, params, batch), rtol=1e-12)
    outputs, _ = module.forward(params, batch)
    for name, values in module.forward(params, moved)[0].items():
        np.testing.assert_allclose(values, outputs[name][order], rtol=1e-12, atol=1e-13)
