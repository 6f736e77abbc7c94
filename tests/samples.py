"""Small networks around one member of a registry. What no registry knows, a sample call, stands in a table here:

a member that needs one and has none fails its tests, and so cannot be forgotten.
"""

from dotnn.core.arguments import FRACTION, NON_NEGATIVE, NUMBER, POSITIVE_INT, REQUIRED
from dotnn.library.layers import LAYERS
from dotnn.library.losses import LOSSES

ARGUMENTS = {
    POSITIVE_INT: "3",
    NUMBER: "0.7",
    FRACTION: "0.4",
    NON_NEGATIVE: "0.3",
}
STEPS, IMAGE = "x -> dense(14) -> reshape([7, 2])", "x -> dense(40) -> reshape([5, 4, 2])"
VOLUME = "x -> dense(48) -> reshape([3, 4, 2, 2])"
CALLS = {
    "rnn": [
        "table -> rnn(4)",
        "table -> rnn(3, act = identity)",
        "rnn(table, marks, 3, returns = sequence, act = relu, reverse = true)",
        "STEPS -> rnn(2, truncate = 3, returns = sequence)",
        "IMAGE -> reshape([10, 4]) -> rnn(2, recompute = 5, reverse = true, returns = sequence)",
        "IMAGE -> reshape([10, 4]) -> rnn(2, recompute = 4, reverse = true, truncate = 2, returns = sequence)",
    ],
    "lstm": [
        "table -> lstm(3, returns = sequence, truncate = 1)",
        "IMAGE -> reshape([10, 4]) -> lstm(2, recompute = 2, dropout = 0.3, recurrent_dropout = 0.4)",
        "table -> lstm(2, returns = sequence) -> lstm(3, reverse = true)",
        "lstm(table, marks, 3, bias = false, dropout = 0.4)",
        "lstm(table, marks, 3, returns = sequence) -> lstm(2)",
        "STEPS -> lstm(2, truncate = 3, reverse = true, dropout = 0.3, recurrent_dropout = 0.4)",
    ],
    "gru": [
        "table -> gru(4)",
        "gru(table, marks, 3, reset = before, returns = sequence, dropout = 0.3, recurrent_dropout = 0.4)",
        "gru(table, marks, 3, returns = sequence, reverse = true, truncate = 1, recurrent_dropout = 0.4)",
    ],
    "padding_mask": ["rnn(table, marks -> padding_mask, 2, dropout = 0.4, recurrent_dropout = 0.3)"],
    "gaussian_noise": ["x -> gaussian_noise(0.3)", "table -> gaussian_noise(1.7)"],
    "sequence_dropout": ["table -> sequence_dropout(0.4)"],
    "concat": [
        "concat(x, u -> dense(2))",
        "concat(table, table -> tanh, axis = 0)",
        "concat(IMAGE, IMAGE -> maxpool([1, 2], 1, same), IMAGE -> conv2d(2, 1), axis = 1)",
    ],
    "stack": ["stack(x, u, v)", "stack(table, table -> tanh, axis = -1)", "stack(x, u, axis = 1) -> dense(3)"],
    "permute": ["table -> permute([1, 0]) -> dense(3)", "IMAGE -> permute([2, 0, 1]) -> conv2d(2, 2)"],
    "repeat_vector": ["x -> repeat_vector(3)", "x -> repeat_vector(3) -> rnn(2)"],
    "select": [
        "select(x -> dense(2), u, v)",
        "select(x -> dense(3), u, v, u -> tanh)",
        "select(x -> dense(2), table, table -> tanh)",
        "select(x -> dense(2), IMAGE -> conv2d(2, 2), IMAGE -> maxpool(2, 1))",
    ],
    "spread": ["x -> sum_features -> spread(3)"],
    "reshape": ["x -> reshape([2, 2]) -> dense(2) -> reshape([4])"],
    "batchnorm": ["batchnorm(x)", "table -> batchnorm(0.9, gamma = false)", "batchnorm(x, beta = false)"],
    "layernorm": ["layernorm(x)", "table -> layernorm(gamma = false, beta = false)", "layernorm(x, epsilon = 0.01)"],
    "stop_gradient": ["x -> stop_gradient", "table -> stop_gradient -> dense(2)"],
    "embedding": ["ids -> embedding(7, 3)", "ids -> reshape([4, 1]) -> embedding(200, 2)"],
    "one_hot": ["ids -> one_hot(7) -> dense(2)"],
    "position_embedding": ["table -> position_embedding"],
    "position_encoding": ["table -> position_encoding"],
    "attention": [
        "attention(table, table -> dense(3), table -> dense(4))",
        "attention(ids -> embedding(7, 3), table, table, marks, causal = true)",
    ],
    "multi_head_attention": [
        "multi_head_attention(table, table, table, marks -> padding_mask, heads = 2, key_dim = 3)",
        "table -> multi_head_attention(3, 2)",
        "multi_head_attention(table, ids -> embedding(7, 5), heads = 2, key_dim = 4, value_dim = 1, bias = false)",
        "multi_head_attention(table, table, table -> tanh, marks, heads = 1, key_dim = 2, causal = true)",
    ],
    "dense": [
        "x -> dense(3)",
        "x -> dense(3, tanh, bias = false)",
        "table -> dense(2, prelu, penalty = l2(0.1))",
        "x -> dense(3, constraint = max_norm(2))",
    ],
    "conv1d": [
        "STEPS -> conv1d(4, 3)",
        "STEPS -> conv1d(3, 2, tanh, pad = same, stride = 2)",
        "STEPS -> conv1d(4, 2, pad = [[2, 0]], dilation = 2, groups = 2, bias = false)",
    ],
    "conv2d": [
        "IMAGE -> conv2d(3, 2, relu)",
        "IMAGE -> conv2d(3, [3, 2], pad = same, bias = false, penalty = l2(0.1))",
        "IMAGE -> conv2d(4, 2, tanh, stride = [2, 1], pad = [[1, 0], [0, 2]], groups = 2)",
        "IMAGE -> conv2d(2, [2, 3], dilation = [3, 1], pad = 1, constraint = max_norm(2))",
    ],
    "conv3d": [
        "VOLUME -> conv3d(3, 2, relu)",
        "VOLUME -> conv3d(2, [1, 3, 2], pad = same, stride = [1, 2, 1], bias = false)",
        "VOLUME -> conv3d(4, 2, tanh, pad = [[1, 0], [0, 2], [0, 0]], groups = 2)",
        "VOLUME -> conv3d(2, [2, 1, 2], dilation = [1, 1, 2], pad = 1)",
    ],
    "depthwise_conv2d": [
        "IMAGE -> depthwise_conv2d(2)",
        "IMAGE -> depthwise_conv2d([2, 3], prelu, 2, same, multiplier = 3)",
    ],
    "conv1d_transpose": [
        "STEPS -> conv1d_transpose(3, 3, stride = 2)",
        "STEPS -> conv1d_transpose(3, 2, tanh, stride = 3, pad = [[1, 0]])",
    ],
    "conv2d_transpose": [
        "IMAGE -> conv2d_transpose(3, 2, relu, stride = 2, pad = same)",
        "IMAGE -> conv2d_transpose(3, [3, 1], stride = [1, 2], bias = false)",
        "IMAGE -> conv2d_transpose(2, 3, pad = 1)",
        "IMAGE -> conv2d_transpose(2, [1, 3], prelu, stride = 2, pad = [[0, 1], [1, 0]])",
    ],
    "maxpool": [
        "STEPS -> maxpool(2)",
        "STEPS -> maxpool(3, 2, same)",
        "IMAGE -> maxpool(2)",
        "IMAGE -> maxpool([2, 3], 1, same)",
        "IMAGE -> maxpool([3, 2], [1, 2])",
        "VOLUME -> maxpool(2)",
        "VOLUME -> maxpool([2, 3, 1], [1, 2, 1], same)",
        "IMAGE -> conv2d(3, [2, 3]) -> maxpool([1, 2])",
        "IMAGE -> conv2d(3, 3, pad = same, bias = false) -> maxpool(2)",
        "STEPS -> conv1d(3, 4, pad = [[1, 2]]) -> maxpool(3)",
    ],
    "avgpool": [
        "STEPS -> avgpool(3, 1)",
        "IMAGE -> avgpool(2)",
        "IMAGE -> avgpool([3, 2], 2, same)",
        "VOLUME -> avgpool([2, 3, 1], 1, same)",
    ],
    "maxpool_global": ["STEPS -> maxpool_global", "IMAGE -> maxpool_global", "VOLUME -> maxpool_global"],
    "avgpool_global": ["STEPS -> avgpool_global", "IMAGE -> avgpool_global", "VOLUME -> avgpool_global"],
    "zeropad": ["STEPS -> zeropad([[2, 1]])", "IMAGE -> zeropad([1, 2])"],
    "upsample": ["STEPS -> upsample(2)", "IMAGE -> upsample([2, 3])"],
}


