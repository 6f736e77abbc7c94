"""Bags of examples: drawn with replacement, for one member of an ensemble."""

import typing

import numpy as np


def bag_rows(count: int, seed: int) -> np.ndarray:
    """Draw as many rows as there are, with replacement."""
    return np.random.default_rng([seed, 3]).integers(count, size=count)


def resampled(examples: dict[str, typing.Any], seed: int) -> dict[str, typing.Any]:
    """Return as many examples as there are, drawn with replacement: the bag of one member of an ensemble."""
    chosen = bag_rows(len(next(iter(examples.values()))), seed)
    return {name: values[chosen] for name, values in examples.items()}
