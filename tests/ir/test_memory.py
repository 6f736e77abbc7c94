"""The memory of a fast step: what its verifier lets pass computes what the readable style computes, and what breaks
the planner's rules does not pass."""

from typing import Any

import numpy as np
import pytest
from support import SPECS, model_of, module_of

from dotnn.session import Options, compile_model, compile_spec
from dotnn.targets.numpy.fast.loops import LoopWriter
from dotnn.targets.numpy.fast.placement.batch import Placer
from dotnn.targets.numpy.fast.placement.places import Place
from dotnn.targets.numpy.fast.placement.pool import Pool
from dotnn.targets.numpy.fast.placement.steps import LoopPlacement
from dotnn.targets.numpy.fast.placement.verify import InvalidPlan
from dotnn_runtime.script.selfcheck import generic_batch

SPEC = """model M {{
  input  x: [3]
  target t: [{width}]
{model}
}}
train {{ loss = {loss}(y, t)  bias_init = constant(0.3) }}
"""
DUELING = """  v = x -> dense(1)
  a = x -> dense(3)
  output y = (v -> spread(3)) + (a - (a -> mean_features -> spread(3)))"""
BRANCHES = {
    "one number for all features": (3, DUELING),
    "spread between products": (1, "  output y = x -> dense(1) -> spread(3) -> dense(1)"),
    "spread at the end": (3, "  output y = x -> dense(1) -> spread(3)"),
    "spread of one": (1, "  h = x -> dense(1, tanh)\n  output y = (h -> spread(1)) * h"),
    "spread after an activation": (3, "  h = x -> dense(1, tanh)\n  output y = (h -> spread(3)) * (x -> dense(3)) - x"),
    "a sum over features that two read": (
        1, "  h = x -> dense(3, tanh)\n  r = h + (h -> dense(1) -> dense(3))\n  output y = r -> sum_features"
    ),
    "a mean over a concatenation": (1, "  h = x -> dense(1, tanh)\n  output y = concat(x, h) -> mean_features"),
    "a sum over a concatenation": (1, "  h = x -> dense(1, tanh)\n  output y = concat(x, h) -> sum_features"),
    "a sum with a concatenation": (2, "  output y = (x -> dense(2)) + concat(x -> dense(1), x -> dense(1, tanh))"),
    "a product with a concatenation": (
        3, "  h = x -> dense(1, sigmoid)\n  output y = concat(h, x -> dense(2, tanh)) * x - (h -> spread(3))"
    ),
    "a concatenation of concatenations": (
        6, "  h = x -> dense(2, elu)\n  c = concat(h, x -> dense(1, tanh))\n  output y = concat(c, c * x)"
    ),
    "the maximum of a spread": (3, "  h = x -> dense(3)\n  output y = max(h, h -> mean_features -> spread(3))"),
    "a map of several channels": (
        3, "  h = x -> dense(12)\n  output y = h -> reshape([2, 2, 3]) -> conv2d(3, 1) -> flatten -> dense(3)"
    ),
    "normalised branches": (3, "  h = x -> dense(3) -> layernorm\n  output y = h + (h -> sum_features -> spread(3))"),
}  # fmt: skip


def spec(name: str, loss: str) -> str:
    width, model = BRANCHES[name]
    model = model if loss != "bce" else f"{model.replace('output y', 'z')}\n  output y = z -> sigmoid"
    return SPEC.format(width=width, model=model, loss=loss)


@pytest.mark.parametrize("loss", ["mse", "l1", "bce"])
@pytest.mark.parametrize("name", BRANCHES)
def test_both_styles_have_the_same_gradients(name: str, loss: str):
    """In batches of a size that no layer has; the verifier runs on each compilation."""
    text = spec(name, loss)
    explain, fast = (module_of(text, style, input_gradients=True) for style in ("explain", "fast"))
    params = explain.init_params(3, np.float64)
    batch = generic_batch({**explain.INPUTS, **explain.TARGETS}, np.random.default_rng(1), 7)
    (loss_1, grads_1), (loss_2, grads_2) = (script.loss_and_grads(params, batch) for script in (explain, fast))
    assert loss_2 == pytest.approx(loss_1, rel=1e-12)
    largest = max(np.abs(g).max() for g in grads_1.values())
    for parameter, gradient in grads_1.items():
        np.testing.assert_allclose(grads_2[parameter], gradient, rtol=1e-10, atol=1e-13 * largest)


def the_first_operand(pool: Pool, value: Any, operands: Any, reading: Any) -> Any:
    """`over` that does not ask who else reads the operand."""
    held = [(v, pool.of[v.id]) for v in operands if v.id in pool.of]
    found = next((v for v, b in held if not b.pinned and b.layout == pool.layout(value)), None)
    if found is not None:
        pool.join(value, pool.of[found.id])
    return found


def without_a_base(placer: Placer, value: Any, source: Any, how: Any) -> None:
    """`alias` that does not say whose numbers a view shows."""
    placer.put(value, Place(how, of=source))


def pieces_of_their_own(placer: Placer, node: Any) -> None:
    """`cut` that gives every piece away with its own last read."""
    placer.pool.new(node.out)
    placer.put(node.out, Place("columns", of=node.ins[0], start=node.attrs["start"], stop=node.attrs["stop"]))


def whoever_else_reads(placement: LoopPlacement, held: Any, node: Any, over: Any) -> bool:
    """`_dies` that does not ask who else reads the operand."""
    return True


LOOPS = ("jabberwocky", "sunspots", "number_words")
SABOTAGE = {
    "an operand that others read is overwritten": (Pool, "over", the_first_operand),
    "a view loses its base": (Placer, "alias", without_a_base),
    "a piece of a shared array is given away": (Placer, "cut", pieces_of_their_own),
    "every array of a loop is given away": (LoopPlacement, "_dies", whoever_else_reads),
    "a sequence stays where it was": (LoopWriter, "_stage", lambda writer: None),
}


@pytest.mark.parametrize("what", SABOTAGE)
def test_a_planner_without_one_of_its_rules_is_found(what: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(*SABOTAGE[what])
    texts = [spec(name, loss) for name in BRANCHES for loss in ("mse", "bce")]
    with pytest.raises(InvalidPlan):
        for text in texts:
            compile_model(model_of(text), Options("fast"), check=True)
        for name in LOOPS:
            compile_spec(str(SPECS / f"{name}.nn"), Options("fast"), check=True)
        raise AssertionError("no spec shows it")
