"""One tree for every formula: lines and slopes of ops, optimizers, schedules, losses, and what users write.

A text is parsed once (`parse`, `equation`), asked what it `reads` and `calls`, filled in (`substitute`), differentiated
(`derive`), typed (`infer`), and spelt for a dialect (`spell`): NumPy, TensorFlow, Keras, JAX, or Python's own numbers.
What a dialect cannot spell is an error, never a default.
"""

from dotnn.ir.expr.derive import NoDerivative, derive
from dotnn.ir.expr.functions import FUNCTIONS, Function
from dotnn.ir.expr.infer import NoType, infer
from dotnn.ir.expr.parse import NotAnExpression, equation, parse
from dotnn.ir.expr.spell import DIALECTS, Dialect, Unspellable, spell, ufunc
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
    calls,
    map_children,
    number,
    reads,
    substitute,
    walk,
)

__all__ = [
    "DIALECTS", "FUNCTIONS", "Attribute", "Binary", "Bracketed", "Call", "Choice", "Dialect", "Equation", "Expr",
    "Function", "Index", "Keyword", "Literal", "Method", "Name", "NoDerivative", "NoType", "NotAnExpression",
    "Number", "Sequence", "Slice", "Unary", "Unspellable", "calls", "derive", "equation", "infer", "map_children",
    "number",
    "parse", "reads", "spell", "substitute", "ufunc", "walk",
]  # fmt: skip
