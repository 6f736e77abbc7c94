"""What the language lacks and the standard library has, and what lectures ask for besides: pieces of a few lines.

Each of them trains, is checked, and agrees with TensorFlow.

What it computes is compared with Keras, SciPy or loops of NumPy in `test_standard_*.py`.
"""

import pytest
from fuzz.trial import attempt
from support import model_of
from tensorflow_target.test_parity import agrees

from dotnn.model.linking import libraries, library

MOST = 20
"""So many statements a piece may have, with those of the pieces that it is made of."""
ROW = "h = x -> dense(4, tanh)\n output y = {} -> dense(2)"
STAGE = "h = x -> dense(4, tanh)\n output y = h -> dense(2{})"
ENDS = {
    "activation": ROW.format("h -> dense(3, {0})"),
    "row": ROW.format("h -> {0}"),
    "steps": "h = x -> dense(6) -> reshape([3, 2])\n output y = h -> {0} -> flatten -> dense(2)",
    "image": "h = x -> dense(18, tanh) -> reshape([3, 3, 2])\n output y = h -> {0} -> flatten -> dense(2)",
    "vae": "mu = x -> dense(2)  lv = x -> dense(2)\n output y = vae_sample(mu, lv) -> dense(2)",
}
"""Networks around a piece that stands in the model: between trained layers, so that its gradients are felt."""
BLOCKS = {
    "activation": ["mish", "selu", "hard_sigmoid", "snake(0.5)", "swish(beta = 1.5)"],
    "row": ["highway(tanh)", "swiglu(3)", "glu(3)", "rmsnorm", "sine_features(3)", "rbf(3, 1.5)", "pelu"],
    "steps": ["bidirectional(2)", "peephole_lstm(2)", "indrnn(3, softplus)", "mgu(3)", "leaky_rnn(3, 0.4)"],
    "image": ["separable_conv2d(3, 2, tanh)", "groupnorm(2)", "squeeze_excitation(2)"],
}
PAIR = "a = x -> dense(3)  b = x -> dense(3)\n output y = a -> dense(1)"
TRIPLE = f"c = x -> dense(3)  {PAIR}"
LOSSES = {
    "poisson(y, t)": STAGE.format(", softplus"),
    "log_cosh(y, t)": STAGE.format(""),
    "quantile(y, t, q = 0.8)": STAGE.format(""),
    "cosine(y, t)": STAGE.format(""),
    "focal(p, k)": "output p = x -> dense(3, softmax)",
    "multi_hinge(z, k)": "output z = x -> dense(3)",
    "tversky(p, u, alpha = 0.3)": "output p = x -> dense(2, sigmoid)",
    "ordinal(z, u)": "output z = x -> dense(2)",
    "triplet(a, b, c)": TRIPLE,
    "contrastive(a, b, s)": PAIR,
    "cosine_embedding(a, b, s)": PAIR,
    "mixture_density(a, b, c, s)": TRIPLE,
    "evidential(a, b, c, c, t)": "a = x -> dense(2)  b = x -> dense(2, softplus)  c = x -> dense(2, softplus)\n"
    " output y = a -> dense(1)",
    "mse(y, t) + 0.1 * kl(mu, lv)": ENDS["vae"],
}
REGIMES = {
    "nadam": "optim = nadam(0.01)",
    "lion": "optim = lion(0.01)",
    "triangular": "optim = sgd(triangular(0.1, half = 2))",
    "he_out": "init = he_out",
    "simplex": "constraint = simplex",
    "group_lasso": "decay = group_lasso(0.1)",
    "smape": "metrics = [smape]",
    "cosine_similarity": "metrics = [cosine_similarity]",
}
TARGETS = {"t": "[2]", "k": "class[3]", "u": "[2]", "s": "[1]"}


def spec(body, train):
    """A network of four numbers, with the targets that its loss reads, and a training of some batches."""
    read = [name for name in TARGETS if f", {name}" in train]
    targets = "  ".join(f"target {name}: {TARGETS[name]}" for name in read)
    return f"""{" ".join(f"use {name}" for name in libraries())}
    model M {{ input x: [4]  {targets}
      {body} }}
    train {{ {train}  batch = 3  epochs = 2 }}"""


