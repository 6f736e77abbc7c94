"""Activations that a spec defines, against the language's own and against NumPy; their slopes by the complex step."""

import ast
import math

import numpy as np
import pytest
from support import STYLES, assert_gradients, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees

from dotnn.core.diagnostics import Source
from dotnn.model.identity import network_identity
from dotnn.session import Compilation

AGAIN = {
    "identity": "mine(z) = z",
    "sigmoid": "mine(z) = 1 / (1 + exp(-z))",
    "tanh": "mine(x) = (exp(x) - exp(-x)) / (exp(x) + exp(-x))",
    "tanh()": "mine(z) = 2 * sigmoid(2 * z) - 1",
    "relu": "mine(z) = max(z, 0)",
    "relu()": "mine(z) = where(z > 0, z, 0)",
    "leaky_relu(0.3)": "mine(z, slope = 0.3) = max(z, 0) + slope * min(z, 0)",
    "elu(0.7)": "mine(z, alpha = 0.7) = where(z > 0, z, alpha * (exp(min(z, 0)) - 1))",
    "gelu": "mine(z) = 0.5 * z * (1 + tanh((2 / 3.141592653589793)^0.5 * (z + 0.044715 * z^3)))",
    "silu": "mine(z) = z / (1 + exp(-z))",
    "softplus": "mine(z) = log(1 + exp(z))",
    "threshold(0.1)": "mine(z, at = 0.1) = where(z >= at, 1, 0)",
}
"""Activations of the language, defined once more."""


def network(definition, act):
    """A network that has an activation in a layer, and behind it."""
    return f"""{definition}
    model M {{
      input  x: [3]
      target t: [2]
      h = x -> dense(4, {act})
      g = h -> {act} -> dense(5)
      output y = concat(g, x) -> dense(2)
    }}
    train {{ loss = mse(y, t)  optim = adam(0.05) }}"""


@pytest.mark.parametrize("built_in", AGAIN)
@pytest.mark.parametrize("style", STYLES)
def test_defined_again(built_in, style):
    ours = module_of(network(f"activation {AGAIN[built_in]}", "mine"), style)
    theirs = module_of(network("", built_in.removesuffix("()")), style)
    params, batch = generic_point(theirs, 1)
    np.testing.assert_allclose(
        ours.forward(params, batch)[0]["y"], theirs.forward(params, batch)[0]["y"], rtol=1e-12, atol=1e-13
    )
    found, wanted = gradients(ours, params, batch), gradients(theirs, params, batch)
    for name in wanted:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-11, atol=1e-12, err_msg=name)
    data = {name: np.float32(v) for name, v in batch.items()}
    trained = [m.train(data, epochs=5, seed=3, dtype=np.float64)[1][-1]["loss"] for m in (ours, theirs)]
    np.testing.assert_allclose(*trained, rtol=1e-12)


DEFINED = {
    "mish(z) = z * tanh(softplus(z))": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "selu(z) = 1.0507009873554805 * where(z > 0, z, 1.6732632423543772 * expm1(min(z, 0)))": lambda z: (
        1.0507009873554805 * np.where(z > 0, z, 1.6732632423543772 * np.expm1(np.minimum(z, 0)))
    ),
    "hard_sigmoid(z) = clip(0.2 * z + 0.5, 0, 1)": lambda z: np.clip(0.2 * z + 0.5, 0, 1),
    "snake(z, a = 3) = z + sin(a * z)^2 / a": lambda z: z + np.sin(3 * z) ** 2 / 3,
    "gauss(z, s = 0.7 in 0.1..2) = exp(-z^2 / (2 * s^2))": lambda z: np.exp(-(z**2) / (2 * 0.49)),
    "root(z) = sign(z) * sqrt(abs(z) + 1) - sign(z)": lambda z: np.sign(z) * (np.sqrt(np.abs(z) + 1) - 1),
    "softsign(z) = z / (1 + abs(z))": lambda z: z / (1 + np.abs(z)),
    "bent(z) = (sqrt(z^2 + 1) - 1) / 2 + z": lambda z: (np.sqrt(z * z + 1) - 1) / 2 + z,
    "band(z) = where(z > -1 and not z >= 1 or z == 3, z^3 / 3, z mod 2)": lambda z: np.where(
        (z > -1) & (z < 1), z**3 / 3, z % 2
    ),
    "numbers(z, a = 2) = z * sigmoid(a) + softplus(a) * where(not a > 3 and a > 1, 1, 0) * z + z * erf(a) * abs(a)": (
        lambda z: z / (1 + np.exp(-2)) + np.log1p(np.exp(2)) * z + z * 2 * math.erf(2)
    ),
    "shift(x, z = 3) = x + z * 0.1": lambda x: x + 0.3,
    "lambda(np, d = 2) = leaky_relu(np, 0.3) / d + elu(np * d)": lambda z: (
        np.where(z > 0, z, 0.3 * z) / 2 + np.where(z > 0, 2 * z, np.expm1(2 * np.minimum(z, 0)))
    ),
    "shifted(z, a = 1) = leaky_relu(relu(a)) + z": lambda z: 1 + z,
}


