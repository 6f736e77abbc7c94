"""`accumulate`: the gradient of a large batch, computed in pieces."""

from __future__ import annotations

from dotnn.codegen.training import sums
from dotnn.model.model import Model
from dotnn.targets.keras.settings import Setting

TEXT = '''
def accumulated(network, batch, *, scale_loss=tf.identity):
    """Return what `loss_and_grads` does of a batch, in pieces of BATCH_SIZE examples, one after the other."""
    count = batch["{first}"].shape[0]
    total, grads = tf.zeros((), network.variable_dtype), {{}}
    for start in range(0, count, BATCH_SIZE):
        piece = {{name: values[start : start + BATCH_SIZE] for name, values in batch.items()}}
        with tf.control_dependencies([total]):
            loss, found = loss_and_grads(network, piece, scale_loss=scale_loss)
{adds}
    return total, grads
'''
SHARE = "min(BATCH_SIZE, count - start) / count"
BY_WEIGHT = 'tf.math.divide_no_nan(tf.reduce_sum(piece["{0}"]), tf.reduce_sum(batch["{0}"]))'
MEAN = """
        share = {share}
        total += share * loss
        grads = {{name: grads.get(name, 0) + share * grad for name, grad in found.items()}}
"""
SUM = """
        total += loss
        grads = {name: grads.get(name, 0) + grad for name, grad in found.items()}
"""


def _lines(model: Model, count: int) -> list[str]:
    share = BY_WEIGHT.format(model.weights) if model.weights else SHARE
    adds = (SUM if sums(model) else MEAN.format(share=share)).strip("\n")
    return TEXT.format(first=next(iter(model.inputs)), adds=adds).strip("\n").split("\n")


ACCUMULATE = Setting("accumulate", _lines)
