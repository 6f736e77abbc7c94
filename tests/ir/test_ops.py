"""Every op alone: the type it infers, and its VJP rule against the complex step of its own NumPy line."""

import re
from functools import cache

import numpy as np
import pytest
from samples import (
    CHOSEN_SPECS,
    DEFINED_SPEC,
    EXPRESSION_SPECS,
    LAYER_SPECS,
    STATEFUL_SPEC,
    WRITTEN_OUT_SPEC,
    layer_spec,
    loss_settings,
    loss_spec,
)
from support import ROOT, STYLES, as_module, complex_gradient, generic_point, model_of, slope

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.interpret import evaluate, run
from dotnn.ir.op import no_gradient
from dotnn.ir.tensor import BATCH
from dotnn.library.ops import OPS
from dotnn.library.penalties import PENALTIES
from dotnn.session import Compilation

OP_SPECS = [
    DEFINED_SPEC,
    STATEFUL_SPEC,
    WRITTEN_OUT_SPEC,
    *(spec for _, spec in (*LAYER_SPECS, *EXPRESSION_SPECS, *CHOSEN_SPECS)),
    *(loss_spec(f"{n}(y, t)", target, stage) for n, target, stage in loss_settings()),
    *(
        layer_spec("x -> dense(2)").replace("mse(y, t)", f"2 * mse(y, t)  decay = {p}")
        for p, e in PENALTIES.items()
        if e.op
    ),
    """model M { input x: [4]  target t: [1]  output y = x -> dense(2, threshold) -> dense(1) }
    train { loss = mse(y, t) }""",
]


PUT_TOGETHER = re.compile("conv|rnn|lstm|gru|mine")
OP_CASES = [(spec, style) for spec in OP_SPECS for style in STYLES if style == "explain" or PUT_TOGETHER.search(spec)]
"""A fast step has ops of its own where it puts layers together."""


@cache
def begun(spec):
    """The compilation of a spec, whose passes both styles begin with; read by several tests, and changed by none."""
    return Compilation.of(model_of(spec))


def graph_of(spec, style):
    """The finished graph of a spec."""
    return begun(spec).graph(style=style, input_gradients=True)


@cache
def graph_and_values(spec, style):
    """The finished graph of a spec, and the value of everything in it at a random point, in training mode."""
    graph = graph_of(spec, style)
    params, batch = generic_point(as_module(begun(spec).script(), ROOT / "test.nn"), 4, examples=6)
    return graph, run(graph, {**params, **batch}, rng=np.random.default_rng(4))


def test_every_op_is_met_here():
    met = {node.op for case in OP_CASES for node in graph_and_values(*case)[0].all_nodes()}
    assert set(OPS) - met <= {"columns", "pad_columns"}  # only in second derivatives


@pytest.mark.parametrize(("spec", "style"), OP_CASES)
def test_ops_have_the_types_they_infer(spec, style):
    graph, values = graph_and_values(spec, style)
    for node in graph.nodes:
        for out in node.outs:
            shape = shape_of(out)
            assert np.shape(values[out.id]) == shape, node.op
            if out.type.dtype == "real" and shape:
                assert values[out.id].dtype == np.float64, node.op


@pytest.mark.parametrize(("spec", "style"), OP_CASES)
def test_the_rule_of_every_op(spec, style):
    graph, found = graph_and_values(spec, style)
    values = dict(found)
    drawn = {v.id for node in graph.nodes if node.rule.random for v in node.outs}
    drawn |= {node.out.id for node in graph.nodes if is_data(node)}
    rng = np.random.default_rng(5)
    for node in graph.all_nodes():
        if node.rule.vjp is None or node.rule.random:
            continue
        # inside a loop any numbers will do, as long as the result belongs to them
        values |= {v.id: anything(v, rng) for v in node.ins if v.id not in values}
        values.setdefault(node.out.id, evaluate(node, [values[v.id] for v in node.ins], None, True))
        sent = rng.standard_normal(np.shape(values[node.out.id]))
        gradients = by_the_rule(node, values, sent)
        for place, source in enumerate(node.ins):
            if source.type.dtype != "real" or source.role in DATA or source.id in drawn:
                continue
            assert_derivative(gradients[place], node, values, sent, place)


DATA = ("target", "state")
"""What nothing is differentiated with respect to, though it be real."""


def is_data(node):
    """Whether a node makes weights of the examples: of data alone, and without a gradient."""
    given = all(v.role in DATA or v.type.dtype != "real" for v in node.ins)
    return node.rule.vjp is no_gradient and given


def shape_of(value):
    return tuple(6 if size == BATCH else size for size in value.type.shape)


def anything(value, rng):
    if value.type.dtype == "real":
        return rng.standard_normal(shape_of(value))
    return rng.integers(0, 2, shape_of(value)).astype(value.type.dtype)


def by_the_rule(node, values, sent):
    """What the op's VJP rule makes of the cotangent `sent`: an array per operand, None for zero."""
    builder = GraphBuilder(OPS, 10**6)
    seed = builder.value("d", node.out.type)
    cotangents = node.rule.vjp(builder, node, seed)
    env = {**values, seed.id: sent}
    for step in builder.nodes:
        env[step.out.id] = evaluate(step, [env[v.id] for v in step.ins], None, True)
    return [None if cotangent is None else env[cotangent.id] for cotangent in cotangents]


FEW = 12
"""Operands of no more elements are differentiated by each of them, larger ones along directions."""


def assert_derivative(gradient, node, values, sent, place):
    """Compare a gradient by the operand at `place` with complex steps of the sum of `sent` times the op's value."""
    operands = [values[v.id] for v in node.ins]
    at = np.asarray(operands[place])

    def weighted(x):
        return np.sum(sent * evaluate(node, [*operands[:place], x, *operands[place + 1 :]], None, True))

    given, told = np.zeros(at.shape) if gradient is None else gradient, f"{node.op}, operand {place}"
    assert np.shape(given) == at.shape, told
    if at.size <= FEW:
        expected = complex_gradient(weighted, at)
        np.testing.assert_allclose(given, expected, rtol=1e-10, atol=1e-12, err_msg=told)
        return
    rng = np.random.default_rng(6)
    for direction in rng.uniform(0.5, 2, (3, *at.shape)) * rng.choice([-1, 1], (3, *at.shape)):
        terms = given * direction
        expected = slope(weighted, at, direction)
        assert abs(terms.sum() - expected) <= 1e-12 * (1 + np.abs(terms).sum()), told
