"""`--jacobian`: the derivatives of the outputs, beside formulas, and beside the graph run with one value moved."""

import numpy as np
import pytest
from support import SPECS, model_of

from dotnn.commands.explaining.example import worked
from dotnn.commands.explaining.forward_mode import forward_part
from dotnn.commands.explaining.jacobian import jacobians
from dotnn.commands.explaining.script import explanation
from dotnn.ir.interpret import evaluate, evaluate_loop
from dotnn.session import Compilation

SMALL = """model M {
  input  x: [3]
  target t: class[3]
  h = x -> dense(2, tanh)
  z = h -> dense(3)
  output p = softmax(z)
}
data  { x = [[1, 2, 3], [-1, 0.5, 2]]  t = [0, 2] }
train { loss = cross_entropy(p, t)  batch = all }"""


@pytest.fixture(scope="module")
def small():
    found = explanation(Compilation.of(model_of(SMALL)))
    return found, worked(found, 2, None)


def test_softmax(small):
    """Of softmax: diag(p) - p pᵀ."""
    found, example = small
    (jacobian,) = jacobians(found, example, "z")
    p = example.values.whole["p"][1]
    np.testing.assert_allclose(jacobian.matrix, np.diag(p) - np.outer(p, p), atol=1e-15)


def test_layers(small):
    """A product of the Jacobians of the layers (the chain rule), each written down by hand."""
    found, example = small
    p, h = (example.values.whole[name][1] for name in ("p", "h"))
    of_softmax = np.diag(p) - np.outer(p, p)
    by_h = of_softmax @ example.before["z.W"].T
    by_x = by_h @ np.diag(1 - h**2) @ example.before["h.W"].T
    for name, matrix in (("h", by_h), ("x", by_x)):
        (jacobian,) = jacobians(found, example, name)
        np.testing.assert_allclose(jacobian.matrix, matrix, rtol=1e-12, atol=1e-15)


def test_forward_mode(small):
    """Forward from an input to the loss comes what comes back to it; on the way, the matrix."""
    found, example = small
    (table,) = forward_part(found, example, "x").tables
    rows = {(symbol, unit): np.array(cells) for symbol, unit, *cells in table.rows}
    back = example.values.whole["d_h_z"][1] @ example.before["h.W"].T
    np.testing.assert_allclose(rows["E", ""], back, rtol=1e-12)
    for j in range(2):
        np.testing.assert_allclose(rows["z¹", f"[{j}]"], example.before["h.W"][:, j], rtol=1e-12)
    (jacobian,) = jacobians(found, example, "x")
    np.testing.assert_allclose([rows["a³", f"[{j}]"] for j in range(3)], jacobian.matrix, rtol=1e-12)


def moved_by_hand(found, example, value, push):
    """The outputs of the graph, node by node, with something added to a value."""
    graph, given = found.graph, {**example.before, **example.batch}
    tables = (graph.params, graph.state, graph.inputs, graph.targets)
    env = {v.id: given[name] for table in tables for name, v in table.items()}
    for node in graph.phase("forward"):
        read = [env[v.id] for v in node.ins]
        made = evaluate_loop(node, read, None, True) if node.loop else [evaluate(node, read, None, True)]
        env |= {v.id: one + push if v.id == value.id else one for v, one in zip(node.outs, made, strict=True)}
    return {name: env[v.id] for name, v in graph.outputs.items()}


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        ("residual_mlp", "h.Residual1"),
        ("residual_mlp", "h.Residual2"),
        ("residual_mlp", "h.Residual2.f.dense1"),
        ("lenet", "c2"),
        ("shared_weights", "distance"),
        ("adder", "bit.gru1"),
        ("jabberwocky", "p.lstm1"),
        ("sunspots", "y.rnn1"),
        ("translation", "read"),
        ("translation", "said"),
        ("word_parts", "forward"),
        ("word_parts", "backward"),
    ],
)
def test_a_value_in_a_block(spec, name):
    """One function serves all copies of a block: it is this copy's value that is moved."""
    beside_the_graph(explanation(Compilation.read(str(SPECS / f"{spec}.nn"))), name)


TWICE = """model M {
  input  x: [4, 3]
  target t: [2]
  a = x -> gru(3, returns = sequence)
  b = a -> gru(3, returns = sequence)
  output y = b -> flatten -> dense(2)
}
data  { x = [[[1, 0, 2], [0, 1, 1], [1, 1, 0], [2, 0, 1]]]  t = [[1, 0]] }
train { loss = mse(y, t) }"""


@pytest.mark.parametrize("name", ["a", "b"])
def test_a_loop_of_a_function_that_runs_twice(name):
    beside_the_graph(explanation(Compilation.of(model_of(TWICE))), name)


def beside_the_graph(found, name):
    """Compare some columns with the graph, node by node."""
    example = worked(found, 1, None)
    value = found.graph.steps[name]
    for jacobian in jacobians(found, example, name):
        shape = example.values.whole[value.name].shape
        places = [*np.ndindex(shape[1:])]
        for column in (0, len(places) // 2, len(places) - 1):
            push = np.zeros(shape, complex)
            push[(example.row, *places[column])] = 1e-20j
            outputs = moved_by_hand(found, example, value, push)[jacobian.output][example.row]
            slopes = np.ravel(np.imag(outputs)) / 1e-20
            np.testing.assert_allclose(jacobian.matrix[:, column], slopes, rtol=1e-10, atol=1e-14)
