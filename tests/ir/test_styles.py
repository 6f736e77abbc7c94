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
