"""One example in all, batches of one, a last batch of one, one epoch, constant columns: over every layer and loss.

What such a training computes is compared with the same examples given twice, which is the same to a mean.
"""

import numpy as np
import pytest
from arithmetic.cases import in_folder
from samples import LAYER_SPECS, loss_settings, loss_spec
from support import STYLES, module_of

from dotnn.library.losses import LOSSES
from dotnn_runtime.script.selfcheck import generic_batch

FIRST = dict(reversed(LAYER_SPECS))
"""One network for every layer."""


def finite(params, history):
    return history.stopped_by == "epochs" and all(np.isfinite(w).all() for w in params.values())


def examples(module, count):
    return generic_batch({**module.INPUTS, **module.TARGETS}, np.random.default_rng(0), count)


@pytest.mark.parametrize("name", FIRST)
def test_layer(name):
    """In the fast style, whose arrays have the size of the batch; other tests compare the styles."""
    module = module_of(FIRST[name], "fast")
    for count, size in [(1, 1), (1, 4), (5, 4), (3, 1)]:
        module.BATCH_SIZE = size
        params, history = module.train(examples(module, count), epochs=1, dtype=np.float64)
        assert finite(params, history), (count, size)
        assert np.isfinite(history[0]["loss"])


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("name", "target", "stage"), [*loss_settings()])
def test_mean_loss_of_one_example(name, target, stage, style):
    """The mean over one example is that over two copies of it, and so is every gradient."""
    if any(arg.name == "reduce" and arg.default != "mean" for arg in LOSSES[name].args):
        pytest.skip("a sum")
    module = module_of(loss_spec(f"{name}(y, t)", target, stage), style)
    batch = examples(module, 1)
    params = module.init_params(0, np.float64)
    loss, grads = module.loss_and_grads(params, batch)
    twice, doubled = module.loss_and_grads(params, {key: np.repeat(v, 2, axis=0) for key, v in batch.items()})
    assert np.isfinite(loss)
    np.testing.assert_allclose(twice, loss, rtol=1e-13)
    for key, grad in grads.items():
        np.testing.assert_allclose(doubled[key], grad, rtol=1e-12, atol=1e-15, err_msg=key)


@pytest.mark.parametrize("style", STYLES)
def test_one_class(style):
    """The probability is 1, the loss 0, and nothing moves."""
    module = module_of(
        """model M { input x: [2]  target t: class[1]  output y = x -> dense(1, softmax) }
    train { loss = cross_entropy(y, t)  metrics = [accuracy, f1]  batch = 1 }""",
        style,
    )
    start = module.init_params(0, np.float64)
    data = {"x": [[1.0, 2.0], [3.0, 4.0]], "t": [0, 0]}
    params, history = module.train(data, epochs=1, params=start, dtype=np.float64)
    assert history[0] == {"epoch": 1, "loss": 0, "accuracy": 1, "f1": 1}
    np.testing.assert_array_equal(params["y.W"], start["y.W"])


@pytest.mark.parametrize("method", ["standard", "range"])
@pytest.mark.parametrize("style", STYLES)
def test_constant_columns(style, method):
    """They are shifted only, and come back as they were."""
    module = module_of(
        f"""model M {{ input x: [2]  target t: [1]  output y = x -> dense(1) }}
    data {{ source = npz("d.npz", x = x, t = t)  scale = {method}(x, t) }}
    train {{ loss = mse(y, t)  batch = 4 }}""",
        style,
    )
    for count in (1, 5):
        data = {"x": np.full((count, 2), 0.1), "t": np.full((count, 1), 1e5)}
        params, history = module.train(data, epochs=1)
        assert finite(params, history)
        np.testing.assert_allclose(module.predict(params, {"x": data["x"]}, history.scaling)["y"], 1e5, rtol=1e-5)


BATCH_NORM = """model M {{
  input  x: [{shape}]
  target t: [1]
  output y = x -> {layer} -> flatten -> dense(1)
}}
train {{ loss = mse(y, t)  batch = {batch}  epochs = 1 }}"""


@pytest.mark.parametrize(("count", "batch", "told"), [
    (5, "online", True), (5, "4", True), (1, "all", True), (1, "32", True), (5, "5", False), (5, "3", False),
])  # fmt: skip
def test_batch_norm_of_one_example_is_told(count, batch, told, tmp_path):
    said = in_folder(tmp_path, BATCH_NORM.format(shape="2", layer="batchnorm", batch=batch), (count, 2))
    assert ("NN611" in said.stderr) == told
    assert said.exit_code == 0


@pytest.mark.parametrize(("shape", "layer"), [("3, 2", "batchnorm"), ("2", "layernorm")])
def test_what_has_more_than_one_number_to_average_is_not_told(shape, layer, tmp_path):
    size = tuple(map(int, shape.split(", ")))
    assert "NN611" not in in_folder(tmp_path, BATCH_NORM.format(shape=shape, layer=layer, batch=1), (5, *size)).stderr


def test_an_overflow_names_the_line(tmp_path):
    """Adam keeps squares of gradients: where one is too large, it would never move again."""
    spec = """model M {
  input  x: [2]
  target t: [1]
  output y = x -> dense(1, bias = false, init = constant(2))
}
train { loss = mse(y, t)  optim = adam(0.1)  epochs = 3 }"""
    said = in_folder(tmp_path, spec, (3, 2), scale=1e12)
    assert said.exit_code == 3
    assert "v of y.W is not finite" in said.stderr and "m.nn:4" in said.stderr
