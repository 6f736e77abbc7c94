"""One engine looks on while a script runs: it changes nothing, and all who listen hear of the same values.

Two ways of differentiating that share nothing, the chain rule over a followed run and the complex step in a replayed
one, must agree for every value that a script names.
"""

import numpy as np
import pytest
from mutation.subjects import SUBJECTS, right_script
from support import generic_point, model_of

from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import Verdict, check_script
from dotnn_runtime.gradcheck.probing.evaluation import Evaluation, loss_and_grads
from dotnn_runtime.gradcheck.probing.oracles import complex_step
from dotnn_runtime.gradcheck.reading.types import Cost, Key, Point
from dotnn_runtime.gradcheck.tracing.follow import Follower
from dotnn_runtime.gradcheck.tracing.traced import load_script

BY_HAND = ("mlp", "residual", "recurrent", "batchnorm", "noisy", "square", "fast")
CALLS = [
    ("make_step", "gelu", "copyto(h_rows, gelu(h_z_rows))"),
    ("training_arrays", "one_hot_rows", '"t_target": one_hot_rows(np.asarray(examples["t"]), 2, dtype),'),
]
"""A function of a fast script, a helper that it calls, and the statement that does."""
FAST = """model M {
  input  x: [3]
  target t: class[2]
  h = x -> dense(4, gelu)
  output p = h -> dense(2, softmax)
}
train { loss = cross_entropy(p, t) }
"""


def point_of(script):
    return Point(*generic_point(script.plain, examples=5), rng_seed=7)


def keys_of(tape):
    return {Key("value", name, i) for name, arrays in tape.values.items() for i in range(len(arrays))}


def distance(a, b):
    return abs(a - b) / max(abs(a), abs(b), 1e-9)


@pytest.mark.parametrize("style", ["explain", "fast"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_woven_script_computes_the_same_bits(subject, style):
    script = load_script(right_script(subject, style), f"{subject}.py")
    point = point_of(script)
    evaluation = Evaluation(script, point, Cost())
    expected, grads = loss_and_grads(script.plain, point)
    for loss, found in (loss_and_grads(script.woven.module, point), (evaluation.loss, evaluation.grads)):
        assert loss == expected
        assert found.keys() == grads.keys()
        assert all(np.array_equal(found[name], g) for name, g in grads.items())


@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_followed_run_and_displacements_agree_on_every_value(subject):
    both_ways_agree(load_script(right_script(subject), f"{subject}.py"))


@pytest.mark.parametrize("name", BY_HAND)
def test_they_agree_on_scripts_written_by_hand(name, script):
    both_ways_agree(load_script(script(name), f"{name}.py"))


def both_ways_agree(script):
    point, rng = point_of(script), np.random.default_rng(1)
    evaluation = Evaluation(script, point, Cost())
    run = Follower(script).follow(point)
    assert run.values.keys() == keys_of(evaluation.tape)
    nodes = run.values | {Key("param", name): node for name, node in run.params.items()}
    for key, node in nodes.items():
        u = rng.standard_normal(evaluation.base(key).shape)
        assert not node.lost
        slope = 0.0 if node.total is None else float(np.vdot(node.total, u))
        true = complex_step(evaluation.evaluate, {key: u})
        assert distance(slope, true) < 1e-9 or abs(slope - true) < 1e-12, key


@pytest.mark.parametrize("subject", ["chain", "residual", "rnn", "image"])
def test_constants_that_are_subtracted_are_the_same_to_both(subject):
    script = load_script(right_script(subject), f"{subject}.py")
    point, rng = point_of(script), np.random.default_rng(2)
    keys = sorted(keys_of(Evaluation(script, point, Cost()).tape))
    tape = Evaluation(script, point, Cost()).tape
    shifts = {key: 0.1 * rng.standard_normal(tape.values[key.name][key.at].shape) for key in keys[::3]}
    moved = Evaluation(script, point, Cost(), shifts=shifts)
    run = Follower(script).follow(point, shifts=shifts)
    for key in keys:
        event = run.events[run.values[key].event]
        if event.name == key.name and event.place.part < 2:
            np.testing.assert_array_equal(event.value, moved.tape.values[key.name][key.at])


@pytest.mark.parametrize(("function", "helper", "statement"), CALLS)
def test_a_helper_that_stops_is_blamed_at_the_statement_that_calls_it(function, helper, statement):
    text = compile_model(model_of(FAST), Options("fast")).script
    head = text.index("\n", text.index(f"def {helper}("))
    report = check_script(f"{text[:head]}\n    raise ValueError('stop'){text[head:]}", "m.py")
    assert report.verdict is Verdict.FAIL
    assert f"inside {helper}" in report.blame.words
    assert report.blame.text == statement
    assert function in report.blame.functions
