"""dotnn: a compiler for neural networks with readable, validated backpropagation."""

__version__ = "0.1.0"
