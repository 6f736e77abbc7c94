"""Networks on which the validator, or the compiler, was once wrong: what random specs found, reduced."""

import pytest
from support import STYLES
from validator.audit import Audit

from dotnn.commands.checking.spec import check_spec
from dotnn_runtime.gradcheck import Verdict

SPECS = {
    "a value with the name of another's sum": """
  h_z = x -> dense(4, relu)
  h = h_z -> dense(4, tanh)
  output y = h -> dense(3)""",
    "a value with the name of another's cotangent": """
  h = x -> dense(4, tanh)
  d_h = h -> dense(5, relu)
  output y = d_h -> dense(3)
  loss = 0.3 * sse(y, t) + l1(y, t)""",
    "two losses of a kind on one output": """
  output y = x -> dense(3)
  loss = sse(y, t) + 0.3 * sse(y, t, reduce = mean)""",
    "two smoothings of one target": """
  output y = x -> dense(3, softmax)
  loss = cross_entropy(y, t, smoothing = 0.4) + 0.3 * cross_entropy(y, t)""",
    "softmax and cross-entropy behind a reshape": """
  input rows: [2]
  output y = concat(x, rows) -> dense(3) -> reshape([1, 3]) -> flatten -> softmax
  loss = cross_entropy(y, t)""",
    "sigmoid and binary cross-entropy behind a reshape": """
  output y = x -> dense(3) -> reshape([3, 1]) -> flatten -> sigmoid
  loss = bce(y, t)""",
    "a kink behind the zeros of a relu": """
  output y = x -> dense(4, relu) -> elu(alpha = 0.7) -> dense(3)""",
    "a kink behind the zeros of dropout": """
  output y = x -> dense(4) -> dropout(50%) -> elu(alpha = 0.7) -> dense(3)""",
    "a tie that spreads to where there is no convention": """
  output y = x -> dense(4, leaky_relu(0.1)) -> elu(alpha = 0.7) -> dense(3)""",
    "a tie that spreads to a softplus": """
  output y = x -> dense(4, leaky_relu(0.1)) -> softplus -> dense(3)""",
    "a unit that is silent at most points": """
  input u: [1]
  layer s = dense(1, relu, bias = false)
  v = (u -> s) + ((u -> dense(1, prelu)) -> s)
  output y = concat(x, v, u -> dense(1, prelu, bias = false)) -> dense(3)""",
    "a share that stands in a sum whose other part has the name of another value": """
  layer s = upsample(3)
  h = x -> dense(9) -> reshape([3, 3])
  output y = concat(h -> s -> flatten, h -> gaussian_noise(3) -> flatten) -> dense(3)""",
    "steps, whose ties the fast style never sees": """
  output y = max(x -> dense(4, threshold), x -> dense(4, relu)) -> dense(3)""",
}


def spec(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    loss = next((line for line in lines if line.startswith("loss")), "loss = mse(y, t)")
    body = "\n  ".join(line for line in lines if line != loss)
    return f"model M {{\n  input x: [4]\n  target t: [3]\n  {body}\n}}\ntrain {{ {loss} }}\n"


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("name", SPECS)
def test_right_scripts_pass(name, style):
    audit = Audit()
    audit.look_at(spec(SPECS[name]), style)
    assert audit.passes == 1, audit.findings


LARGE_SCORES = """model M {
  input  x: [2]
  h = x -> dense(6) -> dense(6) -> reshape([2, 3])
  a = h -> repeat(2, multi_head_attention(heads = 2, key_dim = 2)) -> flatten
  target t: [2, 3]
  output y = concat(x, a) -> dense(6) -> reshape([2, 3])
}
train {
  loss      = perceptron(y, t)
  init      = ones
  bias_init = ones
}
"""


@pytest.mark.parametrize("seed", range(12))
def test_what_rounding_alone_makes_is_no_fault(seed, tmp_path):
    """Scores in the thousands leave few digits to the gradient of queries: in probes, in float32, in training steps."""
    (tmp_path / "m.nn").write_text(LARGE_SCORES, encoding="utf-8")
    report = check_spec(str(tmp_path / "m.nn"), seed=seed)
    assert report.verdict.value == "PASS", [c for c in report.checks if c.verdict.value == "FAIL"]


SIGN_FROM_THE_CACHE = """model M {
  input  x: [4, 3]
  rows = x -> flatten
  v = rows -> dense(12) -> reshape([4, 3])
  output y = rnn(x + abs(v), 2, initial = rows -> dense(2, sigmoid), returns = last) -> dense(3)
  target t: [3]
}
train { loss = sse(y, t) }
"""


@pytest.mark.parametrize("seed", [1, 2])
def test_an_absolute_value_has_no_convention_wherever_its_sign_is_read(seed, tmp_path):
    """The backward pass reads v out of the cache: `np.sign(cache["v"])`."""
    (tmp_path / "m.nn").write_text(SIGN_FROM_THE_CACHE, encoding="utf-8")
    report = check_spec(str(tmp_path / "m.nn"), seed=seed)
    assert report.verdict is Verdict.PASS, report.reason


POWERS_OF_POWERS = """block Cube {
  input x: [3]
  v = x -> dense(6)
  output made = v * v * v -> dense(3)
}
model M {
  input  x: [1]
  h = x -> dense(3) -> repeat(2, Cube()) -> repeat(2, Cube())
  target t: [2, 3]
  output y = h -> dense(6) -> reshape([2, 3])
}
train {
  loss = sse(y, t)
  init = truncated_normal(2)
}
"""


@pytest.mark.parametrize("seed", [0, 3, 1402000010])
def test_a_loss_beyond_all_floats_is_checked_at_smaller_weights(seed, tmp_path):
    (tmp_path / "m.nn").write_text(POWERS_OF_POWERS, encoding="utf-8")
    report = check_spec(str(tmp_path / "m.nn"), seed=seed)
    assert report.verdict is Verdict.PASS, report.reason
    assert any("overflows" in note for note in report.notes)


DECIDED_BY_ROUNDING = """cell flipping(units) {
  input  x: [n]
  state h: [units]        = 0
  state c: [units]        = 0.3
  param W: [n, units]
  param U: [units, units] = orthogonal
  param b: [units]
  z = x @ W + h @ U + b
  g = z + sin(elu(c, alpha = 30%))
  next c = tanh(c) + tanh(g)
  next h = tanh(safe(g * h / abs(h)) + g)
  output g
}
model M {
  input  x: [6, 2]
  target t: [3]
  output y = flipping(x, 2, returns = sequence) -> avgpool_global -> dense(3)
}
train { loss = mse(y, t) }
"""


@pytest.mark.parametrize("seed", range(6))
def test_where_the_last_digit_decides_the_styles_cannot_be_told_apart(seed, tmp_path):
    """Where h is negative, g h / |h| + g is 0 or a rounding of it, and the next step asks for its sign.

    With seed 1 the complex step meets a quotient of zeros; with 0, 2 and 4 the styles take different sides.
    """
    (tmp_path / "m.nn").write_text(DECIDED_BY_ROUNDING, encoding="utf-8")
    report = check_spec(str(tmp_path / "m.nn"), seed=seed)
    undecided = {c.id for c in report.checks if c.verdict is Verdict.INCONCLUSIVE}
    assert report.verdict is (Verdict.INCONCLUSIVE if undecided else Verdict.PASS), report.reason
    assert undecided <= {"V8"} and not report.blames
    assert all(t.verdict is Verdict.PASS for t in report.tensors)
