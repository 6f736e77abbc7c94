"""Members of the library × targets: a rule, or a function of the lowered ops, or a refusal with the line of the spec.

That each rule means the same as the NumPy script is shown in `tensorflow_target`; here is what happens without one.
"""

import inspect
from types import SimpleNamespace

import numpy as np
import pytest
from samples import LAYER_SPECS, layer_spec, loss_settings, loss_spec
from support import as_module, generic_point, model_of

from dotnn.codegen import paste
from dotnn.core.diagnostics import CompileError
from dotnn.ir.expr import DIALECTS, Unspellable
from dotnn.ir.op import no_gradient
from dotnn.library.clips import CLIPS
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS
from dotnn.library.layers import ACTIVATIONS, LAYERS
from dotnn.library.layers.base import activation
from dotnn.library.losses import LOSSES
from dotnn.library.ops import OPS
from dotnn.library.ops.activations import unary
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.penalties import PENALTIES
from dotnn.library.schedules import SCHEDULES
from dotnn.model.bind import FAMILIES
from dotnn.passes.build import build
from dotnn.session import Compilation
from dotnn.targets import TARGETS, WITNESSES
from dotnn.targets.keras import rules
from dotnn.targets.numpy.fast.kernels import KERNELS

FAMILY = {
    "loss": LOSSES, "init": INITS, "schedule": SCHEDULES, "optimizer": OPTIMIZERS, "penalty": PENALTIES, "clip": CLIPS,
    "constraint": CONSTRAINTS,
}  # fmt: skip
WITHOUT = [
    *((name, layer_spec(f"x -> {name}{'(0.7)' if name == 'threshold' else ''}")) for name in ACTIVATIONS),
    *((name, layer_spec(call)) for name, call in [
        ("scale", "x -> scale(0.7)"), ("mean_features", "x -> mean_features"), ("dropout", "x -> dropout(0.5)"),
        ("flatten", "table -> flatten"), ("dense", "x -> dense(3)"), ("sum", "sum(x, u)"), ("lstm", "table -> lstm(2)"),
    ]),
]  # fmt: skip
TENSORFLOW, KERAS_HELPERS = DIALECTS["tensorflow"], paste.library(("dotnn_runtime.keras",))


def can_be_spelt(spec: str) -> bool:
    """Whether the layer has no parameters, and each op a gradient and a formula of which TensorFlow has every word."""
    return all(map(_can_be_spelt, (n for n in build(model_of(spec)).nodes if n.layer == "made")))


def _can_be_spelt(node) -> bool:
    op = node.rule
    if op.random or op.inference or op.vjp is no_gradient or any(v.role in ("param", "state") for v in node.ins):
        return False
    try:
        return bool(op.written(node, lambda v: v.name, TENSORFLOW, "", {*op.helpers} & {*KERAS_HELPERS}))
    except Unspellable:
        return False


def outcome(text: str, target: str) -> str:
    """Whether a spec is written for a target, or what of it is refused: the text in the spec."""
    try:
        Compilation.of(model_of(text)).script(target)
    except CompileError as refused:
        (found,) = refused.diagnostics
        assert found.code == "NN507"
        return text[found.span.start : found.span.end]
    return ""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "spec"), LAYER_SPECS)
def test_every_layer_is_written_for_every_target_or_refused(name, spec, target):
    """What has a rule is written; what has none may be refused where a target has no words for it, at its line."""
    refused = outcome(spec, target)
    assert refused == "" or (target != "numpy" and name not in rules.LAYERS and name in refused)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(("name", "kind", "stage"), list(loss_settings()))
def test_every_loss_is_written_for_every_target_or_refused(name, kind, stage, target):
    refused = outcome(loss_spec(f"{name}(y, t)", kind, stage), target)
    assert refused == "" or (target != "numpy" and name not in rules.LOSSES and name in refused)


def agrees(text: str) -> None:
    """Compare loss and gradients of a spec on NumPy and TensorFlow at a random point, in double precision."""
    pytest.importorskip("tensorflow")
    begun = Compilation.of(model_of(text))
    script = begun.script()
    ours = as_module(script, SimpleNamespace(with_suffix=lambda suffix: f"spec{suffix}"))
    params, batch = generic_point(ours)
    loss, grads = ours.loss_and_grads(params, batch)
    for name in WITNESSES:
        with begun.witness(name) as peer:
            their_loss, _, theirs = peer.witness()(SimpleNamespace(params=params, batch=batch, rng_seed=0))
        np.testing.assert_allclose(their_loss, loss, rtol=1e-12)
        largest = max(np.abs(grad).max() for grad in grads.values())
        for key, grad in grads.items():
            np.testing.assert_allclose(theirs[key], grad, rtol=1e-10, atol=1e-12 * largest, err_msg=key)


