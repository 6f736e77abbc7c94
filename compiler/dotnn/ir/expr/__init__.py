"""One tree for every formula: lines and slopes of ops, optimizers, schedules, losses, and what users write.

A text is parsed once (`parse`, `equation`), asked what it `reads` and `calls`, filled in (`substitute`), and spelt for
a dialect (`spell`): NumPy, TensorFlow, Keras, JAX, or Python's own numbers. What a dialect cannot spell is an error,
never a default. `expr.derive` differentiates a formula and `expr.infer` finds its type; few compilations need them.
"""

from dotnn.ir.expr.dialects import DIALECTS, Dialect, Unspellable, ufunc
from dotnn.ir.expr.functions import FUNCTIONS, Function, size
from dotnn.ir.expr.parse import NotAnExpression, equation, equations, parse
from dotnn.ir.expr.spell import spell
from dotnn.ir.expr.tree import (
    Attribute,
    Binary,
    Bracketed,
    Call,
    Choice,
    Equation,
    Expr,
    Index,
    Keyword,
    Literal,
    Method,
    Name,
    Number,
    Sequence,
    Slice,
    Unary,
    constant,
    number,
)
from dotnn.ir.expr.visit import calls, map_children, reads, substitute, walk

__all__ = [
    "DIALECTS", "FUNCTIONS", "Attribute", "Binary", "Bracketed", "Call", "Choice", "Dialect", "Equation", "Expr",
    "Function", "Index", "Keyword", "Literal", "Method", "Name", "NotAnExpression", "Number", "Sequence", "Slice",
    "Unary", "Unspellable", "calls", "constant", "equation", "equations", "map_children", "number", "parse", "reads",
    "size", "spell", "substitute", "ufunc", "walk",
]  # fmt: skip
