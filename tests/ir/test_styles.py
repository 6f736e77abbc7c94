"""Networks in which the fast style once went wrong, by their reason: loss and gradients are those of explain."""

import numpy as np
import pytest
from support import STYLES, assert_gradients, generic_point, module_of

NETWORKS = {
    "a cotangent that is only cut lives on in its parts": """
        input x: [1]  input r: [2]  target t: [2]
        a = x -> tanh
        b = select(r, x, r -> dense(1))
        output y = concat(a, b) -> dense(2)""",
    "an input behind a threshold has a gradient of zero": """
        input x: [4]  input r: [4]  target t: [3]
        v = select(r -> dense(3, softmax), r, (x -> dense(4, threshold)), (r -> dense(4, elu)))
        output y = v -> dense(3)""",
    "identity as a stage": "input x: [2]  target t: [2]  output y = x -> dense(2) -> identity",
    "a name that one of ours could have": """
        input t_target: [2]  input x: [2]  target t: class[2]
        output y = concat(t_target, x) -> dense(2) -> softmax""",
    "names of functions, NumPy's and ours": """
        input add: [3]  input size: [4, 4, 1]  target t: [3]
        max_pool2d = size -> conv2d(2, 2) -> maxpool(2)
        copyto = max_pool2d -> flatten -> dense(3, tanh)
        dot = copyto + add
        output y = dot -> dense(3)""",
    "names of the step's own loops": """
        input share: [4, 4, 1]  input place: [3]  target t: [3]
        element = share -> avgpool(2) -> conv2d(2, 2, pad = same)
        copy = element -> conv2d_transpose(2, 2) -> conv2d(3, 3) -> maxpool_global
        output y = copy + place -> dense(3)""",
    "an image between flat values": """
        input x: [4]  target t: [2]
        image = x -> dense(18, tanh) -> reshape([3, 3, 2])
        c = image + (image -> conv2d(2, 3, pad = same) -> sigmoid)
        turned = c -> reshape([2, 3, 3]) -> conv2d(2, 2, relu)
        output y = concat(turned -> flatten, c -> flatten) -> dense(2)""",
    "filters shared by two images": """
        input x: [5, 5, 1]  input r: [5, 5, 1]  target t: [2]
        layer filters = conv2d(2, 2, relu)
        output y = concat(x -> filters -> maxpool(2) -> flatten, r -> filters -> flatten) -> dense(2)""",
    "an image as output": """
        input x: [3, 3, 2]  target t: [5, 7, 1]
        output y = x -> conv2d(2, 3, tanh, pad = [1, 2]) -> conv2d_transpose(1, 3)""",
    "classes by position": """
        input x: [3]  target t: [2, 3]
        output y = x -> dense(6) -> reshape([2, 3]) -> softmax""",
}
LOSSES = {
    "one loss": ["mse(y, t)"],
    "the same loss twice": ["0.3 * mse(y, t) + mse(y, t)", "mse(y, t, reduce = sum) + mse(y, t)"],
    "two targets made of one": [
        "cross_entropy(y, t, smoothing = 0.4) + cross_entropy(y, t)",
        "0.3 * cross_entropy(y, t, reduce = sum) + cross_entropy(y, t, smoothing = 0.1)",
    ],
}
CASES = [
    (f"model M {{ {network} }} train {{ loss = {loss}  batch = 2  optim = adam(0.01) }}")
    for network in NETWORKS.values()
    for kind, losses in LOSSES.items()
    for loss in losses
    if ("softmax\n" in f"{network}\n") == (kind == "two targets made of one")
]


@pytest.mark.parametrize("spec", CASES)
def test_the_styles_agree(spec):
    plain, fast = (module_of(spec, style, input_gradients=True) for style in STYLES)
    for examples in (5, 2, 5):
        params, batch = generic_point(plain, examples, examples=examples)
        (loss, grads), (found, others) = (m.loss_and_grads(params, batch) for m in (plain, fast))
        np.testing.assert_allclose(found, loss, rtol=1e-12)
        for name, grad in grads.items():
            np.testing.assert_allclose(others[name], grad, rtol=1e-10, atol=1e-14, err_msg=name)
        assert_gradients(fast, params, batch)


@pytest.mark.parametrize("spec", CASES)
def test_scripts_with_gradients_by_their_inputs_train_too(spec):
    _, batch = generic_point(module_of(spec), 0, examples=5)
    histories = [module_of(spec, s, input_gradients=True).train(batch, epochs=3, dtype=np.float64)[1] for s in STYLES]
    plain, fast = ([record["loss"] for record in history] for history in histories)
    np.testing.assert_allclose(fast, plain, rtol=1e-8)


POOLED = {
    "in one product": "x -> conv2d(3, 3, relu, pad = same) -> maxpool(2)",
    "without an activation": "x -> conv2d(2, [3, 4]) -> maxpool([2, 3])",
    "sequences in one product": "x -> reshape([12, 3]) -> conv1d(4, 3, relu) -> maxpool(2)",
    "overlapping windows": "x -> conv2d(2, 2, relu) -> maxpool(3, 1, same)",
    "over everything": "x -> conv2d(2, 2, relu) -> maxpool_global",
}


@pytest.mark.parametrize("stage", POOLED.values(), ids=POOLED)
def test_the_styles_agree_where_maxima_tie(stage):
    """On whole numbers many windows have several largest elements; relu makes many of them zero."""
    spec = f"model M {{ input x: [6, 6, 1]  target t: [1]  output y = {stage} -> flatten -> dense(1) }}"
    plain, fast = (module_of(f"{spec} train {{ loss = mse(y, t) }}", style, input_gradients=True) for style in STYLES)
    rng = np.random.default_rng(0)
    params = {name: rng.integers(-1, 2, shape).astype(float) for name, shape in plain.PARAMS.items()}
    batch = {"x": rng.integers(-2, 3, (7, 6, 6, 1)).astype(float), "t": rng.standard_normal((7, 1))}
    (loss, grads), (found, others) = (m.loss_and_grads(params, batch) for m in (plain, fast))
    np.testing.assert_allclose(found, loss, rtol=1e-12)
    for name, grad in grads.items():
        np.testing.assert_allclose(others[name], grad, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("batch", ["32", "12", "5", "all"])
def test_training_is_that_of_explain_and_leaves_the_examples_as_they_are(batch):
    """A batch may be larger than all there is; metrics are those of the examples, whatever order they were taken in."""
    text = f"""model M {{ input x: [3]  target t: [1]
      output y = x -> dense(4, tanh) -> dropout(0.3) -> dense(1) }}
    train {{ loss = mse(y, t)  optim = adam(0.05)  batch = {batch}  epochs = 4  metrics = [rmse, r2] }}"""
    rng = np.random.default_rng(0)
    given = {"x": rng.normal(size=(12, 3)), "t": rng.normal(size=(12, 1))}
    found = {}
    for style in STYLES:
        module = module_of(text, style)
        before = {name: values.copy() for name, values in given.items()}
        params, history = module.train(given, dtype=np.float64)
        for name, values in before.items():
            np.testing.assert_array_equal(given[name], values, err_msg=f"{style} {name}")
        found[style] = params, list(history)
        assert history[-1]["rmse"] == pytest.approx(module.evaluate(params, before, {})["rmse"], rel=1e-12)
    (ours, records), (theirs, others) = found.values()
    for name, w in ours.items():
        np.testing.assert_allclose(theirs[name], w, rtol=1e-10, err_msg=name)
    assert [pytest.approx(record, rel=1e-10) for record in records] == others
