"""Every formula that the registries hold goes through the tree of expressions and comes out as it was."""

import itertools
import math
from functools import cache

import numpy as np
import pytest
from ir.test_ops import OP_CASES, graph_of

from dotnn.ir.builder import GraphBuilder
from dotnn.ir.expr import DIALECTS, FUNCTIONS, Call, Name, NotAnExpression, Number, Unspellable, parse, spell
from dotnn.ir.expr.derive import NoDerivative, derive
from dotnn.ir.expr.infer import NoType, infer
from dotnn.ir.expr.visit import reads
from dotnn.ir.interpret import evaluate, helper_functions, scope_of_lines
from dotnn.ir.tensor import TensorType
from dotnn.library.constraints import CONSTRAINTS
from dotnn.library.inits import INITS
from dotnn.library.ops.activations import unary
from dotnn.library.optimizers import OPTIMIZERS
from dotnn.library.schedules import SCHEDULES
from dotnn.model.trial import value_of

NUMPY = DIALECTS["numpy"]


@cache
def nodes():
    """Every op in each combination of attributes and ranks that the samples have, with its operands called v0, v1, …"""
    found = []
    for case in OP_CASES:
        for node in (inner for inner in graph_of(*case).all_nodes() if inner.loop is None):
            names = {v.id: f"v{i}" for i, v in enumerate(node.ins)}
            found.append((node, names, node.rule.line(node, lambda v, names=names: names[v.id])))
    return found


def test_every_line_of_an_op_is_spelt_as_it_was_written():
    for node, names, line in nodes():
        otherwise = node.rule.prediction_line(node, lambda v, names=names: names[v.id])
        for text in (line, otherwise):
            assert spell(parse(text), NUMPY, {*node.rule.functions(node), "bool"}) == text, node.op


def test_types_that_are_inferred_from_a_line_are_those_of_the_rule():
    inferred = set()
    for node, names, line in nodes():
        try:
            found = infer(parse(line), {names[v.id]: v.type for v in node.ins})
        except NoType:
            continue
        inferred.add(node.op)
        assert found == node.out.type, (node.op, line)
    assert len(inferred) > 90


@pytest.mark.parametrize(
    "text, types",
    [
        ("a + b", ([4], [3])),
        ("a + b", (["B", 4], ["B", 3, 4])),
        ("a @ b", (["B", 4], [3, 2])),
        ("a.reshape(-1, 3)", (["B", 4],)),
        ("a.sum(axis=2)", (["B", 4],)),
        ("a[:, 4]", (["B", 4],)),
        ("a[0]", (["B", 4],)),
        ('einsum("ij,jk->ik", a, b)', (["B", 4], [3, 2])),
        ("np.concatenate([a, b], axis=-1)", (["B", 4], ["B", 2, 4])),
        ("huber(a, 1)", ([4],)),
    ],
)
def test_shapes_that_do_not_fit_are_refused(text, types):
    with pytest.raises(NoType):
        infer(parse(text), {n: TensorType(tuple(t)) for n, t in zip("ab", types, strict=False)})


@pytest.mark.parametrize(
    "text, types, expected",
    [
        ("a - a.mean(axis=-1, keepdims=True)", (["B", 4],), ["B", 4]),
        ("a + b", (["B", 3, 4], [4]), ["B", 3, 4]),
        ("2 * a", (["B", 3, 4],), ["B", 3, 4]),
        ("a @ b.T", (["B", 4], [7, 4]), ["B", 7]),
        ("a @ b", (["B", 2, 3, 4], ["B", 2, 4, 5]), ["B", 2, 3, 5]),
        ("a[:, 1:3, None, -1]", (["B", 4, 5],), ["B", 2, 1]),
        ("a.sum()", (["B", 4],), []),
        ("where(a > 0, a, 0)", (["B", 4],), ["B", 4]),
    ],
)
def test_shapes_of_what_users_write(text, types, expected):
    found = infer(parse(text), {n: TensorType(tuple(t)) for n, t in zip("ab", types, strict=False)})
    assert found == TensorType(tuple(expected))


def _optimizer_lines():
    for name, entry in OPTIMIZERS.items():
        defaults = {a.name: a.default for a in entry.args}
        for momentum in (0, 0.9):
            attrs = {**defaults, "momentum": momentum} if "momentum" in defaults else defaults
            for lines in (entry.equations, entry.fast_equations):
                yield from ((name, line) for line in (lines(attrs) if lines else ()))


@pytest.mark.parametrize("name, found", list(_optimizer_lines()))
def test_equations_of_optimizers_mean_the_same_in_numpy_and_in_plain_numbers(name, found):
    values = {n: 0.2 + i / 20 for i, n in enumerate(reads(found.value))} | {"g": -0.3, "t": 3.0}
    known = {**vars(math), "sign": np.sign, "maximum": max, "minimum": min, **values}
    expected = eval(str(found.value).replace("^", "**"), known)
    assert eval(spell(found.value, NUMPY), {"np": np, "math": math, **values}) == pytest.approx(expected, rel=1e-15)
    assert eval(spell(found.value, DIALECTS["math"]), {"math": math, "np": np, **values}) == expected


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_mean_the_same_in_plain_numbers(name):
    entry = SCHEDULES[name]
    given = {"step": 7, "steps": 50, "lr": 0.3, "warmup": 5, "end": 0.01, "factor": 0.5, "every": 3.0, "rate": 0.9}
    given |= {"over": 4, "div": 25.0, "final_div": 1e4, "least": 0.01, "base": 0.05, "power": 1.5, "most": 0.5}
    for known in (given, given | {"step": 2}):
        ours, python = dict(known), {**known, "cos": math.cos, "pi": math.pi}
        for found in entry.equations:
            ours[found.target] = eval(spell(found.value, DIALECTS["math"]), {"math": math, **ours})
            line = str(found).replace("^", "**")
            exec(line, python)
            assert ours[found.target] == python[found.target], line


