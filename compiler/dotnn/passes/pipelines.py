"""Passes in an order that several targets have in common."""

from __future__ import annotations

from dotnn.passes.base import Pipeline
from dotnn.passes.differentiate import differentiate
from dotnn.passes.fuse_losses import fuse_losses
from dotnn.passes.join_columns import join_columns
from dotnn.passes.name import name
from dotnn.passes.simplify import simplify
from dotnn.passes.stable_forms import stable_forms


def plain(*, input_gradients: bool = False, words: frozenset[str] = frozenset()) -> Pipeline:
    """Return the passes after which a graph is what a reader sees: forward pass, loss, and the gradients."""
    names, gradients = name.given(words=words), differentiate.given(input_gradients=input_gradients)
    return (fuse_losses, stable_forms, names, gradients, join_columns, simplify, names)