def calls(layer):
    """Sample uses of a layer on `x`, `u` and `v`, all of four features, and on the table of 2 by 3."""
    if layer.name in CALLS:
        return [
            call.replace("IMAGE", IMAGE).replace("STEPS", STEPS).replace("VOLUME", VOLUME) for call in CALLS[layer.name]
        ]
    required = [ARGUMENTS[arg.kind] for arg in layer.args if arg.default is REQUIRED]
    operands = ["x", "u", "v"][: layer.arity[1] or 3]
    found = [f"{layer.name}({', '.join([*operands, *required])})"]
    if layer.arity == (1, 1):
        found.append(f"{layer.name}({', '.join(['table', *required])})")
    return found


def layer_spec(*calls):
    """A network around one use of a layer, or some side by side; the output is as wide as need be.

    Trainable layers stand around them.
    """
    ids = "input  ids: int[4]" if any("ids" in call for call in calls) else ""
    marks = "input  marks: int[2]" if any("marks" in call for call in calls) else ""
    names = ["made", *(f"made{number}" for number in range(1, len(calls)))]
    made = "\n      ".join(f"{name} = {call}" for name, call in zip(names, calls, strict=True))
    return f"""model M {{
      input  raw: [4]
      input  table: [2, 3]
      {marks}
      {ids}
      target t: [1]
      x = raw -> dense(4)
      u = raw -> dense(4, tanh)
      v = raw -> dense(4, sigmoid)
      {made}
      all  = concat({", ".join(f"{name} -> flatten" for name in names)}, x, u, v, table -> flatten)
      output y = all -> dense(1)
    }}
    train {{ loss = mse(y, t) }}"""


