"""Specs on which the compiler was once wrong: what random specs found, made small."""

import pytest
from fuzz.trial import attempt

SPECS = {
    "weight decay and no weights": """
model M { input x: [1]  target t: [1]  output y = x }
train { loss = half_sse(y, t)  decay = weight_decay }""",
    "weight decay where all weights have penalties of their own": """
model M { input x: [3]  target t: [2]  output y = x -> dense(2, penalty = l2) }
train { loss = mse(y, t)  decay = weight_decay  batch = 2 }""",
    "a select of tables, as many rows as examples": """
model M {
  input  x: [2]
  input  a: [4, 3]
  input  b: [4, 3]
  target t: [4, 3]
  output y = select(x -> dense(2, softmax), a, b -> dense(3))
}
train { loss = mse(y, t)  batch = all  epochs = 3 }""",
    "a select of single numbers": """
model M { input x: [3]  input a: []  input b: []  target t: []  output y = select(x -> dense(2), a, b -> tanh) }
train { loss = mse(y, t)  batch = 2 }""",
    "a slope of a single number": """
model M { input x: []  target t: [3]  output y = x -> prelu -> flatten -> dense(3) }
train { loss = hinge(y, t)  batch = 2 }""",
    "a feature spread to one": """
model M { input x: [1]  target t: [1]  h = x -> dense(1)  output y = h -> spread(1) -> dense(1) }
train { loss = half_sse(y, t)  batch = 2 }""",
    "a feature spread to one that meets a branch": """
block B { input a: [n]  input b: [1]  s = b -> dense(1) -> spread(1)  o = b -> dense(1)  output y = a * s + o }
model M { input x: [1]  target t: [1]  output y = B(x, x) }
train { loss = bce(y, t)  batch = 2 }""",
    "copies of a block inside a block that is called in an expression": """
block Inner { input x: [1]  output y = x -> dense(1) }
block Outer { input x: [1]  output y = x -> repeat(2, Inner) }
model M { input x: [1]  target t: [1]  h = concat(Outer(x), x)  output y = h -> dense(1) }
train { loss = hinge(y, t)  batch = 2 }""",
    "an LSTM with as many inputs and units as gates": """
model M { input x: [1, 3]  target t: [1]  output y = x -> lstm(1, bias = false) }
train { loss = half_sse(y, t)  batch = 2 }""",
    "an LSTM without a way back, whose gates lie over their pre-activations": """
model M { input x: [1, 1]  target t: [1]  output y = x -> lstm(1) -> stop_gradient }
train { loss = l1(y, t)  batch = 2 }""",
    "an update whose arguments fit on the page, and with `def` do not": """
model M { input x: [1]  target t: [1]  output y = x }
train { loss = sse(y, t)  optim = adamw(beta2 = 0)  decay = weight_decay(0.005) }""",
}


@pytest.mark.parametrize("name", SPECS)
def test_all_agree(name):
    assert attempt(SPECS[name], seed=0)["numbers"] == "ok"
