"""Right scripts at awkward points pass: saturated units, weights from a file, exact ties. And wrong ones do not."""

import numpy as np
import pytest
from support import model_of

from dotnn.commands.checking.spec import check_spec
from dotnn.session import Options, compile_model, compile_spec
from dotnn_runtime.gradcheck import Verdict, check_script

TIES = """model R {
  input  x: int[1]
  target t: [2]
  e = x -> one_hot(3) -> flatten
  output y = max(e -> dense(3, tanh), e -> dense(3)) -> dense(2)
}
train { loss = mse(y, t) }
"""
SATURATED = """model S {{
  input  x: [3]
  target t: [3]
  {network}
}}
train {{ loss = mse(y, t)  init = normal(8) }}
"""
NETWORKS = {
    "output y = x -> dense(6, tanh) -> dense(6, tanh) -> dense(3, sigmoid)": ("(1 - dense1 * d", "(1 + dense1 * d"),
    "layer s = dense(3)  output y = x -> dense(5, sigmoid) -> dense(3) -> s -> tanh -> s": (
        "(1 - tanh",
        "(1 + tanh",
    ),
}
"""Each with a mistake in it."""
PRELU = """model P {
  input  x: [2]
  target t: [1]
  h = x -> dense(2, prelu)
  output y = h -> dense(1)
}
train { loss = mse(y, t)  init = file("w.npz")  bias_init = file("w.npz") }
"""


def script_of(text, style="explain"):
    return compile_model(model_of(text), Options(style, input_gradients=True)).script


def test_a_tie_never_blames_a_right_line():
    """At seeds 29 and 39 a tie lets a cotangent through to a tanh whose value was moved there."""
    script = script_of(TIES)
    for seed in (29, 39, *range(4)):
        report = check_script(script, "ties.py", seed=seed, v4=False)
        assert report.verdict is Verdict.PASS, (seed, report.blame)


@pytest.mark.parametrize("network", NETWORKS)
def test_saturated_units_are_compared_on_the_scale_of_the_float(network):
    script, (right, wrong) = script_of(SATURATED.format(network=network)), NETWORKS[network]
    for seed in (3, 6, 8, 9):
        report = check_script(script, "saturated.py", seed=seed)
        assert report.verdict is Verdict.PASS, (seed, report.reason, report.checks)
        assert right in script
        edited = check_script(script.replace(right, wrong), "saturated.py", seed=seed)
        assert edited.verdict is Verdict.FAIL


def test_weights_from_a_file_are_left_at_some_points(tmp_path):
    """Of a PReLU all whose inputs are positive at the file's weights."""
    weights = {"h.W": [[0.5, 0.25], [0.125, 0.5]], "h.b": [9, 9], "h.slope": [0.25, 0.25]}
    weights |= {"y.W": [[0.5], [-0.25]], "y.b": [0.1]}
    np.savez(tmp_path / "w.npz", **{name: np.array(value, float) for name, value in weights.items()})
    path = tmp_path / "prelu.nn"
    path.write_text(PRELU)
    report = check_spec(str(path))
    assert report.verdict is Verdict.PASS
    assert next(t for t in report.tensors if t.name == "h.slope").verdict is Verdict.PASS
    script = compile_spec(str(path)).script
    dropped = script.replace('"h.slope": d_h_slope', '"h.slope": 0 * d_h_slope')
    assert dropped != script
    assert check_script(dropped, "prelu.py").verdict is Verdict.FAIL


def checks_of(text, script=None):
    return {c.id: c for c in check_script(script or script_of(text), "extreme.py", v4=False).checks}


def test_what_float32_cannot_hold_is_skipped():
    text = """model L { input x: [3]  target t: [1]  h = x -> dense(4)  g = multiply(h, h, h) -> dense(4)
      output y = multiply(g, g, g) -> dense(1) }  train { loss = mse(y, t)  init = constant(3e4) }"""
    assert checks_of(text)["V9"].verdict is Verdict.SKIPPED
    small = text.replace("3e4", "0.3")
    assert checks_of(small)["V9"].verdict is Verdict.PASS
    lost = script_of(small).replace('"h.W": d_h_W', '"h.W": d_h_W * 1e30 * 1e30 * 1e-30 * 1e-30')
    assert checks_of(small, lost)["V9"].verdict is Verdict.FAIL


def test_gradients_below_the_normal_numbers_are_doubled_but_for_rounding():
    text = "model U { input x: [3]  target t: [2]  output y = x -> dense(2) } train { loss = mse(y, t) }"
    tiny = script_of(text).replace('"y.W": d_y_W', '"y.W": d_y_W * 1e-312')
    assert checks_of(text, tiny)["V1"].verdict is Verdict.PASS
    squared = tiny.replace("1e-312", "1e-100 * d_loss")
    assert checks_of(text, squared)["V1"].verdict is Verdict.FAIL