EXPRESSIONS = {
    "1 - x": "1 - x",
    "exp(x) / 2": "np.exp(x) / 2",
    "-x^2 + 3": "-(x**2) + 3",
    "2^x * x^3": "2**x * x**3",
    "(x / (2 + u^2))^2": "(x / (2 + u**2)) ** 2",
    "log(x^2 + 1) - log1p(u^2) + expm1(x / 3)": "np.log(x**2 + 1) - np.log1p(u**2) + np.expm1(x / 3)",
    "sqrt(x^2 + v) * sin(x) - cos(u)": "np.sqrt(x**2 + v) * np.sin(x) - np.cos(u)",
    "abs(x) + sign(u) * x + floor(3 * u)": "np.abs(x) + np.sign(u) * x + np.floor(3 * u)",
    "erf(x / 2)": "scipy.special.erf(x / 2)",
    "clip(2 * x, -1, 1) - min(x, u, 0.3) * max(u, 0.1)":
        "np.clip(2 * x, -1, 1) - np.minimum(np.minimum(x, u), 0.3) * np.maximum(u, 0.1)",
    "x mod 2 + 5 mod 3": "x % 2 + 2",
    "where(x > u and not v < 0.5 or x == 7, x, 0) + where(x >= 0, 1, -1)":
        "np.where(((x > u) & ~(v < 0.5)) | (x == 7), x, 0) + np.where(x >= 0, 1, -1)",
    "where(u != 0, x / u, 0) * log(2)": "x / u * np.log(2)",
    "tanh(x) * (1 - sigmoid(u))^2": "np.tanh(x) * (1 - 1 / (1 + np.exp(-u))) ** 2",
    "exp(x) / sum(exp(x))": "np.exp(x) / np.exp(x).sum(1, keepdims=True)",
    "(x - mean(x)) / sqrt(mean((x - mean(x))^2) + 0.1)":
        "(x - x.mean(1, keepdims=True)) / np.sqrt(x.var(1, keepdims=True) + 0.1)",
    "x - logsumexp(x)": "x - scipy.special.logsumexp(x, 1, keepdims=True)",
    "max(x, mean(u)) * min(x) + max(x)":
        "np.maximum(x, u.mean(1, keepdims=True)) * x.min(1, keepdims=True) + x.max(1, keepdims=True)",
    "table - mean(table, axis = 0)": "table - table.mean(1, keepdims=True)",
    "table * sum(table, axis = 0) - max(table, axis = 1) + min(table, axis = -2)":
        "table * table.sum(1, keepdims=True) - table.max(2, keepdims=True) + table.min(1, keepdims=True)",
    "table / logsumexp(table, axis = 0) + relu(mean(table))":
        "table / scipy.special.logsumexp(table, 1, keepdims=True) + np.maximum(table.mean(2, keepdims=True), 0)",
    "table[1] + table[0, :] * table[-2:, :][1]": "table[:, 1] + table[:, 0] * table[:, 1]",
    "table[:, 2] * x[1:3]": "table[:, :, 2] * x[:, 1:3]",
    "concat(x[2:], x[:-3], x[-1:])": "np.concatenate([x[:, 2:], x[:, :1], x[:, 3:]], 1)",
    "stack(x, u)[1] * stack(x, u, v, axis = -1)[:, 2] + repeat_vector(x, 3)[2]": "u * v + x",
    "permute(table, [1, 0]) + concat(table, 2 * table, axis = -2)[1:3].T":
        "np.swapaxes(table, 1, 2) + np.stack([table[:, 1], 2 * table[:, 0]], axis=-1)",
    "permute(stack(table, -table, axis = 1), [2, 0, 1])[0, :, 1]": "-table[:, :, 0]",
    "table @ table.T - 1": "np.einsum('bij,bkj->bik', table, table) - 1",
    "(table.T @ table)[:, 1] / 3": "np.einsum('bij,bi->bj', table, table[:, :, 1]) / 3",
}  # fmt: skip
"""Expressions of `x`, `u`, `v` and `table` (`layer_spec`), and the same in NumPy and SciPy."""
EXPRESSION_SPECS = [(text, layer_spec(text)) for text in EXPRESSIONS]
EXPRESSION_SPECS += [("own", f"activation own(z, a = 2) = z * sigmoid(a * z) {layer_spec('own(x -> own, a = 0.3)')}")]
OWN_PARAMETERS = "block P { input x: [n]  param s: [n]  param W: [n, n]  output sin(s) * (x @ W.T) + exp(x @ W + s) }"
EXPRESSION_SPECS += [("parameters", f"{OWN_PARAMETERS} {layer_spec('x -> P')}")]