def test_lines_of_constraints_and_initialisers_are_formulas():
    for entry in CONSTRAINTS.values():
        text = entry.written("w", {a.name: 0.5 for a in entry.args}, (3, 4))
        assert spell(parse(text), NUMPY, {entry.helper}) == text
    for entry in INITS.values():
        if entry.numpy is not None:
            attrs = {a.name: a.default if isinstance(a.default, str | float | int) else 0.1 for a in entry.args}
            parse(entry.line((3, 4), attrs))


def test_the_rule_of_an_elementwise_op_is_the_derivative_of_its_line():
    """Where the tree can differentiate a line, the op's own slope is that derivative."""
    checked, rng = set(), np.random.default_rng(3)
    slopes = {(n.op, repr(n.attrs)): n for n, _, _ in reversed(nodes())}
    distinct = {(n.op, repr(n.attrs), line): (n, names, line) for n, names, line in reversed(nodes())}
    for node, names, line in distinct.values():
        slope = slopes.get((f"{node.op}_derivative", repr(node.attrs)))
        if slope is None or len(node.ins) != 1 or not node.rule.elementwise:
            continue
        try:
            found = derive(parse(line), names[node.ins[0].id])
        except (NoDerivative, NotAnExpression):
            continue
        _agree(slope, found, rng.standard_normal(20), line)
        checked.add(node.op)
    assert {"tanh", "sigmoid", "relu", "silu", "softplus", "elu"} <= checked


def _agree(slope, found, z, line):
    known = {"np": np, "math": math, **helper_functions(), "v0": z}
    operand = z if "z" in slope.rule.operands else eval(line, known)
    expected = evaluate(slope, [np.ones_like(z), operand], None, True)
    actual = eval(spell(found, NUMPY, helper_functions()), known) * np.ones_like(z)
    np.testing.assert_allclose(actual, expected, rtol=1e-12)


@pytest.mark.parametrize(
    "line", ["sin(z)", "z / (1 + abs(z))", "z * tanh(log(1 + exp(z)))", "where(z > 0, z, 0.3 * z)"]
)
def test_an_activation_without_a_derivative_line_gets_one(line):
    forward, backward = unary("probe", line)
    ops = {"probe": forward, "probe_derivative": backward}
    builder = GraphBuilder(ops, 0)
    z, sent = builder.value("z", TensorType(("B",))), builder.value("d", TensorType(("B",)))
    a = builder.emit("probe", z)
    (slope,) = forward.vjp(builder, builder.nodes[0], sent)
    points = np.linspace(-2, 1.7, 9)
    values = {z.id: points + 1e-30j, sent.id: np.full(9, 3.0)}
    values[a.id] = evaluate(builder.nodes[0], [values[z.id]], None, True)
    found = evaluate(builder.nodes[1], [np.real(values[v.id]) for v in builder.nodes[1].ins], None, True)
    assert slope.id == builder.nodes[1].out.id
    np.testing.assert_allclose(found, 3 * np.imag(values[a.id]) / 1e-30, rtol=1e-12)


@pytest.mark.parametrize("name", [name for name, f in FUNCTIONS.items() if f.elementwise and "*" not in f.operands])
def test_no_target_writes_an_operand_more_often_than_the_limit_of_formulas_counts(name):
    """Operands are an array, or beside it a number: targets have idioms for bounds that are one."""
    function = FUNCTIONS[name]
    for numbers in itertools.product([False, True], repeat=max(len(function.operands) - 1, 0)):
        arrays = [Call("sin", (Name(f"q{i}"),)) for i in range(3)]
        operands = [arrays[0], *(Number(7) if n else array for n, array in zip(numbers, arrays[1:], strict=False))]
        call = Call(name, tuple(operands[: len(function.operands)]))
        for dialect in DIALECTS.values():
            try:
                text = spell(call, dialect)
            except Unspellable:
                continue
            assert max(text.count(f"sin(q{i})") for i in range(3)) <= function.copies, text


@pytest.mark.parametrize("name", [n for n, f in FUNCTIONS.items() if f.elementwise and "math" in f.spellings])
def test_a_function_of_plain_numbers_gives_what_it_gives_for_arrays(name):
    operands = [Number(0.3 + 0.2 * i) for i, _ in enumerate(o for o in FUNCTIONS[name].operands if o != "*")]
    call = Call(name, tuple(operands))
    expected = (
        math.pi if name == "pi" else round(0.3) if name == "round" else eval(spell(call, NUMPY), scope_of_lines())
    )
    assert value_of(call, {}) == pytest.approx(float(expected), rel=1e-15)
