"""Small networks around one member of a registry. What no registry knows, a sample call, stands in a table here:

a member that needs one and has none fails its tests, and so cannot be forgotten.
"""

from dotnn.layers import LAYERS
from dotnn.losses import LOSSES
from dotnn.schema import FRACTION, NON_NEGATIVE, NUMBER, POSITIVE_INT, REQUIRED

ARGUMENTS = {
    POSITIVE_INT: "3",
    NUMBER: "0.7",
    FRACTION: "0.4",
    NON_NEGATIVE: "0.3",
}
CALLS = {
    "rnn": ["table -> rnn(4)", "rnn(table, marks, 3, returns = sequence, act = relu, reverse = true)"],
    "lstm": ["table -> lstm(2, returns = sequence) -> lstm(3, reverse = true)", "lstm(table, marks, 3, bias = false)"],
    "gru": ["table -> gru(4)", "gru(table, marks, 3, reset = before, returns = sequence, recurrent_dropout = 0.4)"],
    "padding_mask": ["rnn(table, marks -> padding_mask, 2, dropout = 0.4)"],
    "sequence_dropout": ["table -> sequence_dropout(0.4)"],
    "select": ["select(x -> dense(2), u, v)", "select(x -> dense(3), u, v, u -> tanh)"],
    "spread": ["x -> sum_features -> spread(3)"],
    "reshape": ["x -> reshape([2, 2]) -> dense(2) -> reshape([4])"],
    "batchnorm": ["batchnorm(x)", "table -> batchnorm(0.9, gamma = false)", "batchnorm(x, beta = false)"],
    "layernorm": ["layernorm(x)", "table -> layernorm(gamma = false, beta = false)", "layernorm(x, epsilon = 0.01)"],
    "stop_gradient": ["x -> stop_gradient", "table -> dense(2) -> stop_gradient"],
    "embedding": ["ids -> embedding(7, 3)", "ids -> reshape([4, 1]) -> embedding(200, 2)"],
    "one_hot": ["ids -> one_hot(7) -> dense(2)"],
    "position_embedding": ["table -> position_embedding"],
    "position_encoding": ["table -> position_encoding"],
    "attention": [
        "attention(table, table -> dense(3), table -> dense(4))",
        "attention(ids -> embedding(7, 3), table, table, raw -> dense(2, sigmoid), causal = true)",
    ],
    "multi_head_attention": [
        "multi_head_attention(table, table, table, marks -> padding_mask, heads = 2, key_dim = 3)",
        "table -> multi_head_attention(3, 2)",
        "multi_head_attention(table, ids -> embedding(7, 5), heads = 2, key_dim = 4, value_dim = 1, bias = false)",
        "multi_head_attention(table, table, table -> tanh, raw -> dense(2, sigmoid), heads = 1, key_dim = 2,"
        " causal = true)",
    ],
    "dense": [
        "x -> dense(3)",
        "x -> dense(3, tanh, bias = false)",
        "table -> dense(2, prelu, penalty = l2(0.1))",
        "x -> dense(3, constraint = max_norm(2))",
    ],
}


def calls(layer):
    """Sample uses of a layer on `x`, `u` and `v`, all of four features, and on the table of 2 by 3."""
    if layer.name in CALLS:
        return CALLS[layer.name]
    required = [ARGUMENTS[arg.kind] for arg in layer.args if arg.default is REQUIRED]
    operands = ["x", "u", "v"][: layer.arity[1] or 3]
    found = [f"{layer.name}({', '.join([*operands, *required])})"]
    if layer.arity == (1, 1):
        found.append(f"{layer.name}({', '.join(['table', *required])})")
    return found


def layer_spec(call):
    """A network around one use of a layer; its output is as wide as need be, and trainable layers stand around it."""
    ids = "input  ids: int[4]" if "ids" in call else ""
    marks = "input  marks: int[2]" if "marks" in call else ""
    return f"""model M {{
      input  raw: [4]
      input  table: [2, 3]
      {marks}
      {ids}
      target t: [1]
      x = raw -> dense(4)
      u = raw -> dense(4, tanh)
      v = raw -> dense(4, sigmoid)
      made = {call}
      all  = concat(made -> flatten, x, u, v, table -> flatten)
      output y = all -> dense(1)
    }}
    train {{ loss = mse(y, t) }}"""


LAYER_SPECS = [(name, layer_spec(call)) for name, layer in LAYERS.items() for call in calls(layer)]


STAGES = {"unit": ["-> sigmoid", "-> sigmoid -> scale(0.9)"], "class": ["-> softmax", "-> softmax -> scale(0.9)"]}
"""Ways to a probability: one that is fused with the loss, and one that is not."""


def loss_spec(call, target, stage):
    """A network of three outputs under one loss."""
    return f"""model M {{ input x: [4]  target t: {target}  output y = x -> dense(3) {stage} }}
    train {{ loss = {call} }}"""


def loss_settings():
    """Every loss with every kind of target and every way to its output: (name, target, stage)."""
    for name, loss in LOSSES.items():
        for target in ["class[3]", "[3]"] if loss.target == "class" else ["[3]"]:
            for stage in STAGES.get(loss.target, [""]):
                yield name, target, stage
