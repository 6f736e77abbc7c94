"""What a spec freezes has no gradient and no memory, and training leaves it as it is, on all targets."""

import numpy as np
import pytest
from samples import LAYER_SPECS
from support import STYLES, assert_gradients, generic_point, model_of, module_of

from dotnn.codegen.tables import declared
from dotnn.commands.comparing import follow
from dotnn.core.diagnostics import CompileError
from dotnn.session import Compilation, Options, compile_model, compile_spec
from dotnn_runtime.gradcheck import Verdict, check_script

FROZEN = {
    name: (spec, spec.replace("mse(y, t)", "mse(y, t)  freeze = made"))
    for name, spec in LAYER_SPECS
    if any(param.startswith("made.") for param in declared(model_of(spec))["PARAMS"])
}
TRANSFER = """
block Encoder(units) {
  input x: [n]
  param s: [n] = constant(0.7)
  output y = s * x -> dense(units, tanh) -> batchnorm(momentum = 0.5)
}
model Transfer {
  input  x: [3]
  target t: [2]
  layer encode = Encoder(4, trainable = false)
  layer twice = dense(4, prelu, trainable = false)
  h1 = (x -> encode -> twice) + (x -> encode) -> dense(5) -> batchnorm(momentum = 0.5) -> twice_as_wide
  output y = h1 -> dense(2)
}
train {
  loss = mse(y, t)  optim = adam(0.05)  batch = 4  epochs = 3
  decay = l2(0.01)  constraint = max_norm(0.5)  freeze = [h1.dense1.W, h1.batchnorm1.gamma]
}
""".replace(" -> twice_as_wide", "")
KEPT = ("encode.s", "encode.y.dense1.W", "encode.y.dense1.b", "encode.y.batchnorm1.gamma", "encode.y.batchnorm1.beta",
        "encode.y.batchnorm1.mean", "encode.y.batchnorm1.var", "twice.W", "twice.b", "twice.slope", "h1.dense1.W",
        "h1.batchnorm1.gamma")  # fmt: skip


def examples(count=12):
    rng = np.random.default_rng(5)
    return {"x": rng.standard_normal((count, 3)), "t": rng.standard_normal((count, 2))}


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize(("free", "frozen"), [pytest.param(*case, id=name) for name, case in FROZEN.items()])
def test_what_is_left_has_the_gradient_that_it_has_without_freezing(free, frozen, style):
    """In prediction mode, in which batch norm has its statistics in both; the rest is that of `assert_gradients`."""
    whole, rest = module_of(free, style), module_of(frozen, style)
    gone = {name for name in whole.PARAMS if name.startswith("made.")}
    assert gone and rest.PARAMS.keys() == whole.PARAMS.keys() - gone
    params, batch = generic_point(whole)
    expected, got = (m.loss_and_grads(params, batch, training=False)[1] for m in (whole, rest))
    assert got.keys() == rest.PARAMS.keys()
    largest = max(np.abs(g).max() for g in expected.values())
    for name, gradient in got.items():
        np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-13 * largest)


@pytest.mark.parametrize("style", STYLES)
def test_training_leaves_it_as_it_is(style):
    module = module_of(TRANSFER, style)
    assert set(KEPT) <= module.STATE.keys() and not set(KEPT) & module.PARAMS.keys()
    start = module.init_params(3, np.float64)
    params, _ = module.train(examples(), params=start, dtype=np.float64)
    for name in (*module.PARAMS, *module.STATE):
        assert np.array_equal(params[name], start[name]) is (name in KEPT), name
    memories = module.optimizer_state(start if style == "explain" else np.zeros(1))
    assert style == "fast" or memories["m"].keys() == module.PARAMS.keys()


@pytest.mark.parametrize("style", STYLES)
def test_both_modes_of_a_frozen_batchnorm_are_one(style):
    module = module_of(TRANSFER.replace("freeze = [", "freeze = [h1, "), style)
    params, batch = generic_point(module)
    one, other = (module.loss_and_grads(params, batch, training=mode) for mode in (True, False))
    assert one[0] == other[0]
    for name, gradient in one[1].items():
        np.testing.assert_array_equal(gradient, other[1][name])
    assert_gradients(module, params, batch, 0)


@pytest.mark.parametrize("style", STYLES)
def test_a_fit_that_goes_on_ends_as_one_that_was_not_interrupted(style):
    """With what is frozen from elsewhere than `init_params`."""
    module = module_of(TRANSFER.replace("epochs = 3", "epochs = 4  checkpoint = every(1)"), style)
    start, seen = module.init_params(9), []

    def keep(record, state):
        if record["epoch"] == 2:
            seen.append({key: _copied(value) for key, value in state.items()})

    whole, _ = module.train(examples(), params=start, on_epoch=keep)
    resumed, _ = module.train(examples(), resume=seen[0])
    for name, w in whole.items():
        np.testing.assert_array_equal(resumed[name], w)


def _copied(value):
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return value.copy() if hasattr(value, "copy") else value


@pytest.mark.parametrize("style", STYLES)
def test_the_validator_passes_it_and_finds_what_moves_it(style):
    script = compile_model(model_of(TRANSFER), Options(style)).script
    assert check_script(script, "transfer.py").verdict is Verdict.PASS
    if style == "explain":
        wrong = script.replace('    state["t"] += 1\n', '    state["t"] += 1\n    params["twice.W"] *= 0.999\n')
        assert wrong != script
        assert check_script(wrong, "transfer.py").verdict is Verdict.FAIL


@pytest.mark.parametrize("name", ["transfer", "batchnorm", "prelu", "gru", "multi_head_attention"])
def test_tensorflow_trains_what_is_left_alike(name):
    pytest.importorskip("tensorflow")
    spec = FROZEN[name][1] if name in FROZEN else TRANSFER
    result = follow.compare(Compilation.of(model_of(spec)), 5)
    assert result.verdict == "PASS"


def test_a_part_of_what_is_one_variable_in_keras_is_refused():
    partly = FROZEN["gru"][0].replace("mse(y, t)", "mse(y, t)  freeze = made.b")
    names = declared(model_of(partly))["STATE"]
    assert list(names) == ["made.b"]
    with pytest.raises(CompileError) as failure:
        compile_model(model_of(partly), Options(target="tensorflow"))
    (found,) = failure.value.diagnostics
    assert found.code == "NN507"


def test_an_encoder_trained_elsewhere_serves_a_classifier(tmp_path):
    """A spec with a frozen encoder, whose weights are those of another run."""
    weights = {"encode.W": np.arange(12.0).reshape(3, 4) / 9, "encode.b": np.full(4, 0.25)}
    np.savez(tmp_path / "encoder.npz", **weights)
    (tmp_path / "head.nn").write_text("""
model Head {
  input  x: [3]
  target t: [2]
  layer encode = dense(4, tanh, init = file("encoder.npz"), bias_init = file("encoder.npz"), trainable = false)
  output y = x -> encode -> dense(2)
}
train { loss = mse(y, t)  epochs = 2  optim = adam(0.1)  decay = weight_decay(0.1) }
""")
    compiled = compile_spec(str(tmp_path / "head.nn"), Options("explain"))
    scope = {"__name__": "head", "__file__": str(tmp_path / "head.py")}
    exec(compile(compiled.script, "head.py", "exec"), scope)
    params, _ = scope["train"](examples())
    for name, w in weights.items():
        np.testing.assert_array_equal(params[name], w.astype(np.float32))
    assert not np.array_equal(params["y.W"], scope["init_params"](0)["y.W"])
