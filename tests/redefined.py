"""Members of the language, defined once more in the language: what both say, and the network in which they say it.

The tests compare their numbers, `benchmarks/definitions.py` their time.
"""

from dataclasses import dataclass

from members.test_cells import GRU, LSTM


@dataclass(frozen=True)
class Twice:
    """A definition, what a spec calls with it and without it, and the network around CALL, with layers of WIDTH."""

    definition: str
    ours: str
    theirs: str
    network: str

    def spec(self, *, ours: bool, width: int) -> str:
        """The spec of one of both, with layers of this width."""
        text = self.network.replace("CALL", self.ours if ours else self.theirs).replace("WIDTH", str(width))
        return f"{self.definition}\n{text}" if ours else text


def _network(body: str, train: str, shapes: str = "input x: [WIDTH]  target t: [WIDTH]") -> str:
    return f"model M {{ {shapes}\n{body} }}\ntrain {{ {train} }}"


_LAYER = _network("h = x -> dense(WIDTH, CALL)  output y = h -> dense(WIDTH)", "loss = mse(y, t)")
_LOSS = _network("h = x -> dense(WIDTH, tanh)  output y = h -> dense(WIDTH)", "loss = CALL  optim = sgd(1e-4)")
_PROBABILITIES = _network("h = x -> dense(WIDTH, tanh)  output y = h -> dense(WIDTH, sigmoid)", "loss = CALL")
_CLASSES = _network(
    "h = x -> dense(WIDTH, tanh)  output y = h -> dense(WIDTH, softmax)",
    "loss = CALL",
    "input x: [WIDTH]  target t: class[WIDTH]",
)
_REGIME = _network(
    "h = x -> dense(WIDTH, tanh)  output y = h -> dense(WIDTH)", "loss = mse(y, t)  optim = CALL  epochs = 3"
)
_SEQUENCE = _network(
    "h = x -> CALL  output y = h -> flatten -> dense(3)", "loss = mse(y, t)", "input x: [7, WIDTH]  target t: [3]"
)
_HEADS = _SEQUENCE.replace("x -> CALL", "CALL")
QUERIES = "x -> dense(WIDTH, bias = false)"
HEAD = """block mine(k) {
  input x: [steps, n]
  param Wq: [n, k]
  param Wk: [n, k]
  param Wv: [n, k]
  q = x @ Wq
  s = q @ (x @ Wk).T / sqrt(k)
  output (s -> softmax) @ (x @ Wv)
}"""


def _activation(name: str, formula: str, call: str = "", arguments: str = "") -> Twice:
    return Twice(f"activation mine(z{arguments}) = {formula}", "mine", call or name, _LAYER)


def _loss(formula: str, theirs: str, network: str = _LOSS, operands: str = "y, t", more: str = "") -> Twice:
    return Twice(f"loss mine({operands}) = {formula}", f"mine(y, t{more})", theirs, network)


def _optimizer(body: str, theirs: str) -> Twice:
    return Twice(f"optimizer mine{body}", "mine", theirs, _REGIME)


def _schedule(formula: str, theirs: str) -> Twice:
    return Twice(f"schedule mine(lr) = {formula}", "sgd(mine(0.1))", f"sgd({theirs})", _REGIME)


TWICE = {
    "identity": _activation("identity", "z"),
    "sigmoid": _activation("sigmoid", "1 / (1 + exp(-z))"),
    "tanh": _activation("tanh", "1 - 2 / (exp(2 * z) + 1)"),
    "relu": _activation("relu", "max(z, 0)"),
    "leaky_relu": _activation("leaky_relu", "where(z > 0, z, a * z)", "leaky_relu(0.2)", ", a = 0.2"),
    "elu": _activation("elu", "where(z > 0, z, expm1(min(z, 0)))"),
    "gelu": _activation("gelu", "z / 2 * (1 + tanh(0.7978845608028654 * (z + 0.044715 * z^3)))"),
    "silu": _activation("silu", "z * sigmoid(z)"),
    "softplus": _activation("softplus", "log(1 + exp(z))"),
    "threshold": Twice("activation mine(z) = z + where(z >= 0, 1, 0)", "x -> mine", "(x + (x -> threshold))", _network(
        "h = CALL  output y = h -> dense(WIDTH)", "loss = mse(y, t)")),
    "softmax": Twice("block mine() { input z: [n]  output exp(z - logsumexp(z)) }", "mine", "softmax", _LAYER),
    "prelu": Twice("block mine() { input z: [n]  param slope: [n] = 0.25 as bias  output where(z > 0, z, slope * z) }",
                   "h -> mine", "h -> prelu", _network(
        "h = x -> dense(WIDTH)  g = CALL  output y = g -> dense(WIDTH)", "loss = mse(y, t)")),
    "mse": _loss("mean((y - t)^2)", "mse(y, t)"),
    "half_sse": _loss("sum((t - y)^2) / 2", "half_sse(y, t)", more=", reduce = sum"),
    "sse": _loss("sum((t - y)^2)", "sse(y, t)", more=", reduce = sum"),
    "l1": _loss("mean(abs(y - t))", "l1(y, t)"),
    "huber": _loss("mean(where(abs(y - t) <= 1, (y - t)^2 / 2, abs(y - t) - 0.5))", "huber(y, t)"),
    "hinge": _loss("mean(max(1 - t * y, 0))", "hinge(y, t)"),
    "perceptron": _loss("sum(where(t * y <= 0, -t * y, 0))", "perceptron(y, t)", more=", reduce = sum"),
    "bce": _loss("-mean(t * log(p) + (1 - t) * log(1 - p))", "bce(y, t)", _PROBABILITIES, "p, t"),
    "cross_entropy": _loss("-log(p[k])", "cross_entropy(y, t)", _CLASSES, "p, k: class"),
    "sgd": _optimizer("(lr = 0.01) { w = w - lr * g }", "sgd"),
    "momentum": _optimizer(
        "(lr = 0.01, b = 0.9) { slot v = 0  v = b * v - lr * g  w = w + v }", "sgd(momentum = 0.9)"
    ),
    "rmsprop": _optimizer(
        "(lr = 0.001, r = 0.9) { slot v = 0  v = r * v + (1 - r) * g^2  w = w - lr * g / sqrt(v + 1e-7) }", "rmsprop"
    ),
    "adam": _optimizer(
        "(lr = 0.001, a = 0.9, b = 0.999) { slot m = 0  slot v = 0  m = a * m + (1 - a) * g  v = b * v + (1 - b) * g^2"
        "  w = w - lr * (m / (1 - a^t)) / (sqrt(v / (1 - b^t)) + 1e-7) }",
        "adam",
    ),
    "cosine": _schedule("lr * (1 + cos(pi * step / steps)) / 2", "cosine(0.1)"),
    "linear": _schedule("lr * (1 - step / steps)", "linear(0.1)"),
    "exponential": _schedule("lr * 0.96^(step * epochs / steps)", "exponential(0.1)"),
    "lstm": Twice(LSTM, "mine(WIDTH)", "lstm(WIDTH)", _SEQUENCE),
    "gru": Twice(GRU, "mine(WIDTH)", "gru(WIDTH)", _SEQUENCE),
    "attention head": Twice(HEAD, "x -> mine(WIDTH)", f"attention({QUERIES}, {QUERIES}, {QUERIES})", _HEADS),
}  # fmt: skip
