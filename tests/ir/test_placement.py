"""The placement of a fast step changes no number, and knows no op by its name."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from support import SPECS, as_module, model_of

from dotnn.ir.node import Node
from dotnn.ir.op import same_as_first
from dotnn.library.ops import OPS, Op
from dotnn.passes.simplify import drop_unread
from dotnn.session import Options, compile_spec, lower
from dotnn.targets.numpy.fast import emitter
from dotnn.targets.numpy.fast.placement.batch import place
from dotnn.targets.numpy.fast.placement.describe import describe
from dotnn_runtime.script.selfcheck import generic_batch

NEVER_TAKEN_OVER = partial(place, reuse=False)


@pytest.mark.parametrize("path", sorted(SPECS.glob("*.nn")), ids=lambda path: path.stem)
def test_without_taking_over_every_number_stays(path: Path, monkeypatch: pytest.MonkeyPatch):
    """Bit by bit: which memory a value has changes no number."""
    found = []
    for placing in (place, NEVER_TAKEN_OVER):
        monkeypatch.setattr(emitter, "place", placing)
        script = as_module(compile_spec(str(path), Options("fast")).script, path)
        params = script.init_params(3, np.float32)
        batch = generic_batch({**script.INPUTS, **script.TARGETS}, np.random.default_rng(1), 7)
        with np.errstate(all="ignore"):
            found.append(script.loss_and_grads(params, batch, rng=np.random.default_rng(2)))
    (loss, grads), (other, others) = found
    assert loss == other or np.isnan([loss, other]).all()
    for name, gradient in grads.items():
        np.testing.assert_array_equal(others[name], gradient, err_msg=name)


BENT = Op("bent", ("z",), same_as_first, "tanh(z)", elementwise=True, as_tanh=(1, 1, 0))
SPLIT = Op("split", ("x",), OPS["columns"].infer, "x[..., start:stop]", cuts=True)
KNOWN = {"tanh": BENT, "columns": SPLIT}


def places_of(spec: str, other: dict[str, Op]) -> tuple[dict[str, str], set[str]]:
    """Where every value lives, by its name, if these ops stand for known ones; and which layers fold a bias in."""
    graph = lower(model_of(spec), style="fast")

    def renamed(node: Node) -> Node:
        loop = replace(node.loop, nodes=tuple(map(renamed, node.loop.nodes))) if node.loop else None
        return replace(node, rule=other.get(node.op, node.rule), loop=loop)

    placed = place(drop_unread(graph.with_nodes(map(renamed, graph.nodes))))
    lines = [line.split(None, 1) for line in describe(placed).splitlines() if ": [" in line]
    return dict(map(tuple, lines)), {n.out.name for n in placed.folded.values()}


@pytest.mark.parametrize(
    "network",
    [
        "output y = x -> dense(4, tanh) -> dense(3, tanh) -> dense(2)",
        "h = x -> dense(4, tanh)\n  output y = select(x -> dense(2), h, h -> tanh) -> dense(2)",
        "output y = x -> reshape([3, 1]) -> lstm(4) -> dense(3, tanh) -> dense(2)",
        "output y = x -> reshape([3, 1]) -> rnn(4, returns = sequence) -> rnn(3) -> dense(3, tanh) -> dense(2)",
    ],
)
def test_a_new_op_is_placed_by_what_it_says_of_itself(network: str):
    """It takes over memory, carries a bias and is cut as the op of which all is known."""
    spec = f"model M {{ input x: [3]  target t: [2]\n  {network} }} train {{ loss = mse(y, t) }}"
    expected, found = places_of(spec, {}), places_of(spec, KNOWN)
    assert found == expected
    assert expected[1], "a bias is folded in"
    assert any("over" in where for where in expected[0].values())
