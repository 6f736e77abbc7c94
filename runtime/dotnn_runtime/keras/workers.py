"""What the workers of one training tell each other besides gradients."""

import tensorflow as tf

from dotnn_runtime.script.digest import digest_of
from dotnn_runtime.script.errors import DataError


@tf.function
def mean_over_workers(strategy, numbers):
    """Return the mean of what the workers have, the same on all of them, so that they decide alike."""
    return strategy.reduce("MEAN", strategy.run(lambda: numbers), axis=None)


def check_agreement(strategy, **values):
    """Raise DataError where the workers have different values: they would train different networks."""
    mine = tf.constant([digest_of(value) for value in values.values()], tf.float64)
    differ = [
        name for name, same in zip(values, mine == mean_over_workers(strategy, mine), strict=True) if not same
    ]
    if differ:
        raise DataError(
            f"the workers differ in {', '.join(differ)}",
            help="give all of them the same data and options, and an --out that all of them can read",
        )
