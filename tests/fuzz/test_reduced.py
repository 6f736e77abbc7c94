"""Specs on which the compiler was once wrong: what random specs found, made small."""

import pytest
from fuzz.trial import attempt

SPECS = {
    "batches that stay as they are where all examples are one": """
model M { input x: [2]  target t: [1]  output y = x -> dense(1) }
train { loss = mse(y, t)  batch = all  shuffle = batches }""",
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
    "log-softmax of a weight, twice in one penalty": """
penalty p(w) = sum(log(softmax(w)) + log(softmax(w)) / 2)
model M { input x: [2]  target t: [3]  output y = x -> dense(3, penalty = p) }
train { loss = mse(y, t) }""",
    "a penalty reduced over the first axis of a weight of one column": """
penalty p(w) = logsumexp(w / sum(w))
model M { input x: [2]  target t: [1]  output y = x -> dense(1, penalty = p) }
train { loss = mse(y, t) }""",
    "the number of the update in the place of an array": """
optimizer own(lr = 0.1) {
  m = where(w > 1, w, t)
  w = lr * (g + m)
}
model M { input x: [1]  target t: [1]  output y = x -> dense(1) }
train { loss = mse(y, t)  optim = own }""",
    "a quotient and a choice of arguments": """
activation own(z, a = 1) = safe(z / a) + where(z > 1, a, 2) * z + where(a > 0, 2, 1)
model M { input x: [3]  target t: [2]  output y = x -> dense(2, own(0.7)) }
train { loss = mse(y, t) }""",
    "functions of an argument alone": """
activation own(z, a = 0.5) = (floor(a) + abs(a) + erf(a) + max(a, 0.2) + z) * z * log1p(a)
model M { input x: [3]  target t: [2]  output y = x -> dense(2, own(0.7)) }
train { loss = mse(y, t) }""",
    "erf in a constraint and in a metric": """
constraint bounded(w, s = 0.9) = s * erf(w)
metric own(y, t) = mean(erf(t) + y)
model M { input x: [1]  target t: [1]  output y = x -> dense(1) }
train { loss = sse(y, t)  constraint = bounded  metrics = [own] }""",
    "a norm at zero, twice in one line": """
model M {
  input x: [4]
  target t: [4]
  v = x - x
  n = v / (1 + sqrt(sum(v^2))) - max(v / (1 + sqrt(sum(v^2))))
  output y = concat(x, n) -> dense(4)
}
train { loss = sse(y, t) }""",
    "a norm at zero, where a branch ties": """
loss own(y, t) = sqrt(sum(y^2)) + mean((y - t)^2)
model M {
  input x: [2]
  target t: [1]
  output y = x -> dense(3, tanh) -> mean_features
}
train { loss = own(y, t) + perceptron(y, t) }""",
    "an absolute value by a root, in a state that begins at zero": """
cell own(units) {
  input x: [n]
  state h: [units] = 0
  param W: [n, units]
  next h = sqrt(h^2) + tanh(x @ W)
  output h
}
model M { input x: [4, 2]  target t: [2]  output y = own(x, 2, truncate = 2) }
train { loss = mse(y, t) }""",
    "an infinite slope, and behind it the place where the gradient is cut": """
cell own(units) {
  input x: [n]
  state h: [units] = 0
  param W: [n, units]
  param U: [units, units]
  z = x @ W + h @ U
  next h = sqrt(h) + z^2
  output h
}
model M { input x: [3, 2]  input s: [2]  target t: [2]
  output y = own(x, 2, initial = (s - s) -> dense(2, bias = false), truncate = 1) }
train { loss = mse(y, t) }""",
    "a choice between 0 and 1 that a slope is added to, in single precision": """
model M { input x: [3]  target t: [3]  output y = (where(x > 0.2, 2, x) + sin(x))^2 + (x -> dense(3)) }
train { loss = mse(y, t) }""",
    "a difference of what is equal, which is the same turned round": """
model M { input x: [3]  target t: [3]  h = x -> dense(3)  output y = h + (h - h) * (h * h) / abs(h * h) }
train { loss = mse(y, t) }""",
    "a step of an activation, in an optimizer": """
activation own(z, a = 0.5) = threshold(z) + a
optimizer mine(lr = 0.1) { w = w - lr * own(g) * g }
model M { input x: [2]  target t: [1]  output y = x -> dense(1) }
train { loss = mse(y, t)  optim = mine }""",
    "the mean of a number": """
loss own(y, t) = mean((y - t)^2) + max(t) - mean(t)
model M { input x: [2]  output y = x -> dense(3) }
train { loss = own(y, 0.5) }""",
    "a long statement in a loop within a loop, broken before it moves to the right": """
block Block1() {
  input  x1: [1]
  layer s6 = lstm(1, returns = sequence, recompute = 1, recurrent_dropout = 0.7)
  v8  = x1 -> reshape([1, 1])
  v10 = v8 -> s6
  output v15 = v10 -> flatten
}
model M { input x: [1]  target t: [1]  output y = Block1(x -> dense(1)) }
train { loss = mse(y, t) }""",
    "a sequence of one step that is computed again, with dropout": """
model M { input x: [1, 2]  target t: [3]  output y = lstm(x, 3, recompute = 1, dropout = 0.3) }
train { loss = mse(y, t) }""",
    "a sequence that is one part of a carried state's": """
model M { input x: [2, 2]  target t: [2, 2]
  output y = x -> gru(2, returns = sequence, recompute = 2, stateful = true) }
train { shuffle = false  loss = mse(y, t) }""",
    "one part of an array, whose name is too long for the line of what is written there": """
block LongBlock {
  input x: [4]
  inner_value = x -> dense(8) -> reshape([4, 2]) -> rnn(1, recompute = 3) -> dense(1)
  output inner_value
}
model M { input x: [4]  target t: [4]
  value = x -> dense(4)
  joined = concat(x, LongBlock(value))
  output y = joined -> dense(4) }
train { loss = mse(y, t) }""",
    "the sign of a number, in single precision": """
activation own(z, a = 1) = sign(a) + z
model M { input x: [3]  target t: [2]  output y = x -> dense(2) -> own }
train { loss = mse(y, t) }""",
    "the root of a number, in a constraint": """
activation own(z, a = 1) = sqrt(1) + a * z
constraint mine(w, s = 1 in 1..2) = s * own(w)
model M { input x: [1]  target t: [1]  output y = x -> dense(1) }
train { loss = mse(y, t)  constraint = mine }""",
    "a long choice between numbers, whose condition does not fit a line": """
activation own1(z, a = 1) = a / z^2 + 0.1 * z
activation own2(z, a = 1) = log(1 - z) + 0.1 * a * z
activation own3(z, a = 0.5) = safe(own1(0.7) * (sqrt((own2(a, a = 2))^2 + 0.3)) / a) + z
activation own4(z, a = 2) = own3(z) + a
model M { input x: [1]  target t: [6]  output y = own4(x) -> dense(6) }
train { loss = huber(y, t) }""",
}


@pytest.mark.parametrize("name", SPECS)
def test_all_agree(name):
    assert attempt(SPECS[name], seed=0) == {"numbers": "ok", "check": "ok"}
