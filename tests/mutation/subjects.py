"""The networks that are sabotaged: small, and no two sizes are equal by accident; one where all of them are.

Together they hold every op of a backward pass, which a test makes sure of: a new op needs a line here, no more.
"""

from functools import cache

from samples import loss_settings
from support import ROOT

from dotnn.core.diagnostics import Source
from dotnn.library.losses import LOSSES
from dotnn.model.resolve import resolve
from dotnn.session import Options, compile_model, lower
from dotnn.syntax.parse import parse

NETWORKS = {
    "formula": """
  input  x: [3]
  target t: [2]
  h = x -> dense(5, tanh)
  g = h -> dense(7)
  m = exp(g - logsumexp(g)) * (2 - max(g)) + abs(g) / (1 + sum(g^2))
  r = (m[1:6] * h)[:4] -> reshape([2, 2])
  s = (r -> dense(3)) - mean(r -> dense(3), axis = 0)
  v = (s.T @ s)[:, 2] / sum(s, axis = 0)[0] + min(s, axis = 0)[0]
  output y = where(v > 0.1, v, sin(v)) -> dense(2)
  train: mse(y, t)""",
    "chain": """
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh)
  output y = h -> dense(2, sigmoid)
  train: half_sse(y, t)""",
    "square": """
  input  x: [4]
  target t: [4]
  h = x -> dense(4, tanh)
  g = h -> dense(4, sigmoid)
  output y = g -> dense(4)
  train: sse(y, t)""",
    "residual": """
  input  x: [3]
  target k: class[4]
  h = x -> dense(6, relu)
  f = h -> dense(7, tanh) -> dense(6)
  r = h + f
  output p = r -> dense(4, softmax)
  train: cross_entropy(p, k, smoothing = 0.1)""",
    "shared": """
  input  a: [2]
  input  b: [2]
  target same: [1]
  layer code = dense(3, tanh)
  distance = (a -> code) - (b -> code)
  output p = distance * distance -> dense(1, sigmoid)
  train: bce(p, same)""",
    "joins": """
  input  x: [3]
  input  u: [2]
  target t: [4]
  m = max(x -> dense(6), u -> dense(6))
  s = select(x -> dense(2, softmax), m, u -> dense(6, tanh))
  c = s - (s -> mean_features -> spread(6))
  output y = concat(c * m, s -> sum_features, 0.7 * m) -> dense(4)
  train: mse(y, t)""",
    "kinked": """
  input  x: [3]
  target t: [2]
  h = x -> dense(6) -> leaky_relu(0.1)
  g = h -> dense(7) -> elu(0.7)
  f = g -> dense(4, prelu)
  output y = f -> dense(2)
  train: mse(y, t)""",
    "smooth": """
  input  x: [3]
  target t: [2]
  h = x -> dense(6, gelu)
  g = h -> dense(7, silu)
  f = g -> dense(4, softplus)
  output y = f -> dense(2)
  train: mse(y, t)""",
    "dropped": """
  input  x: [3]
  target t: [2]
  h = x -> dense(7, tanh) -> dropout(30%)
  output y = h -> dense(2)
  train: mse(y, t)""",
    "stopped": """
  input  x: [3]
  target t: [2]
  h = x -> dense(4, tanh)
  output y = h * (h -> stop_gradient) -> dense(2)
  train: mse(y, t)""",
    "normed": """
  input  x: [3]
  target t: [2]
  h = x -> dense(6, bias = false) -> batchnorm -> gaussian_noise(0.2) -> tanh
  output y = h -> dense(7, bias = false) -> batchnorm(gamma = false) -> dense(2)
  train: mse(y, t)""",
    "layernormed": """
  input  table: [2, 3]
  target t: [4]
  rows = table -> batchnorm(epsilon = 0.5) -> dense(6, tanh) -> layernorm(epsilon = 0.3)
  output y = rows -> flatten -> dense(4)
  train: mse(y, t)""",
    "attentive": """
  input  ids: int[4]
  input  u: [4]
  target k: class[3]
  e = ids -> embedding(7, 6) -> position_embedding
  a = e + (e -> multi_head_attention(3, 2, value_dim = 5, bias = false, causal = true))
  r = attention(a -> dense(2), a -> dense(2, bias = false), e -> position_encoding, u -> softmax -> scale(2))
  output p = concat(r -> flatten, u) -> dense(3, softmax)
  train: cross_entropy(p, k)""",
    "table": """
  input  table: [2, 3]
  target t: [7]
  rows = table -> dense(5, prelu) -> reshape([5, 2])
  output y = rows -> dense(4, tanh) -> flatten -> dense(7)
  train: mse(y, t)""",
    "image": """
  input  x: [6, 5, 1]
  target t: [2]
  h = x -> conv2d(4, [3, 2], tanh, stride = [1, 2], pad = [[1, 2], [2, 1]])
  m = h -> maxpool([2, 3], 2, same)
  g = m -> conv2d(5, [2, 3], pad = [[1, 2], [2, 1]], bias = false)
  output y = concat(g -> avgpool(2, 1, same) -> maxpool_global, h -> avgpool_global) -> dense(2)
  train: mse(y, t)""",
    "blocks": """
  input  x: [4, 6, 4]
  target t: [2]
  h = x -> conv2d(5, [3, 2], tanh, pad = [[1, 1], [1, 0]])
  m = h -> maxpool([2, 3])
  output y = m -> flatten -> dense(2)
  train: mse(y, t)""",
    "groups": """
  input  x: [5, 3, 8]
  target t: [3]
  h = x -> conv2d(6, [3, 2], groups = 2, dilation = [2, 1], pad = [[2, 1], [1, 2]])
  g = h -> depthwise_conv2d([2, 3], tanh, pad = [[1, 2], [2, 1]], multiplier = 4)
  output y = g -> avgpool_global -> dense(3)
  train: mse(y, t)""",
    "decoder": """
  input  x: [6]
  target t: [6, 7, 1]
  h = x -> reshape([2, 3, 1]) -> zeropad([[1, 0], [0, 2]]) -> upsample([2, 1])
  output y = h -> conv2d_transpose(4, [3, 2], tanh) -> conv2d_transpose(1, [2, 3], pad = [[1, 2], [1, 0]])
  train: mse(y, t)""",
    "volume": """
  input  x: [4, 3, 5, 8]
  target t: [2]
  h = x -> conv3d(6, [3, 2, 1], tanh, stride = [1, 1, 2], pad = [[1, 0], [0, 1], [2, 1]], groups = 2)
  g = h -> conv3d(5, [2, 1, 3], bias = false)
  output y = g -> flatten -> dense(2)
  train: mse(y, t)""",
    "pooled": """
  input  x: [4, 5, 7, 2]
  target t: [3]
  h = x -> maxpool([2, 1, 3], [1, 2, 2], same)
  g = x -> avgpool([1, 2, 2], 1, same) -> maxpool_global
  output y = concat(h -> avgpool_global, g, x -> avgpool([2, 2, 3]) -> flatten) -> dense(3)
  train: mse(y, t)""",
    "steps": """
  input  x: [7, 1]
  target t: [5]
  h = x -> conv1d(6, 3, tanh, stride = 2, pad = [[2, 1]])
  u = h -> conv1d_transpose(2, 3) -> maxpool(3, 2, same)
  output y = concat(u -> avgpool(2, 1) -> flatten, h -> avgpool_global) -> dense(5)
  train: mse(y, t)""",
    "tasks": """
  input  x: [3]
  target t: [2]
  target u: [4]
  h = x -> dense(6, tanh)
  output y = h -> dense(2)
  output z = h -> dense(4)
  train: 0.3 * mse(y, t) + 0.5 * half_sse(z, u)
  decay: l2(0.2)""",
    "sparse": """
  input  x: [3]
  target t: [2]
  output y = x -> dense(4, tanh) -> dense(2)
  train: mse(y, t)
  decay: l1(0.3)""",
    "rnn": """
  input  x: [3, 2]
  target t: [6]
  h = x -> rnn(4, returns = sequence)
  output y = h -> rnn(6, reverse = true)
  train: mse(y, t)""",
    "lstm": """
  input  x: [3, 2]
  target t: [2]
  h = x -> lstm(4)
  output y = h -> dense(2)
  train: mse(y, t)""",
    "gru": """
  input  x: [3, 2]
  input  marks: int[3]
  target t: [6]
  h = gru(x, marks, 4, returns = sequence)
  output y = h -> gru(6, reset = before)
  train: mse(y, t)""",
    "truncated": """
  input  x: [7, 2]
  target t: [6]
  h = x -> rnn(4, returns = sequence, truncate = 3)
  g = x -> rnn(3, returns = sequence, reverse = true, truncate = 2)
  output y = concat(h, g) -> flatten -> dense(6)
  train: mse(y, t)""",
    "variational": """
  input  x: [3, 2]
  target t: [6]
  output y = x -> sequence_dropout(30%) -> rnn(6, dropout = 30%, recurrent_dropout = 40%)
  train: mse(y, t)""",
    "arranged": """
  input  x: [3]
  target t: [2]
  h = x -> dense(5, tanh) -> repeat_vector(8)
  s = stack(h, h -> sigmoid) -> permute([1, 2, 0]) -> reshape([8, 10])
  output y = s -> rnn(4, recompute = 4, reverse = true) -> dense(2)
  train: mse(y, t)""",
    "recomputed": """
  input  x: [6, 2]
  target t: [5]
  h = x -> lstm(4, dropout = 30%, recurrent_dropout = 40%, returns = sequence, recompute = 3)
  output y = h -> rnn(5, recompute = 2)
  train: mse(y, t)""",
}  # fmt: skip