LECTURES = {
    "sine feature": """model M { input x: [2]  target t: [1]
      h = concat(x, sin(6.28 * x)) -> dense(4, tanh)  output y = h -> dense(1) }
      train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "sign unit": """model M { input x: [3]  target t: [2]  h = x -> dense(4)
      output y = concat(sign(h), h) -> dense(2) }  train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "a module of one's own": """block Bilinear(units) {
        input x: [n]
        input u: [m]
        param W: [n, units]
        param V: [m, units]
        output (x @ W) * (u @ V)
      }
      model M { input x: [3]  input u: [2]  target t: [2]  output y = Bilinear(x, u, 4) -> dense(2) }
      train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "prelu and maxout by definition": """block slope() {
        input z: [n]
        param a: [n] = 0.25
        output where(z > 0, z, a * z)
      }
      block largest(units, pieces = 3) {
        input x: [n]
        z = x -> dense(units * pieces) -> reshape([pieces, units])
        output max(z, axis = 0)[0]
      }
      model M { input x: [3]  target t: [2]  output y = x -> dense(4) -> slope -> largest(2) }
      train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "tied autoencoder": """model M { input x: [5]  target t: [5]
      code = x -> dense(2, tanh)
      output y = code @ code.W.T }
      train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "encoder and decoder": """model M { input x: [4, 2]  input before: [3, 2]  target t: [3, 2]
      read = x -> lstm(3)
      output y = lstm(before, 3, returns = sequence, initial = read) -> dense(2) }
      train { loss = mse(y, t)  batch = 3  epochs = 2 }""",
    "truncated, the state carried on": """model M { input x: [4, 2]  target t: [2]
      output y = x -> rnn(3, truncate = 2, stateful = true) -> dense(2) }
      train { loss = mse(y, t)  batch = 3  epochs = 2  shuffle = false }""",
    "a class at every step, padding masked": """model M { input words: int[4]  target tags: class[4, 3]
      m = words -> padding_mask
      output p = rnn(words -> embedding(5, 3), m, 3, returns = sequence) -> dense(3, softmax) }
      train { loss = cross_entropy(p, tags, mask = m)  batch = 3  epochs = 2 }""",
}
"""What the lectures ask for, as a spec each."""
SPECS = {
    **LECTURES,
    **{
        call: spec(ENDS[kind].replace("{0}", call), "loss = mse(y, t)  optim = adam(0.01)")
        for kind, calls in BLOCKS.items()
        for call in calls
    },
    **{call: spec(body, f"loss = {call}  optim = adam(0.01)") for call, body in LOSSES.items()},
    **{name: spec(STAGE.format(""), f"loss = mse(y, t)  {train}") for name, train in REGIMES.items()},
}


def sections():
    """All definitions of the standard library, by name."""
    return {s.name.id: s for part in libraries() for s in library(part)[0].sections}


def length(section):
    """How many statements a definition has."""
    return len(section.statements) or 1


def test_twenty_five_are_here_and_every_block_and_cell():
    assert len(SPECS) >= 25
    networks = {name for name, section in sections().items() if section.keyword in ("block", "cell")}
    assert {call.partition("(")[0] for kind in BLOCKS.values() for call in kind} | {"vae_sample"} >= networks


def test_no_piece_is_long():
    lengths = {name: length(section) for name, section in sections().items()}
    assert {name: count for name, count in lengths.items() if count > MOST} == {}


@pytest.mark.parametrize("name", SPECS)
def test_a_piece(name):
    assert attempt(SPECS[name], 1) == {"numbers": "ok", "check": "ok"}


@pytest.mark.usefixtures("step_by_step")
@pytest.mark.parametrize("name", SPECS)
def test_a_piece_for_tensorflow(name):
    pytest.importorskip("tensorflow")
    assert agrees(model_of(SPECS[name]), 3) < 1e-9
