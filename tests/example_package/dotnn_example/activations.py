"""Squash: like tanh, but it comes to its limits slowly."""

from __future__ import annotations

from dotnn.library.layers.base import activation
from dotnn.library.ops.activations import unary

SQUASH_OP, SQUASH_DERIVATIVE = unary("squash", "z / (1 + abs(z))", equation="a = z / (1 + |z|) (Bergstra 2009)")
SQUASH = activation("squash", "Like tanh, but it comes to its limits slowly.", equation="a = z / (1 + |z|)")