ARGUMENTS = {"huber": ", delta = 0.8"}
"""At a delta of one, a forgotten delta would not show."""


def _losses() -> dict[str, str]:
    """Return a network per loss, kind of target and way to the output."""
    found = {}
    for name, target, stage in loss_settings():
        kind = "_rows" if target == "[3]" and LOSSES[name].target == "class" else ""
        way = "_scaled" if "scale" in stage else ""
        found[f"{name}{kind}{way}"] = f"""
  input  x: [4]
  target t: {target}
  output y = x -> dense(3) {stage}
  train: {name}(y, t{ARGUMENTS.get(name, "")})"""
    return found


SUBJECTS = {**NETWORKS, **_losses()}

ROOT_FILE = ROOT / "subject.nn"
"""Where the subjects would stand if they were files."""

BATCH = {"square": 4}
"""The number of examples where the validator is not to choose one that no other size equals."""


def spec(name: str) -> str:
    """The text of a subject as a spec."""
    lines = [line.strip() for line in SUBJECTS[name].strip().splitlines()]
    body = [line for line in lines if not line.startswith(("train:", "decay:"))]
    train = [line.replace("train:", "loss =").replace("decay:", "decay =") for line in lines if line not in body]
    inner = "\n".join(f"  {line}" for line in body)
    return f"model M {{\n{inner}\n}}\ntrain {{ {'  '.join(train)} }}\n"


@cache
def model(name: str):
    """The model of a subject, as from a file of its name."""
    source = Source(f"{name}.nn", spec(name))
    return resolve(parse(source), source)[0]


def script(name: str, style: str = "explain") -> str:
    """The script of a subject; not kept, because the ops may have been tampered with."""
    return compile_model(model(name), Options(style, input_gradients=True)).script


@cache
def right_script(name: str, style: str = "explain") -> str:
    """The script of a subject as the compiler writes it."""
    return script(name, style)


@cache
def backward_ops(name: str) -> frozenset[str]:
    """The ops of the backward pass of a subject."""
    nodes = lower(model(name), input_gradients=True).phase("backward")
    return frozenset(inner.op for node in nodes for inner in node.all_nodes())