@pytest.mark.parametrize(("name", "spec"), WITHOUT)
def test_a_layer_without_a_rule_is_lowered_or_refused(name, spec, monkeypatch):
    monkeypatch.setattr(rules, "LAYERS", {n: rule for n, rule in rules.LAYERS.items() if n != name})
    refused = outcome(spec, "tensorflow")
    assert (refused == "") == can_be_spelt(spec)
    if refused:
        assert name in refused
    else:
        agrees(spec)


@pytest.mark.parametrize(("name", "kind", "stage"), [s for s in loss_settings() if "class" not in s[1]])
def test_a_loss_without_a_rule_is_written_from_its_formula_or_refused(name, kind, stage, monkeypatch):
    monkeypatch.setattr("dotnn.targets.keras.loss.LOSSES", {})
    spec = loss_spec(f"{name}(y, t)", kind, stage)
    refused = outcome(spec, "tensorflow")
    if refused:
        assert name in refused
    else:
        agrees(spec)


SPEC = """model M { input x: [3]  target t: [1]  output y = x -> dense(4, wave) -> wave -> dense(1) }
train { loss = mse(y, t) }"""


def add_activation(monkeypatch, line: str, **more) -> None:
    """Join an activation as CONTRIBUTING.md says: an op and a layer."""
    for op in unary("wave", line, **more):
        monkeypatch.setitem(OPS, op.name, op)
    layer = activation("wave", "A wave.", equation=line)
    for table in (LAYERS, ACTIVATIONS, FAMILIES["activation"]):
        monkeypatch.setitem(table, "wave", layer)


def test_a_new_activation_is_right_on_every_target(monkeypatch):
    add_activation(monkeypatch, "sin(2 * z)")
    agrees(SPEC)


def test_a_new_activation_of_numpy_alone_is_refused_elsewhere(monkeypatch):
    add_activation(monkeypatch, "silu_slope(z)", derivative="d * z", helpers=("sigmoid", "silu_slope"))
    assert outcome(SPEC, "numpy") == ""
    assert outcome(SPEC, "tensorflow") == "dense(4, wave)"


def test_every_kernel_and_rule_is_of_a_member():
    assert KERNELS.keys() <= OPS.keys()
    assert rules.LAYERS.keys() <= LAYERS.keys()
    assert rules.LOSSES.keys() <= OPS.keys()
    for family, table in {
        "optimizer": rules.OPTIMIZERS, "penalty": rules.PENALTIES, "clip": rules.CLIPS, "constraint": rules.CONSTRAINTS,
    }.items():  # fmt: skip
        assert table.keys() <= FAMILY[family].keys()
    for note in rules.NOTES:
        family, member = note.split()
        assert member in FAMILY[family]


def test_what_has_no_formula_of_its_own_has_a_rule():
    """A way to clip, a penalty of the loss or a constraint without one would be a crash, not a refusal."""
    assert rules.CLIPS.keys() == CLIPS.keys()
    assert rules.CONSTRAINTS.keys() == CONSTRAINTS.keys()
    assert rules.PENALTIES.keys() == PENALTIES.keys()


def test_what_the_rules_name_exists():
    tensorflow = pytest.importorskip("tensorflow")
    import dotnn_runtime.keras.constraints as constraints

    keras = tensorflow.keras
    for rule in rules.LAYERS.values():
        for name in rule.keras:
            if name.startswith("keras."):
                part = keras
                for word in name.split(".")[1:]:
                    part = getattr(part, word)
    for rule in rules.OPTIMIZERS.values():
        assert issubclass(getattr(keras.optimizers, rule.keras), keras.optimizers.Optimizer)
    options = inspect.signature(keras.optimizers.SGD).parameters
    assert {rule.keras for rule in rules.CLIPS.values()} <= options.keys()
    assert all(hasattr(keras.regularizers, rule.keras) for rule in rules.PENALTIES.values() if rule.keras)
    assert all(hasattr(constraints, rule.keras) for rule in rules.CONSTRAINTS.values())
