"""Both targets compute the same: gradients at a point, and trajectories of training, in double precision."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from samples import LAYER_SPECS, loss_settings, loss_spec
from strategies import specs
from support import SPECS, generic_point, model_of, module_of

from dotnn.diagnostics import CompileError
from dotnn.diffing import compare
from dotnn.driver import Options, compile_model, front
from dotnn.optimizers import OPTIMIZERS
from dotnn.peer import Peer

LONG = bool(os.environ.get("DOTNN_LONG"))
REFUSED = {
    "gru(table, marks, 3, reset = before, returns = sequence, recurrent_dropout = 0.4)",
    "lstm(3, returns = sequence, truncate = 1)",
}
"""What Keras computes otherwise; the compiler says so."""

OPTIMIZER_CALLS = [
    *(f"{name}(0.02)" for name in OPTIMIZERS),
    "sgd(0.1, momentum = 0.9)",
    "sgd(0.1, momentum = 0.9, nesterov = true)",
    "adam(0.02, beta1 = 0)",
    "rmsprop(0.02, rho = 0.5, epsilon = 1e-3)",
]


def agrees(model, steps):
    found = compare(model, steps)
    assert found.first is None, (found.first, found.place, found.steps[-3:])
    assert len(found.steps) == steps


@pytest.mark.parametrize(
    ("call", "decay"),
    [(call, "none") for call in OPTIMIZER_CALLS]
    + [(call, "weight_decay(0.1)") for call in ("adam(0.02)", "sgd(0.1, momentum = 0.9)")]
    + [("sgd(0.1)", penalty) for penalty in ("l1(0.01)", "l2(0.01)")],
)
def test_fifty_steps_of_every_optimizer(call, decay):
    agrees(
        model_of(f"""model M {{
          input  x: [3]
          target t: [2]
          layer twice = dense(3, tanh)
          h = x -> twice -> dropout(0.3) -> twice -> dense(3, prelu, bias = false)
          output y = concat(h, x) -> dense(2)
        }}
        train {{ loss = mse(y, t)  optim = {call}  decay = {decay}  batch = 5 }}"""),
        50,
    )


@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_layers(name, spec):
    try:
        agrees(model_of(spec), 5)
    except CompileError as error:
        (problem,) = error.diagnostics
        assert problem.code == "NN507" and any(call in spec for call in REFUSED)
    else:
        assert not any(call in spec for call in REFUSED)


@pytest.mark.parametrize("reduce", ["mean", "sum"])
@pytest.mark.parametrize(("name", "target", "stage"), list(loss_settings()))
def test_losses(name, target, stage, reduce):
    agrees(model_of(loss_spec(f"{name}(y, t, reduce = {reduce})", target, stage)), 3)


@pytest.mark.parametrize("stage", ["-> softmax", "-> softmax -> scale(0.9)"])
@pytest.mark.parametrize("target", ["class[3]", "[3]"])
def test_classes_with_weights_and_smoothing(target, stage):
    call = "cross_entropy(y, t, smoothing = 0.1, class_weight = [1, 0.5, 3])"
    agrees(model_of(loss_spec(call, target, stage)), 3)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda p: p.stem)
def test_specs_of_the_zoo(path):
    agrees(front(str(path))[0], 50 if LONG else 10)


@pytest.mark.parametrize("name", ["digits_dropout", "two_tasks", "maxout"])
def test_the_tape_is_a_witness(name):
    """V8: loss, outputs and gradients of a script at random points, with its own dropout masks."""
    model = front(str(SPECS / f"{name}.nn"))[0]
    script = compile_model(model, Options()).script
    ours = module_of(model.source.text)
    with Peer(model) as peer:
        witness = peer.witness(script)
        for seed in range(2):
            params, batch = generic_point(ours, seed)
            point = type("Point", (), {"params": params, "batch": batch, "rng_seed": seed})
            rng = np.random.default_rng(seed)
            loss, grads = ours.loss_and_grads(params, batch, rng=rng)
            outputs, _ = ours.forward(params, batch, training=True, rng=np.random.default_rng(seed))
            their_loss, their_outputs, their_grads = witness(point)
            np.testing.assert_allclose(their_loss, loss, rtol=1e-12)
            for table, theirs in ((outputs, their_outputs), (grads, their_grads)):
                assert table.keys() == theirs.keys()
                for key, value in table.items():
                    np.testing.assert_allclose(theirs[key], value, rtol=1e-10, atol=1e-12 * np.abs(value).max())


def test_a_fault_in_the_numpy_script_is_found(monkeypatch):
    """What both scripts do is compared, not assumed: another formula for the update parts them in the first step."""
    from dotnn.optimizers import adaptive

    lines = adaptive.ADAM.equations({})
    wrong = tuple(line.replace("sqrt(v_hat) + epsilon", "sqrt(v_hat + epsilon)") for line in lines)
    monkeypatch.setattr("dotnn.emit.optimizer.equations", lambda train: wrong)
    right = tuple(line.replace("sqrt(", "tf.sqrt(") for line in lines)
    monkeypatch.setattr("dotnn.emit.tensorflow.optimizer.in_tensorflow", lambda e, attrs: right[wrong.index(e)])
    model = model_of(
        "model M { input x: [2] target t: [1] output y = x -> dense(1) } train { loss = mse(y, t) optim = adam }"
    )
    found = compare(model, 3)
    assert found.first is not None
    assert (found.first.step, found.first.kind, found.place) == (1, "weight", "test.nn:1")


@settings(
    max_examples=200 if LONG else 6, deadline=None, database=None, derandomize=not LONG,
    phases=[Phase.generate], suppress_health_check=list(HealthCheck),
)  # fmt: skip
@given(specs())
def test_random_specs(spec):
    agrees(model_of(spec), 10)
