"""State and modes: running statistics are renewed by training alone, and what a normalisation hides is known."""

from itertools import pairwise

import numpy as np
import pytest
from mutation.subjects import right_script
from support import STYLES, forward_values, generic_point, model_of, module_of

from dotnn.model.lint import lint
from dotnn.passes.invariance import shift_invariant_parameters
from dotnn.session import lower
from dotnn_runtime.gradcheck import Verdict, check_script

TRAINED = """model M {{
  input  x: [3]
  target t: [2]
  h = x -> dense(4, bias = false) -> batchnorm(momentum = 0.5) -> tanh
  output y = h -> dense(2)
}}
data {{ x = {x}  t = {t}  split = split(train = 50%, val = 50%) }}
train {{ loss = mse(y, t)  optim = adam(0.3)  batch = 4  epochs = 12  stop = early(val_loss, patience = 6) }}
"""


def spec(body, train=""):
    return f"model M {{ input x: [3]  target t: [4]  {body} }} train {{ loss = mse(y, t)  {train} }}"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("subject", ["normed", "layernormed", "attentive", "dropped", "stopped"])
def test_the_validator_passes_both_modes(subject, training, style):
    report = check_script(right_script(subject, style), f"{subject}.py", training=training)
    assert report.verdict is Verdict.PASS
    assert max(t.rel_err or 0 for t in report.tensors) < 1e-10


def test_the_validator_looks_at_the_mode_it_is_told():
    """A backward pass that takes the statistics for constants is right in prediction, and wrong in training."""
    source = right_script("normed").replace("1 / len(x) if training else 0.0", "0.0")
    assert source != right_script("normed")
    verdicts = [check_script(source, "normed.py", training=mode).verdict for mode in (True, False)]
    assert verdicts == [Verdict.FAIL, Verdict.PASS]


@pytest.mark.parametrize("style", STYLES)
def test_loss_and_grads_leaves_the_state_alone(style):
    module = module_of(spec("output y = x -> dense(4, bias = false) -> batchnorm"), style)
    params, batch = generic_point(module)
    before = {name: w.copy() for name, w in params.items()}
    module.loss_and_grads(params, batch)
    module.train(batch, params=params, epochs=2, dtype=np.float64)
    for name, w in before.items():
        np.testing.assert_array_equal(params[name], w)


@pytest.mark.parametrize("style", STYLES)
def test_early_stopping_returns_the_state_of_the_best_epoch(style):
    rng = np.random.default_rng(0)
    data = {name: rng.standard_normal((24, width)).round(2).tolist() for name, width in (("x", 3), ("t", 2))}
    module = module_of(TRAINED.format(**data), style)
    seen = []
    params, history = module.train(
        on_epoch=lambda record, state: seen.append({n: w.copy() for n, w in state["params"].items()})
    )
    assert 0 < history.best_epoch < len(history)
    for name in (*module.PARAMS, *module.STATE):
        np.testing.assert_array_equal(params[name], seen[history.best_epoch - 1][name])
    kept = [s["h.batchnorm1.var"] for s in seen]
    assert all((a != b).any() for a, b in pairwise(kept))


def test_noise_has_the_deviation_it_says_and_none_in_prediction():
    module = module_of(spec("output y = x -> gaussian_noise(0.3) -> dense(4)"))
    params, batch = generic_point(module, examples=4000)
    values = forward_values(module, params, batch, training=True, rng=np.random.default_rng(1))
    noise = values["gaussian_noise"] - batch["x"]
    assert abs(noise.mean()) < 0.01
    np.testing.assert_allclose(noise.std(), 0.3, rtol=0.02)
    np.testing.assert_array_equal(forward_values(module, params, batch)["gaussian_noise"], batch["x"])