LAYER_CALLS = [(name, call) for name, layer in LAYERS.items() for call in calls(layer)]
LAYER_SPECS = [(name, layer_spec(call)) for name, call in LAYER_CALLS]
"""Every layer alone in a network: where a failure should say which it is."""
_TOGETHER = [LAYER_CALLS[first : first + 8] for first in range(0, len(LAYER_CALLS), 8)]
LAYERS_TOGETHER = {" ".join(name for name, _ in some): layer_spec(*(call for _, call in some)) for some in _TOGETHER}
"""The same calls, some side by side: for what holds of all, and takes long to begin with."""


STAGES = {"unit": ["-> sigmoid", "-> sigmoid -> scale(0.9)"], "class": ["-> softmax", "-> softmax -> scale(0.9)"]}
"""Ways to a probability: one that is fused with the loss, and one that is not."""


def loss_spec(call, target, stage):
    """A network of three outputs under one loss."""
    return f"""model M {{ input x: [4]  target t: {target}  output y = x -> dense(3) {stage} }}
    train {{ loss = {call} }}"""


def losses_spec(inputs, options, steps=""):
    """A network that has three outputs of its own under each of all losses; with `steps = "2, "`, of every step."""
    settings = list(enumerate(loss_settings()))
    targets = "  ".join(f"target t{i}: {target.replace('[', f'[{steps}')}" for i, (_, target, _) in settings)
    outputs = "\n      ".join(f"output y{i} = x -> dense(3) {stage}" for i, (_, _, stage) in settings)
    total = " + ".join(f"{name}(y{i}, t{i}, {options})" for i, (name, _, _) in settings)
    return f"""model M {{ {inputs}
      {targets}
      {outputs} }}
    train {{ loss = {total}  batch = 4 }}"""


