"""Equations 16 to 26 of lecture 000: a network of two, two and one unit, as the lecture derives its gradients.

The lecture writes examples as columns and W as [out, in]; here they are rows, and W is [in, out].
"""

import numpy as np
import pytest
from equations.evaluate import Evaluation
from equations.reader import Reader
from support import model_of

from dotnn.commands.explaining.script import explanation
from dotnn.ir.maths.plain import PLAIN
from dotnn.session import Compilation

TEXT = """model O {
  input  x: [2]
  target y: [1]
  output p = x -> dense(2, sigmoid) -> dense(1, sigmoid)
}
train { loss = bce(p, y, reduce = sum) }"""


def sigma(z):
    return 1 / (1 + np.exp(-z))


@pytest.fixture(scope="module")
def said():
    """The printed equations as functions of the values in them, by the symbol on the left."""
    derivation = explanation(Compilation.of(model_of(TEXT))).derivation
    texts = {PLAIN.symbol(symbol, []): name for name, symbol in derivation.symbols.items()}
    reader = Reader(texts, derivation.ranks)
    equations = [e for part in derivation.parts for s in part.statements for e in s.equations if e.value]

    def evaluate(symbol, values):
        equation = next(e for e in equations if derivation.sides(e, PLAIN)[0].partition("[")[0] == symbol)
        left, right = reader.equation(derivation.written(equation, PLAIN))
        arrays = {texts[name]: value for name, value in values.items()}
        return Evaluation(arrays, equation.extents, 1).result(left, right)

    return evaluate, equations


def test_gradients(said):
    evaluate, _ = said
    rng = np.random.default_rng(3)
    x, y, w2, w3 = rng.normal(size=(2, 1)), 1.0, rng.normal(size=(2, 2)), rng.normal(size=(1, 2))
    b2, b3 = rng.normal(size=(2, 1)), rng.normal(size=(1, 1))
    z2 = w2 @ x + b2
    a2 = sigma(z2)
    z3 = w3 @ a2 + b3
    a3 = sigma(z3)
    d_z3 = (a3 - y).T  # Eq. 23, as Eq. 26 uses it
    d_z2 = d_z3 @ w3 @ np.diag((a2 * (1 - a2))[:, 0])  # Eq. 24 and 25
    lecture = {
        "z¹": z2.T, "a¹": a2.T, "z²": z3.T, "a²": a3.T, "δ²": d_z3, "δ¹": d_z2, "∂E/∂a¹": d_z3 @ w3,
        "∂E/∂W²": (a2 @ d_z3), "∂E/∂W¹": (x @ d_z2), "∂E/∂b²": d_z3[0], "∂E/∂b¹": d_z2[0],
        "E": -(y * np.log(a3) + (1 - y) * np.log(1 - a3))[0, 0],
    }  # fmt: skip
    given = {"x": x.T, "y": np.array([[y]]), "W¹": w2.T, "b¹": b2[:, 0], "W²": w3.T, "b²": b3[0]} | lecture
    for symbol, value in lecture.items():
        np.testing.assert_allclose(np.reshape(evaluate(symbol, given), np.shape(value)), value, rtol=1e-12)


def test_rules_and_shapes(said):
    """Each equation has the rule of the lecture that it comes from."""
    _, equations = said
    rules = [equation.rule.partition(":")[0].partition(",")[0] for equation in equations]
    assert rules == ["FE1", "FE2", "FE1", "FE2", "the loss", "BE1", "BE3", "BE4", "BE2", "BE2", "BE3", "BE4"]
    shapes = [equation.shape for equation in equations[5:]]
    assert shapes == ["[B, 1]", "[2, 1]", "[1]", "[B, 2]", "[B, 2]", "[2, 2]", "[2]"]
