"""Gradients that are zero by the network: proven in the graph, passed by the validator, and never taken on trust.

Every kind stands beside a network that is almost the same, whose gradient is not zero: there a dropped gradient line
must fail, and a declaration that it were zero as well.
"""

import re

import pytest
from support import model_of

from dotnn.passes.zeros import zero_gradients
from dotnn.session import Options, compile_model, lower
from dotnn_runtime.gradcheck import Verdict, check_script

TWINS = "input u: [3]  layer s = dense(4)  {}  output y = d * d -> sum_features"
POOLED = "h = x -> dense(6) -> reshape([6, 1]) -> {}  output y = h -> maxpool(1, 2) -> flatten -> dense(1)"
KINDS = {
    "twins under a difference": (
        TWINS.format("d = (x -> s) - (u -> s)"), {"s.b"}, TWINS.format("d = (x -> s) - 0.5 * (u -> s)"),
    ),
    "twins behind a shared tower": (
        "input u: [3]  layer a = dense(4)  layer s = dense(2)  output y = (0.3 * (x -> a -> s) - 0.3 * (u -> a -> s)) "
        "-> tanh -> dense(1)", {"s.b", "a.b"},
        "input u: [3]  layer a = dense(4)  layer s = dense(2)  output y = (0.3 * (x -> a -> s) - 0.1 * (u -> a -> s)) "
        "-> tanh -> dense(1)",
    ),
    "a value minus itself": (
        "h = x -> dense(3, tanh)  output y = x + (h - (h -> identity)) -> dense(1)", {"h.W", "h.b"},
        "h = x -> dense(3, tanh)  output y = x + (h - (h -> tanh)) -> dense(1)",
    ),
    "one step of an rnn": (
        "output y = x -> reshape([1, 3]) -> rnn(4) -> dense(1)", {"y.rnn1.U"},
        "output y = x -> reshape([3, 1]) -> rnn(4) -> dense(1)",
    ),
    "one step of an lstm": (
        "output y = x -> reshape([1, 3]) -> lstm(2, returns = sequence) -> flatten -> dense(1)", {"y.lstm1.U"},
        "output y = x -> reshape([3, 1]) -> lstm(2, returns = sequence) -> flatten -> dense(1)",
    ),
    "one step of a gru": (
        "output y = x -> reshape([1, 3]) -> gru(2, reset = before, reverse = true) -> dense(1)", {"y.gru1.U"},
        "output y = x -> reshape([3, 1]) -> gru(2, reset = before, reverse = true) -> dense(1)",
    ),
    "relu before prelu": (
        "output y = x -> dense(4, relu) -> prelu -> dense(1)", {"y.prelu1.slope"},
        "output y = x -> dense(4, tanh) -> prelu -> dense(1)",
    ),
    "relu before two prelus": (
        "output y = x -> dense(4, relu) -> repeat(2, prelu(-0.6)) -> dense(1)", {"y.prelu1.slope", "y.prelu2.slope"},
        "output y = x -> dense(4, silu) -> repeat(2, prelu(0.6)) -> dense(1)",
    ),
    "a sum of values above 0 before prelu": (
        "h = x -> dense(4, sigmoid)  output y = h + h * (h -> softplus) -> prelu -> dense(1)", {"y.prelu1.slope"},
        "h = x -> dense(4, sigmoid)  output y = h - h * (h -> softplus) -> prelu -> dense(1)",
    ),
    "relu of minus relu": (
        "h = -(x -> dense(4, relu)) -> relu  output y = concat(h, x) -> dense(1)", {"h.W", "h.b"},
        "h = -(x -> dense(4, tanh)) -> relu  output y = concat(h, x) -> dense(1)",
    ),
    "attention over one position": (
        "output y = x -> reshape([1, 3]) -> multi_head_attention(2, 2) -> flatten -> dense(1)",
        {f"y.multi_head_attention1.{name}" for name in ("Wq", "Wk", "bq")},
        "output y = x -> reshape([3, 1]) -> multi_head_attention(2, 2) -> flatten -> dense(1)",
    ),
    "softmax of one": (
        "h = x -> dense(1, softmax)  output y = concat(h, x) -> dense(1)", {"h.W", "h.b"},
        "h = x -> dense(2, softmax)  output y = concat(h, x) -> dense(1)",
    ),
    "positions that differ, before a mean over one position": (
        "output y = x -> reshape([1, 3]) -> position_embedding -> batchnorm -> flatten -> dense(1)",
        {"y.position_embedding1.W"},
        "output y = x -> reshape([3, 1]) -> position_embedding -> batchnorm -> flatten -> dense(1)",
    ),
    "a softmax that is summed": (
        "h = x -> dense(4, softmax) -> sum_features  output y = h * (x -> dense(1))", {"h.W", "h.b"},
        "h = x -> dense(4, sigmoid) -> sum_features  output y = h * (x -> dense(1))",
    ),
    "a select of equals": (
        "h = x -> dense(3)  output y = select(x -> dense(2, softmax), h, 1 * h) -> dense(1)",
        {"y.dense1.W", "y.dense1.b"},
        "h = x -> dense(3)  output y = select(x -> dense(2, softmax), h, 2 * h) -> dense(1)",
    ),
    "behind a step": (
        "output y = x -> dense(3) -> threshold -> dense(1)", {"y.dense1.W", "y.dense1.b"},
        "output y = x -> dense(3) -> sigmoid -> dense(1)",
    ),
}  # fmt: skip
"""Networks of an input x of three numbers; the gradients that are zero in the first, and not in the second."""


