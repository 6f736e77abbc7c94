"""Losses: Keras's own where they are equal, else what they sum, and how that is reduced.

Where replicas share a batch, all of them have `rows`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from dotnn.ir.node import Node
from dotnn.library.ops.losses import weight_of_target
from dotnn.library.ops.reduction import along, counted, weights_of
from dotnn.targets.keras.rules.base import LossRule

REDUCTIONS = {
    "mean": "tf.reduce_mean({})",
    "sum": "tf.reduce_sum({})",
    "global mean": "tf.nn.compute_average_loss({}, global_batch_size=rows)",
}
"""How TensorFlow reduces over the batch."""


def reduced(node: Node, term: str, axes: int = 0) -> str:
    """Return the expression that reduces `term` to the loss.

    `term` holds one number per feature (or, with `axes` 1, per position: the last axis is summed already).
    """
    if weights_of(node) is not None:
        return _counted(node, term, axes)
    outer = REDUCTIONS[node.attrs["reduce"]]
    sizes = node.ins[0].type.example
    sizes = sizes[: len(sizes) - axes]
    inner = "tf.reduce_mean" if node.attrs["features"] > 1 else "tf.reduce_sum"
    if math.prod(sizes) == 1 or outer == f"{inner}({{}})":
        return outer.replace("{}", term)
    places = tuple(range(1, len(sizes) + 1))
    return outer.replace("{}", f"{inner}({term}, axis={places[0] if len(places) == 1 else places})")


def _counted(node: Node, term: str, axes: int) -> str:
    """Return the expression that adds up what each example, or each of its steps, contributes as often as it counts."""
    count = weights_as_numbers(node)
    total = f"tf.reduce_sum({count}{counted(node, len(node.ins[0].type.shape) - axes, '{}')[1:]} * {term})"
    features = node.attrs["features"]
    each = f"{features} * " if features > 1 else ""
    if node.attrs["reduce"] == "sum":
        return f"{total} / {features}" if each else total
    weight = f"tf.reduce_sum({count})"
    if node.attrs["reduce"] == "global mean":
        weight = f'tf.distribute.get_replica_context().all_reduce("SUM", {weight})'
    return f"tf.math.divide_no_nan({total}, {each}{weight})"


def weights_as_numbers(node: Node) -> str:
    """Return the weights of a loss, called m, as numbers of its precision, which the marks of a mask are not."""
    first = node.rule.operands[0]
    weights = weights_of(node)
    return "m" if weights is not None and weights.role == "target" else f"tf.cast(m, {first}.dtype)"


def formula(node: Node, rules: Mapping[str, LossRule]) -> str:
    """Return the formula of a loss, by its rule or by what it sums; "" where it has neither."""
    rule = rules.get(node.op)
    if rule is not None:
        return rule.formula(node)
    term = node.rule.term
    return f"{term.factor}{reduced(node, weight_of_target(node) + term.formula)}" if term else ""


def keras_loss(name: str, call: str, term: str = "") -> LossRule:
    """Return the rule of a loss that Keras has too: its function takes the mean over the last axis.

    `term` is the loss of each number; without one it is what the loss sums.
    """

    def formula(node: Node) -> str:
        sizes = node.ins[0].type.example
        weight = weight_of_target(node)
        alike = not weight and weights_of(node) is None
        if alike and sizes and node.attrs["features"] == math.prod(sizes):  # a mean over all of an example
            return reduced(node, f"keras.losses.{call}", axes=1)
        assert node.rule.term is not None  # what Keras has is a sum of terms
        return reduced(node, weight + (term or node.rule.term.formula))

    return LossRule(name, formula)


def class_loss(name: str, term: Callable[[Node], str]) -> LossRule:
    """Return the rule of a loss over the classes; `term` is the loss of each position."""
    return LossRule(name, lambda node: reduced(node, _weight(node) + term(node), axes=1))


def _weight(node: Node) -> str:
    """Return the factor of each position's loss, "" where all classes count alike."""
    weights = node.attrs["class_weight"]
    if not weights:
        return ""
    table = f"tf.constant({[*weights]}, y.dtype)"
    by_number = node.ins[1].type.dtype == "int"
    return f"tf.gather({table}, t) * " if by_number else f"tf.linalg.matvec(t, {table}) * "


def _rows(node: Node) -> str:
    """Return the target as rows that sum to one."""
    y, t = node.ins[:2]
    return f"tf.one_hot(t, {y.type.example[-1]}, dtype=y.dtype)" if t.type.dtype == "int" else "t"


def _cross_entropy(node: Node) -> str:
    smoothing = node.attrs["smoothing"]
    rows = f"smooth({_rows(node)}, {smoothing})" if smoothing else _rows(node)
    return f"-tf.reduce_sum({rows} * safe_log(y), axis=-1)"


def _softmax_cross_entropy(node: Node) -> str:
    if node.ins[1].type.dtype == "int" and not node.attrs["smoothing"]:
        return "keras.losses.sparse_categorical_crossentropy(t, y, from_logits=True)"
    smoothing = f", label_smoothing={node.attrs['smoothing']}" if node.attrs["smoothing"] else ""
    return f"keras.losses.categorical_crossentropy({_rows(node)}, y, from_logits=True{smoothing})"


def _front(factor: float) -> str:
    return "-" if factor == -1 else "" if factor == 1 else f"{factor} * "


TOTAL_OF_EXAMPLES = LossRule("total_of_examples", lambda node: _front(node.attrs["factor"]) + reduced(node, "terms"))
WEIGH = LossRule(
    "weigh",
    lambda node: f"w{along(node.ins[0], len(node.ins[1].type.shape))} * tf.cast(m, w.dtype)",
)


def _pick(node: Node) -> str:
    rank = len(node.ins[1].type.shape)
    return f"tf.gather(x, y[{':' if rank == 1 else '...'}, None], axis={rank}, batch_dims={rank})"


PICK = LossRule("pick", _pick)
PERCEPTRON = LossRule("perceptron", lambda node: reduced(node, "tf.where(t * y <= 0, -t * y, tf.zeros_like(y))"))
MSE = keras_loss("mse", "mean_squared_error(t, y)")
L1 = keras_loss("l1", "mean_absolute_error(t, y)")
HUBER = keras_loss("huber", "huber(t, y, delta=delta)")
SIGMOID_BCE = keras_loss(
    "sigmoid_bce",
    "binary_crossentropy(t, y, from_logits=True)",
    "tf.nn.sigmoid_cross_entropy_with_logits(labels=t, logits=y)",
)
CROSS_ENTROPY = class_loss("cross_entropy", _cross_entropy)
SOFTMAX_CROSS_ENTROPY = class_loss("softmax_cross_entropy", _softmax_cross_entropy)
