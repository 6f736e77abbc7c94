"""What the fast style makes of a graph before it writes it: the interpreter finds the same numbers after each pass, and
no pass knows an op by its name."""

from dataclasses import replace

import numpy as np
import pytest
from samples import LAYER_SPECS
from support import generic_point, model_of, module_of

from dotnn.ir.graph import Graph
from dotnn.ir.interpret import run
from dotnn.ir.node import Node
from dotnn.ir.op import same_as_first
from dotnn.ir.verify import verify
from dotnn.library.ops import OPS, Op
from dotnn.passes.join_gates import join_gates
from dotnn.passes.order_gates import order_gates
from dotnn.passes.pack_steps import pack_steps
from dotnn.passes.predict import predict
from dotnn.passes.scale_first import scale_first
from dotnn.passes.sum_after_loops import sum_after_loops
from dotnn.session import lower

RECURRENT = [spec for _, spec in LAYER_SPECS if any(cell in spec for cell in ("rnn", "lstm", "gru"))]
PASSES = (sum_after_loops, join_gates, pack_steps)
OF_PREDICTIONS = (predict, join_gates, pack_steps, order_gates, scale_first)
LSTM = """model M { input x: [5, 3]  target t: [2]  output y = x -> lstm(4) -> dense(2) }
train { loss = mse(y, t) }"""


def results(graph: Graph, spec: str) -> dict[str, np.ndarray]:
    params, batch = generic_point(module_of(spec), 4, examples=6)
    found = run(graph, {**params, **batch}, rng=np.random.default_rng(4))
    return {name: found[v.id] for name, v in graph.grads.items()}


@pytest.mark.parametrize("spec", RECURRENT)
def test_every_pass_leaves_the_numbers(spec):
    graph = lower(model_of(spec), input_gradients=True)
    expected = results(graph, spec)
    for step in PASSES:
        graph = step(graph)
        verify(graph)
        for name, gradient in results(graph, spec).items():
            np.testing.assert_allclose(gradient, expected[name], rtol=1e-10, atol=1e-13, err_msg=f"{step.name} {name}")


@pytest.mark.parametrize("spec", RECURRENT)
def test_every_pass_of_predictions_leaves_the_numbers(spec):
    graph = lower(model_of(spec))
    params, batch = generic_point(module_of(spec), 4, examples=6)
    whole = run(graph, {**params, **batch}, training=False)
    expected = {name: whole[v.id] for name, v in graph.outputs.items()}
    for step in OF_PREDICTIONS:
        graph = step(graph)
        verify(graph)
        found = run(graph, {**params, **batch}, training=False)
        for name, value in expected.items():
            np.testing.assert_allclose(found[graph.outputs[name].id], value, rtol=1e-11, atol=1e-14, err_msg=step.name)


def test_gates_of_one_activation_are_one_block():
    """The output gate of an LSTM comes behind the other sigmoids, and the weights follow."""
    graph = lower(model_of(LSTM))
    for step in OF_PREDICTIONS:
        graph = step(graph)
    (act,) = (n for n in graph.all_nodes() if n.op == "scaled_tanh")
    assert act.attrs["factor"] == (0.5, 0.5, 0.5, 1)
    weights = [n for n in graph.nodes if n.op == "scale_columns"]
    assert [n.attrs["columns"] for n in weights] == 3 * [((0, 8), (12, 16), (8, 12))], "W, U and b"


def with_other_ops(graph: Graph, other: dict[str, Op]) -> Graph:
    """The same graph by ops of other names."""

    def renamed(node: Node) -> Node:
        loop = replace(node.loop, nodes=tuple(map(renamed, node.loop.nodes))) if node.loop else None
        return replace(node, rule=other.get(node.op, node.rule), loop=loop)

    return graph.with_nodes(map(renamed, graph.nodes))


def ops_of(graph: Graph) -> list[str]:
    return sorted(node.op for node in graph.all_nodes())


def test_no_pass_knows_an_op_by_its_name():
    """A layer of new ops is put together as the known one is, by what the ops say of themselves."""
    graph = lower(model_of(LSTM))
    traits = {
        "sigmoid": Op(
            "logistic",
            ("v",),
            same_as_first,
            "sigmoid(v)",
            helpers=("sigmoid",),
            elementwise=True,
            as_tanh=(0.5, 0.5, 0.5),
        ),
        "affine": Op("dense", ("a", "V", "c"), OPS["affine"].infer, "c + a @ V"),
        "step_affine": Op("recur", ("u", "s", "R"), same_as_first, "s @ R + u"),
        "affine_d_weight": replace(OPS["affine_d_weight"], name="outer"),
        "sum_examples": replace(OPS["sum_examples"], name="total"),
        "pass_on": replace(OPS["pass_on"], name="again"),
        "zero_state": replace(OPS["zero_state"], name="from_nothing"),
    }
    other = with_other_ops(graph, traits)
    assert not set(ops_of(other)) & set(traits), "every one of them is met"
    for step in PASSES:
        graph, other = step(graph), step(other)
        verify(other)
        assert len(ops_of(graph)) == len(ops_of(other)), step.name
    assert {"scaled_tanh", "join_with_one", "stack_rows", "rows"} <= set(ops_of(other))
    for name, gradient in results(other, LSTM).items():
        np.testing.assert_allclose(gradient, results(graph, LSTM)[name], rtol=1e-10, err_msg=name)