def spec(body):
    return f"model M {{ input x: [3]  target t: [1]  {body} }} train {{ loss = mse(y, t) }}"


def proven(body):
    return set(zero_gradients(lower(model_of(spec(body)))))


def check(script):
    return check_script(script, "zeros.py", v4=False)


def script_of(body):
    return compile_model(model_of(spec(body)), Options()).script


def returned(script, name, change):
    """The script with another gradient for a parameter."""
    edited, count = re.subn(rf'("{re.escape(name)}": )(d_\w+)', rf"\g<1>{change}", script)
    if not count:
        value, end = f'grads["{name}"]', "    return {name: grads[name] for name in PARAMS}"
        count, edited = (
            script.count(end),
            script.replace(end, f"    {value} = {change.replace(chr(92) + '2', value)}\n{end}"),
        )
    assert count == 1
    return edited


@pytest.mark.parametrize("kind", KINDS)
def test_a_zero_is_proven_and_passes(kind):
    body, zeros, _ = KINDS[kind]
    assert proven(body) >= zeros
    script = script_of(body)
    report = check(script)
    assert report.verdict is Verdict.PASS, report.reason
    assert not report.notes
    assert {t.name for t in report.tensors if t.verdict is Verdict.ZERO_STRUCTURAL} == proven(body)
    report = check(returned(script, min(zeros), r"\2 + 0.001 * d_loss"))
    assert next(t for t in report.tensors if t.name == min(zeros)).verdict is Verdict.FAIL


@pytest.mark.parametrize("kind", KINDS)
def test_an_unexpected_zero_fails(kind):
    _, zeros, body = KINDS[kind]
    assert not proven(body) & zeros
    script = script_of(body)
    name = max(zeros)
    dropped = returned(script, name, r"0 * \2")
    for text in (dropped, f"{dropped}\nSTRUCTURAL_ZEROS = ({name!r},)\n"):
        assert next(t for t in check(text).tensors if t.name == name).verdict is Verdict.FAIL
    declared = check(f"{script}\nSTRUCTURAL_ZEROS = ({name!r},)\n")
    assert next(t for t in declared.tensors if t.name == name).reason == "declared to be zero, but it is not"


def test_a_zero_that_no_rule_proves_is_noted():
    """The pooling reads every second place, the padding moves what a transposed convolution made to the others."""
    body = POOLED.format("conv1d_transpose(1, 1, stride = 2) -> zeropad([[1, 0]])")
    report = check(script_of(body))
    assert report.verdict is Verdict.PASS
    observed = {t.name for t in report.tensors if t.verdict is Verdict.ZERO_OBSERVED}
    assert observed == {"h.dense1.W", "h.dense1.b", "h.conv1d_transpose1.W"}
    assert sum("is zero at" in note for note in report.notes) == len(observed)
    felt = script_of(POOLED.format("conv1d_transpose(1, 1, stride = 2) -> zeropad([[2, 0]])"))
    dropped = returned(felt, "h.conv1d_transpose1.W", r"0 * \2")
    assert check(felt).verdict is Verdict.PASS
    assert not check(felt).notes
    assert check(dropped).verdict is Verdict.FAIL


def test_a_network_that_feels_nothing():
    """Nothing but rounding is compared with nothing but rounding."""
    report = check(script_of("output y = x -> dense(2, softmax) -> sum_features"))
    assert report.verdict is Verdict.PASS
    assert {t.name for t in report.tensors if t.verdict is Verdict.ZERO_STRUCTURAL} == {"y.W", "y.b"}
