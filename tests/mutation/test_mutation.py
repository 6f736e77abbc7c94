"""Sabotage: every mistake that changes a gradient is caught, and the line that holds it is blamed."""

import os
import warnings

import numpy as np
import pytest
from mutation import fast, suite
from mutation.subjects import BATCH, NETWORKS, SUBJECTS, backward_ops, model, right_script
from samples import LAYER_SPECS, loss_settings, loss_spec
from support import ROOT, as_module, generic_point, model_of

from dotnn.session import lower
from dotnn_runtime.gradcheck import Verdict, check_script
from dotnn_runtime.gradcheck.blame.assess import Assessment
from dotnn_runtime.gradcheck.blame.bench import Bench
from dotnn_runtime.gradcheck.probing.draws import generic_point as random_point
from dotnn_runtime.gradcheck.tracing.follow import Follower
from dotnn_runtime.gradcheck.tracing.traced import load_script

GROUPS = suite.groups()
ALL = bool(os.environ.get("DOTNN_LONG"))
OF_A_KIND = 3
"""How many mistakes of a kind are made here: `gate.py` makes all of them."""
BESIDE = {
    ("blocks", "d_h = block_max_d_input(d_m, cache['h_z'], m, 2, 3)"):
        "the wrong operand is seen first in the helper that it is handed to; the line itself is blamed second",
    ("image", "conv2d: stride forgotten for W"):
        "the product in the helper is seen first; the call is named behind it, as what the error may be in",
    ("shared", "d_distance = one_element_off(d_distance_from_multiply + d_distance_from_multiply)"):
        "the sum of a value with itself: half of the fault in the one share makes it right, too",
}  # fmt: skip
"""What is caught, but blamed on another line, and why: subject and change. Nothing else may be."""


@pytest.mark.parametrize("name", GROUPS)
def test_every_mistake_is_caught_and_blamed(name):
    result = suite.run_group(GROUPS[name], 0 if ALL else min(GROUPS[name].sample, OF_A_KIND))
    assert result.rows
    assert result.missed == []
    assert [str(row) for row in result.rows if not row.right and row.mutant.id not in BESIDE] == []
    assert [str(row) for row in result.rows if row.right and row.mutant.id in BESIDE] == []  # it is mended: strike it


def test_a_gradient_that_is_stored_under_the_name_of_an_input_is_blamed_on_its_line():
    """It has no name of its own: what it is called is the key, in a shape that is right and in one that is not."""
    moved = [m for m in suite.line_mutants("attentive") if m.change.startswith("grads['u'] = d_concat[..., ")]
    rows = [suite.run(mutant) for mutant in moved if mutant.operator == "shifted_columns"]
    assert rows and [str(row) for row in rows if not row.right] == []


def test_a_number_in_place_of_an_array_is_blamed_where_it_is_written():
    (mutant,) = (m for m in suite.line_mutants("cross_entropy_scaled") if m.change == "d_y_softmax = 0.9")
    assert suite.run(mutant).right


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("style", ["explain", "fast"])
def test_without_a_mistake_there_is_no_alarm(subject, style):
    report = check_script(right_script(subject, style), f"{subject}.py", batch_size=BATCH.get(subject))
    assert report.verdict is Verdict.PASS
    assert report.blame is None


@pytest.mark.parametrize("subject", sorted(set(NETWORKS) - set(BATCH)))
def test_no_two_sizes_of_a_layer_are_equal_by_accident(subject):
    for name, param in model(subject).params.items():
        if name.endswith(".U"):
            continue  # from the state to the state: square by nature
        assert len(set(param.shape)) == len(param.shape), name


TWICE = {"truncate"}
"""Only in a recurrence that is cut off and computed again: its names are not followed through both computations yet."""


def test_every_op_of_a_backward_pass_is_attacked():
    """What makes cotangents, and what is computed again on the way."""
    texts = [text for _, text in LAYER_SPECS] + [loss_spec(f"{name}(y, t)", t, s) for name, t, s in loss_settings()]
    nodes = [node for text in texts for node in lower(model_of(text), input_gradients=True).phase("backward")]
    made = [inner for node in nodes for inner in node.all_nodes()]
    assert {inner.op for inner in made} - TWICE <= frozenset().union(*map(backward_ops, SUBJECTS))


def same(*, trained: bool):
    """The reasons why mistakes compute the same, of those in what is trained or of the others."""
    chosen = [entry for entry in suite.EQUIVALENT if entry[0].startswith("trained_") == trained]
    return pytest.mark.parametrize("entry", chosen, ids=[f"{e[0]}-{i}" for i, e in enumerate(chosen)])


def mutants_of(entry):
    operator, _, reason = entry
    group = GROUPS["rule elu_derivative" if operator == suite.RULE else operator]
    found = [mutant for make in group.makers() if suite.equivalent(mutant := make()) == reason]
    assert found
    return found


@same(trained=True)
def test_equivalent_mistakes_prepare_and_predict_the_same(entry):
    for mutant in mutants_of(entry):
        right, wrong = (as_module(s, ROOT / "subject.nn") for s in (mutant.beside.compiled.script, mutant.source))
        rng = np.random.default_rng(0)
        params = right.init_params(1, np.float64)
        for count in range(4, 60):
            data = {"x": rng.normal(size=(count, 3)), "t": rng.normal(size=(count, 2))}
            (parts, scaling), (found, _) = right.prepare(data, np.float64), wrong.prepare(data, np.float64)
            assert parts.keys() == found.keys()
            for part, arrays in parts.items():
                for name, values in arrays.items():
                    np.testing.assert_array_equal(found[part][name], values)
            mine, theirs = (module.predict(params, data, scaling) for module in (wrong, right))
            assert mine.keys() == theirs.keys()
            np.testing.assert_array_equal(mine["y"], theirs["y"])


@same(trained=False)
def test_equivalent_mistakes_compute_the_same(entry):
    for mutant in mutants_of(entry):
        right = as_module(right_script(mutant.subject), ROOT / "subject.nn")
        wrong = as_module(mutant.source, ROOT / "subject.nn")
        for seed in range(5):
            params, batch = generic_point(right, seed)
            params = {name: np.abs(w) if name.endswith("slope") else w for name, w in params.items()}
            expected, found = (m.loss_and_grads(params, batch, rng=np.random.default_rng(0))[1] for m in (right, wrong))
            for name, gradient in expected.items():
                np.testing.assert_array_equal(found[name], gradient)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_name_of_a_right_script_keeps_its_promise(subject):
    """A blame rests on this: `d_h` is the cotangent of `h`, in a loop that of the same turn."""
    script = load_script(right_script(subject), f"{subject}.py")
    batch = BATCH.get(subject) or 5
    point = random_point(script.plain.init_params(0, dtype=np.float64), script.plain.INPUTS, script.plain.TARGETS,
                         batch_size=batch, rng=np.random.default_rng(0))  # fmt: skip
    state = Assessment(Bench(Follower(script), point))
    assert state.judged
    kept = [(e.line, e.name) for e, expectation in state.judged if not expectation.met(state.truths, e.value)]
    assert kept == []


def test_a_step_is_only_blamed_for_what_it_changes():
    """The lines to be blamed in the fast style are found by comparing two runs; the right one equals itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fast.to_blame(fast.right_source("chain"), "chain") == ()