INVARIANT = {
    "h = x -> dense(4) -> batchnorm  output y = h": {"h.dense1.b"},
    "h = x -> dense(4, relu) -> batchnorm  output y = h": set(),
    "h = x -> dense(4)  output y = h + (h -> batchnorm)": set(),
    "a = x -> dense(2)  b = x -> dense(2)  output y = concat(a, 0.5 * b) -> batchnorm": {"a.b", "b.b"},
    "a = x -> dense(5) -> dense(4)  output y = a -> batchnorm -> batchnorm": {
        "a.dense1.b", "a.dense2.b", "y.batchnorm1.beta",
    },
    "a = x -> dense(4)  output y = a - (a -> mean_features -> spread(4)) -> batchnorm(gamma = false)": {"a.b"},
    "a = x -> dense(4) -> reshape([2, 2]) -> batchnorm -> flatten  output y = a": set(),
    "output y = x -> reshape([3, 1]) -> position_embedding -> batchnorm -> flatten -> dense(4)": set(),
    "output y = x -> reshape([1, 3]) -> position_embedding -> batchnorm -> flatten -> dense(4)": {
        "y.position_embedding1.W",
    },
    "s = x -> dense(8) -> reshape([2, 4])  output y = s -> multi_head_attention(2, 3) -> flatten -> dense(4)": {
        "y.multi_head_attention1.bk",
    },
    "s = x -> reshape([3, 1])  k = s -> dense(1)  output y = attention(s, k, s) -> flatten -> dense(4)": {
        "k.b",
    },
    "s = x -> reshape([3, 1])  k = s -> dense(1)  output y = attention(s, k, k) -> flatten -> dense(4)": set(),
    "s = x -> reshape([3, 1])  k = s -> dense(1, bias = false) -> position_embedding  output y = attention(s, k, s) "
    "-> flatten -> dense(4)": set(),
}  # fmt: skip
"""Networks, and the parameters that a normalisation takes out again."""


@pytest.mark.parametrize("body", INVARIANT)
def test_what_a_normalisation_takes_out_again(body):
    """As the graph says, and as the gradients of a trained mode say."""
    graph = lower(model_of(spec(body)))
    assert set(shift_invariant_parameters(graph)) == INVARIANT[body]
    module = module_of(spec(body))
    params, batch = generic_point(module, 1)
    grads = module.loss_and_grads(params, batch)[1]
    largest = max(np.abs(grad).max() for grad in grads.values())
    assert {name for name, grad in grads.items() if np.abs(grad).max() < 1e-13 * largest} == INVARIANT[body]


def warnings_of(body):
    return [d.code for d in lint(model_of(spec(body)))]


def test_a_bias_before_batch_norm_is_warned_about():
    assert warnings_of("output y = x -> dense(4) -> batchnorm") == ["NN606"]
    assert warnings_of("output y = x -> dense(4, bias = false) -> batchnorm") == []
    assert warnings_of("output y = x -> dense(4, relu) -> batchnorm") == []
    assert warnings_of("h = x -> dense(4)  output y = h + (h -> batchnorm)") == []
    assert warnings_of("output y = x -> reshape([3, 1]) -> gru(4, act = identity) -> batchnorm") == []
    assert warnings_of("layer d = dense(4)  a = x -> d -> batchnorm  output y = a + (x -> tanh -> d)") == []
    assert warnings_of("layer d = dense(4)  a = x -> d -> batchnorm  output y = a + (x -> d -> batchnorm)") == ["NN606"]


def test_integers_outside_the_vocabulary_are_refused():
    text = """model M { input ids: int[3]  target t: [2]
      output y = concat(ids -> embedding(7, 2) -> flatten, ids -> reshape([3]) -> one_hot(5) -> flatten) -> dense(2) }
    train { loss = mse(y, t) }"""
    module = module_of(text, STYLES[-1])
    assert module.INPUTS["ids"] == ("int:5", (3,))
    with pytest.raises(module.DataError, match=r"ids\[1, 2\] is 5, allowed is 0…4"):
        module.predict(module.init_params(0), {"ids": [[0, 1, 2], [4, 3, 5]]})
