"""Cells, and parameters that stand in expressions, for TensorFlow: gradients and steps of training are the same."""

import keras
import numpy as np
import pytest
from support import as_module, generic_point, model_of

from dotnn.commands.comparing.follow import compare
from dotnn.session import Compilation, Options, compile_model

CELLS = """
cell elman(units, act = tanh) {
  input x: [n]
  state h: [units] = 0
  param W: [n, units]
  param U: [units, units] = orthogonal
  param b: [units]
  next h = act(x @ W + h @ U + b)
  output h
}
cell leaky(k) {
  input x: [n]
  input u: [m]
  state before: [n] = 0
  state h: [k] = 0.5
  param s: [k] = normal(1)
  a = concat(x - before, u) -> dense(k, tanh)
  next before = x
  next h = h / 2 + a
  y = sin(h) * s + a
  output y
}
model M {
  input x: [4, 3]  input tok: int[4]  input s: [3]  target t: [2]
  layer E = elman(3, softplus)
  m = tok -> padding_mask
  a = E(x, mask = m, initial = s)
  b = leaky(x, x, 4, mask = m, returns = sequence, reverse = true)
  c = x -> elman(2, truncate = 2, returns = sequence)
  d = x -> lstm(3, mask = m, initial = a)
  output y = concat(a, final(b), final(c), d, x -> E) -> dense(2)
}
train { loss = mse(y, t)  decay = l2(0.1)  constraint = max_norm(1.5) }
"""
BLOCKS = """
block Mixed(m) {
  input x: [n]
  input u: [k]
  param W: [n, m]
  param V: [k, m]
  param b: [m] = 0.5
  param s: []  = 1.5
  z = u @ V + x @ W + b
  output s * tanh(z) + exp(b) * sin(x @ W) - b / (1 + z^2)
}
model M {
  input x: [4]  input q: [2, 4]  target t: [4]
  layer twice = Mixed(4)
  layer g = gru(3)
  e = x -> dense(3, tanh)
  h = twice(x, twice(x, x))
  output y = (2 * e) @ e.W.T + h + ((q -> g) * e.b) @ e.W.T
}
train { loss = mse(y, t)  decay = l2(0.1)  constraint = max_norm(1.5) }
"""


DEFINITIONS = CELLS.partition("model M")[0]
SILENCED = f"""{DEFINITIONS}
model M {{
  input x: [4, 3]  input tok: int[4]  target t: [2]
  m = tok -> padding_mask
  a = x -> elman(3, dropout = 0.5, recurrent_dropout = 0.4)
  b = leaky(x, x, 4, mask = m, dropout = 0.3, truncate = 2, returns = sequence, reverse = true)
  c = leaky(x, x, 2, recurrent_dropout = 0.5, truncate = 3)
  d = elman(x, 3, softplus, mask = m, recurrent_dropout = 0.5, truncate = 2, returns = sequence)
  output y = concat(a, c, b -> flatten, d -> flatten) -> dense(2)
}}
train {{ loss = mse(y, t) }}
"""
CARRIED = f"""{DEFINITIONS}
model M {{
  input x: [4, 3]  target t: [2]
  output y = concat(leaky(x, x, 3, stateful = true), x -> elman(2, stateful = true, dropout = 0.4)) -> dense(2)
}}
train {{ loss = mse(y, t)  batch = 3  shuffle = false }}
"""


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("text", [CELLS, BLOCKS, SILENCED, CARRIED])
def test_training_is_the_same(text):
    found = compare(Compilation.of(model_of(text)), 6)
    assert found.verdict == "PASS" and found.worst.error < 1e-9


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
@pytest.mark.parametrize("text", [CELLS, SILENCED])
def test_a_model_with_them_is_saved_as_a_whole(text, tmp_path):
    module = as_module(compile_model(model_of(text), Options(target="tensorflow")).script, tmp_path / "m.py")
    params, batch = generic_point(module)
    network = module.build_model(params)
    network.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    assert len(again.variables) == len(network.variables)
    inputs = {name: batch[name] for name in module.INPUTS}
    outputs = [keras.ops.convert_to_numpy(model(inputs)["y"]) for model in (again, network)]
    np.testing.assert_allclose(*outputs, rtol=1e-6)