@pytest.mark.parametrize("definition", DEFINED)
@pytest.mark.parametrize("style", STYLES)
def test_defined(definition, style):
    name = definition.partition("(")[0]
    module = module_of(network(f"activation {definition}", name), style, input_gradients=True)
    params, batch = generic_point(module, 2)
    f = DEFINED[definition]
    h = f(batch["x"] @ params["h.W"] + params["h.b"])
    g = f(h) @ params["g.W"] + params["g.b"]
    y = np.concatenate([g, batch["x"]], 1) @ params["y.W"] + params["y.b"]
    np.testing.assert_allclose(module.forward(params, batch)[0]["y"], y, rtol=1e-12, atol=1e-13)
    assert_gradients(module, params, batch)
    single = [{n: np.float32(v) for n, v in table.items()} for table in (params, batch)]
    assert {g.dtype.name for g in gradients(module, *single).values()} == {"float32"}


def test_tensorflow_computes_the_same():
    """All definitions in one network, also inside a recurrent layer."""
    again = [text.replace("mine", f"mine{i}") for i, text in enumerate(AGAIN.values()) if "at =" not in text]
    texts = {text.partition("(")[0]: text for text in (*DEFINED, *again)}
    lines = [f"{name}1 = x -> dense(2, {name}) -> {name}" for name in texts]
    spec = f"""{chr(10).join(f"activation {text}" for text in texts.values())}
    model M {{ input x: [3]  input s: [4, 2]  target t: [2]
      {chr(10).join(lines)}
      r = s -> rnn(3, act = mish)
      output y = concat(r, {", ".join(f"{name}1" for name in texts)}) -> dense(2) }}
    train {{ loss = mse(y, t) }}"""
    agrees(model_of(spec), 3)


def test_a_parameter_may_choose_one():
    spec = "activation mine(z, a = 1) = z * a  params { act = mine(3)  other = mine } "
    spec += network("", "act").replace("act -> dense(5)", "other -> dense(5)")
    module = module_of(spec)
    params, batch = generic_point(module, 3)
    h = 3 * (batch["x"] @ params["h.W"] + params["h.b"])
    g = h @ params["g.W"] + params["g.b"]
    y = np.concatenate([g, batch["x"]], 1) @ params["y.W"] + params["y.b"]
    np.testing.assert_allclose(module.forward(params, batch)[0]["y"], y, rtol=1e-12)


def test_what_is_defined_belongs_to_the_identity_of_a_network():
    same = ["mine(z) = z * 2", "mine(q) = q * 2  # a note\n"]
    others = ["mine(z) = z * 3", "mine(z, a = 2) = z * a"]
    found = [network_identity(model_of(network(f"activation {text}", "mine"))) for text in (*same, *others)]
    assert found[0] == found[1]
    assert len({*found}) == 3
    formulas = [network_identity(model_of(network("", "tanh").replace("(g, x)", f"(g / {n}, x)"))) for n in (2, 3)]
    assert formulas[0] != formulas[1]


@pytest.mark.parametrize("target", ["numpy", "tensorflow"])
def test_a_comment_in_a_definition_stays_out_of_scripts(target):
    text = network('activation mine(z) = z + # """ ; raise SystemExit\n 1', "mine")
    for style in STYLES if target == "numpy" else [""]:
        script = Compilation(Source("a.nn", text)).script(target, style)
        defined = [node for node in ast.walk(ast.parse(script)) if isinstance(node, ast.FunctionDef | ast.Raise)]
        assert not any(isinstance(node, ast.Raise) and ast.unparse(node) == "raise SystemExit" for node in defined)
        assert "mine" in {getattr(node, "name", "") for node in defined}


def test_one_that_nothing_uses_is_a_warning():
    begun = Compilation(Source("a.nn", network("activation mine(z) = z  activation other(z) = mine(z)", "tanh")))
    assert ["NN607" in warning and "other" in warning for warning in begun.warnings] == [True]
