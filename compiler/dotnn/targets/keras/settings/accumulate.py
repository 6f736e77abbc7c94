"""`accumulate`: the gradient of a large batch, computed in pieces."""

from __future__ import annotations

from dotnn.codegen import counting
from dotnn.codegen.training import sums
from dotnn.model.model import Model
from dotnn.targets.keras.settings import Setting

TEXT = '''
def accumulated(network, batch, *, scale_loss=tf.identity):
    """Return what `loss_and_grads` does of a batch, in pieces of BATCH_SIZE examples, one after the other."""
    count = batch["{first}"].shape[0]
    total, grads = tf.zeros((), network.variable_dtype), {{}}{counts}
    for start in range(0, count, BATCH_SIZE):
        piece = {{name: values[start : start + BATCH_SIZE] for name, values in batch.items()}}
        with tf.control_dependencies([total]):
            loss, found = loss_and_grads(network, piece, scale_loss=scale_loss)
{adds}
    return total, grads
'''
SHARE = "min(BATCH_SIZE, count - start) / count"
BY_COUNT = "tf.math.divide_no_nan(tf.reduce_sum(counts[start : start + BATCH_SIZE]), tf.reduce_sum(counts))"
NUMBERS = "tf.cast({}, network.variable_dtype)"
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
    counts = "" if sums(model) else counting.of_a_batch(model, 'batch["{}"]', NUMBERS)
    adds = (SUM if sums(model) else MEAN.format(share=BY_COUNT if counts else SHARE)).strip("\n")
    counts = counts and f"\n    counts = {counts}"
    return TEXT.format(first=next(iter(model.inputs)), adds=adds, counts=counts).strip("\n").split("\n")


ACCUMULATE = Setting("accumulate", _lines)