def loss_settings():
    """Every loss with every kind of target and every way to its output: (name, target, stage)."""
    for name, loss in LOSSES.items():
        for target in ["class[3]", "[3]"] if loss.target == "class" else ["[3]"]:
            for stage in STAGES.get(loss.target, [""]):
                yield name, target, stage


STATEFUL_SPEC = layer_spec("table -> lstm(3, stateful = true)").replace("{ loss", "{ shuffle = false  loss")
CHOSEN_SPECS = [
    ("drawn in prediction, too", layer_spec("(x -> dropout(0.4, always = true)) + x * noise([4], normal(0.5))")),
    (
        "what counts",
        """model M { input x: [4]  input marks: int[3]  target t: [3, 2]  target c: class[2]
      output y = x -> dense(6) -> reshape([3, 2])  output p = x -> dense(2, softmax) }
    data { x = [[1, 2, 3, 4], [4, 3, 2, 1]]  marks = [[1, 1, 0], [1, 0, 0]]  c = [0, 1]
      t = [[[1, 2], [3, 4], [5, 6]], [[1, 2], [3, 4], [5, 6]]]  weights = [1, 2] }
    train { loss = mse(y, t, mask = marks) + cross_entropy(p, c) }""",
    ),
]
"""What a spec may choose for a layer or a loss, by which a network has ops that it has not by default."""

WRITTEN_OUT_SPEC = """loss mine(p, t) = -sum(t * log(p))
model M { input x: [4]  target t: [3]  output p = x -> dense(3, softmax) }
train { loss = mine(p, t) }"""
"""A cross-entropy of rows, which a fast script puts together."""

DEFINED_SPEC = """
    loss both(y, t, k: class) = -log(y[k]) + log(sum(exp(y))) + sqrt(sum((y - t)^2)) + t[0] * y[1:][0] + sum(y) / 3
    loss wide(a, b) = mean(a^2) + max(a) * mean(b) + sum(a * b) * sum(softmax(b)) + log(sum(a^2) + 1) * sum(b)
    penalty group(w, s) = s * sum(sqrt(sum(w^2, axis = 0))) + mean(w) * s
    model M { input x: [4]  target t: [3]  target k: class[3]
      h = x -> dense(6, tanh, penalty = group(0.1)) -> reshape([2, 3])
      g = x -> dense(6) -> reshape([2, 3])
      output y = h -> flatten -> dense(3, softmax) }
    train { loss = both(y, t, k) + wide(h, g) }"""
"""Every op of the losses and penalties that a spec defines."""
