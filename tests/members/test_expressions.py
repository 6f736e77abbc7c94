"""Expressions of the language against NumPy and SciPy, and their gradients against the complex step."""

import numpy as np
import pytest
import scipy.special
from samples import EXPRESSIONS, layer_spec
from support import STYLES, assert_gradients, forward_values, generic_point, gradients, model_of, module_of
from tensorflow_target.test_parity import agrees


def expected(text: str, values: dict) -> np.ndarray:
    """What NumPy makes of an expression."""
    return eval(EXPRESSIONS[text], {"np": np, "scipy": scipy, **values})


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_values(text):
    module = module_of(layer_spec(text))
    params, batch = generic_point(module, 1)
    values = forward_values(module, params, batch)
    operands = {name: values[name] if name in values else batch[name] for name in ("x", "u", "v", "table")}
    np.testing.assert_allclose(values["made"], expected(text, operands), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("text", EXPRESSIONS)
@pytest.mark.parametrize("style", STYLES)
def test_gradients(text, style):
    module = module_of(layer_spec(text), style, input_gradients=True)
    assert_gradients(module, *generic_point(module, 2))


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_both_styles_keep_the_precision(text):
    """Nothing turns numbers of single precision into double ones."""
    for style in STYLES:
        module = module_of(layer_spec(text), style)
        params, batch = generic_point(module, 3)
        single = [{name: np.float32(v) for name, v in table.items()} for table in (params, batch)]
        assert {g.dtype.name for g in gradients(module, *single).values()} == {"float32"}


KINKS = {
    "max(x, 0)": 0.0,
    "max(0, x)": 0.0,
    "min(x, 0)": 0.0,
    "abs(x)": 0.0,
    "clip(x, 0, 1)": 0.0,
    "max(x, 2 * x)": 1.0,
    "where(x > 0, 3 * x, x)": 1.0,
    "floor(x) + x": 1.0,
    "sign(x)": 0.0,
}
"""Slopes at 0, as the manual states them."""


@pytest.mark.parametrize("text", KINKS)
@pytest.mark.parametrize("style", STYLES)
def test_slopes_at_kinks(text, style):
    spec = f"""model M {{ input r: [1]  target t: [1]  x = r -> dense(1)  output y = {text} }}
    train {{ loss = sse(y, t) }}"""
    module = module_of(spec, style)
    params = {"x.W": np.ones((1, 1)), "x.b": np.zeros(1)}
    batch = {"r": np.zeros((2, 1)), "t": np.array([[-3.0], [-5.0]])}
    y = module.forward(params, batch)[0]["y"]
    slope = gradients(module, params, batch)["x.b"] / (2 * (y - batch["t"])).sum()
    np.testing.assert_allclose(slope, KINKS[text])


def test_a_name_stays_a_name():
    """What is a function only before brackets may name a value, and a block may be called so."""
    spec = """block exp { input x: [n]  output x -> dense(n) }
    model M { input log: [2]  target t: [2]  mean = log + 1  floor = exp(mean)  output y = log(floor) * floor }
    train { loss = mse(y, t) }"""
    with pytest.raises(Exception, match="value"):  # a value is called, as before
        module_of(spec)
    module = module_of(spec.replace("log(floor)", "sqrt(floor^2 + 1)"))
    params, batch = generic_point(module, 4)
    assert set(module.PARAMS) == {"floor.dense1.W", "floor.dense1.b"}
    f = (batch["log"] + 1) @ params["floor.dense1.W"] + params["floor.dense1.b"]
    np.testing.assert_allclose(module.forward(params, batch)[0]["y"], np.sqrt(f**2 + 1) * f, rtol=1e-12)


def test_the_mark_of_a_reduction_travels_with_a_name_inside_a_block():
    spec = """block Standard(eps = 1e-3) { input x: [n]
      mu = mean(x)  d = x - mu  s = sqrt(mean(d^2) + eps)  output d / s }
    model M { input x: [5]  target t: [5]  output y = x -> dense(5) -> Standard(0.5) }
    train { loss = mse(y, t) }"""
    for style in STYLES:
        module = module_of(spec, style)
        params, batch = generic_point(module, 5)
        z = batch["x"] @ params["y.W"] + params["y.b"]
        y = (z - z.mean(1, keepdims=True)) / np.sqrt(z.var(1, keepdims=True) + 0.5)
        np.testing.assert_allclose(module.forward(params, batch)[0]["y"], y, rtol=1e-12)
        assert_gradients(module, params, batch)


def test_tensorflow_computes_the_same():
    """All expressions in one network."""
    made = "\n".join(f"e{i} = {text}\n f{i} = e{i} -> flatten" for i, text in enumerate(EXPRESSIONS))
    names = [word for word in made.split() if word.startswith("f") and word[1:].isdigit()]
    spec = layer_spec("x").replace("made = x", f"{made}\n made = concat({', '.join(names)})")
    agrees(model_of(spec), 3)
