"""Every function that an expression may call: its operands, its derivatives, and its name in each dialect.

A derivative is a formula over the operands and `a`, the value of the function itself; one for each operand. At a kink
it is what `docs/language.md` states: 0 for abs at 0 and for a maximum that a constant ties with, else that of the first
operand. A function with no derivatives can be called, but nothing is differentiated through it.
"""

from __future__ import annotations

from collections.abc import Mapping

from dotnn.ir.expr.frozen import Frozen
from dotnn.ir.expr.tree import Call, Expr
from dotnn.ir.expr.visit import children


class Function(Frozen):
    """One function.

    operands     their names in `derivatives`; `*` as the last one stands for any number, and for keywords
    derivatives  by each operand; () where there are none, "0" where it is flat wherever it is smooth
    spellings    dialect -> its name there, or (with `{`) a template over the operands
    domain       where it is defined, over the operands; "" everywhere
    elementwise  element i of the result depends on elements i of the operands only
    copies       how often the target that needs most writes an operand in place of the function: |x| is x where x > 0,
                 else -x, on complex numbers
    """

    name: str
    operands: tuple[str, ...]
    derivatives: tuple[str, ...]
    spellings: Mapping[str, str]
    domain: str = ""
    elementwise: bool = True
    copies: int = 1

    def takes(self, count: int) -> bool:
        """Whether it can be called with so many operands."""
        fixed = len([o for o in self.operands if o != "*"])
        return count == fixed or ("*" in self.operands and count > fixed)


def _elementwise(
    name: str, operands: str, *derivatives: str, domain: str = "", copies: int = 1, **other: str
) -> Function:
    """Return a function that NumPy, Keras and JAX call by its name, unless `other` says so; "" is: not at all."""
    common = {"numpy": f"np.{name}", "keras": f"keras.ops.{name}", "jax": f"jnp.{name}"}
    common |= {"tensorflow": f"tf.{name}", "math": f"math.{name}", "language": name}
    spellings = {dialect: text for dialect, text in (common | other).items() if text}
    return Function(name, tuple(operands.split()), derivatives, spellings, domain, copies=copies)


def _array(name: str, operands: str, **other: str) -> Function:
    """Return a function of whole arrays; where `other` does not say, only NumPy and JAX have it."""
    common = {"numpy": f"np.{name}", "jax": f"jnp.{name}"}
    spellings = {dialect: text for dialect, text in (common | other).items() if text}
    return Function(name, tuple(operands.split()), (), spellings, elementwise=False)


_ALL = (
    _elementwise("exp", "x", "a"),
    _elementwise("log", "x", "1 / x", domain="x > 0", tensorflow="tf.math.log"),
    _elementwise("log1p", "x", "1 / (1 + x)", domain="x > -1", tensorflow="tf.math.log1p"),
    _elementwise("expm1", "x", "exp(x)", tensorflow="tf.math.expm1"),
    _elementwise("sqrt", "x", "1 / (2 * a)", domain="x > 0"),
    _elementwise(  # the root of a sum of squares: its derivative is 0 at 0
        "root", "x", "where(a > 0, 1 / (2 * where(a > 0, a, 1)), 0)",
        numpy="np.sqrt", keras="", jax="", math="math.sqrt", language="sqrt", domain="x > 0", copies=5,
        tensorflow="tf.where({x} > 0, tf.sqrt(tf.where({x} > 0, {x}, tf.ones_like({x}))), tf.zeros_like({x}))",
    ),
    _elementwise("sin", "x", "cos(x)"),
    _elementwise("cos", "x", "-sin(x)"),
    _elementwise("tanh", "x", "1 - a * a"),
    _elementwise(
        "sigmoid", "x", "a * (1 - a)",
        numpy="", jax="jax.nn.sigmoid", tensorflow="tf.sigmoid", math="(1 / (1 + math.exp(-({x}))))",
    ),
    _elementwise(
        "softplus", "x", "sigmoid(x)",
        numpy="", jax="jax.nn.softplus", tensorflow="tf.math.softplus", math="math.log1p(math.exp({x}))",
    ),
    _elementwise(
        "erf", "x", "2 / sqrt(pi) * exp(-x * x)",
        numpy="", jax="jax.scipy.special.erf", tensorflow="tf.math.erf",
    ),
    _elementwise("abs", "x", "sign(x)", copies=3, numpy="np.absolute", math="abs"),
    _elementwise("relu", "x", "where(x > 0, 1, 0)", numpy="np.maximum({x}, 0)", jax="jax.nn.relu",
                 tensorflow="tf.nn.relu", math="max({x}, 0)"),
    _elementwise("sign", "x", "0", math="float(np.sign({x}))"),  # a number of NumPy's would make all double
    _elementwise("floor", "x", "0"),
    _elementwise("square", "x", "2 * x", math=""),
    _elementwise("ones_like", "x", "0", math="1{x:.0}"),  # one, whatever the number
    _elementwise("mod", "x y", "1", "-floor(x / y)", copies=2, tensorflow="tf.math.floormod", math="(({x}) % ({y}))"),
    _elementwise("minimum", "x y", copies=2, math="min", language="min"),
    _elementwise("maximum", "x y", copies=2, math="max", language="max"),
    _elementwise("where", "c x y", math="({x} if {c} else {y})"),
    _elementwise("logaddexp", "x y", "sigmoid(x - y)", "sigmoid(y - x)", copies=2, tensorflow="", math=""),
    _elementwise(
        "clip", "x low high", "where(low < x and x < high, 1, 0)", "0", "0", copies=3,
        tensorflow="tf.clip_by_value", math="min(max({x}, {low}), {high})",
    ),
    Function(
        "logsumexp", ("x", "axis"), (),
        {"tensorflow": "tf.reduce_logsumexp({x}, axis={axis}, keepdims=True)", "language": "logsumexp"},
        elementwise=False,
    ),
    Function(
        "pick", ("x", "y"), (),
        {
            "numpy": "np.take_along_axis({x}, {y}[..., None], axis=-1)",
            "jax": "jnp.take_along_axis({x}, {y}[..., None], axis=-1)",
            "tensorflow": "tf.gather({x}, {y}[:, None], axis=1, batch_dims=1)",
            "language": "({x})[{y}]",
        },
        elementwise=False,
    ),
    Function(
        "softmax", ("x",), (),
        {"tensorflow": "tf.nn.softmax", "jax": "jax.nn.softmax", "language": "softmax"},
        elementwise=False,
    ),
    Function(
        "log_softmax", ("x",), (),
        {"tensorflow": "tf.nn.log_softmax", "jax": "jax.nn.log_softmax", "language": "log_softmax"},
        elementwise=False,
    ),
    Function("round", ("x", "*"), ("0",), {"math": "round", "language": "round"}),
    Function("pi", (), (), {"math": "math.pi", "language": "pi"}),
    Function("len", ("x",), (), {"numpy": "len", "jax": "len", "math": "len"}, elementwise=False),
    _array("einsum", "equation *", tensorflow="tf.einsum", keras="keras.ops.einsum"),
    _array("concatenate", "arrays *", tensorflow="tf.concat", keras="keras.ops.concatenate"),
    _array("repeat", "x n *", tensorflow="tf.repeat", keras="keras.ops.repeat"),
    _array("broadcast_to", "x shape", tensorflow="tf.broadcast_to", keras="keras.ops.broadcast_to"),
    _array("zeros_like", "x", tensorflow="tf.zeros_like", keras="keras.ops.zeros_like"),
    _array("zeros", "shape *", tensorflow="tf.zeros", keras="keras.ops.zeros"),
    _array("ones", "shape *", tensorflow="tf.ones", keras="keras.ops.ones"),
    _array("full", "shape value *"),
    _array("full_like", "x value"),
    _array("pad", "x widths *"),
    _array("tri", "n *"),
    _array("take_along_axis", "x indices *"),
    _array("swapaxes", "x a b", tensorflow="tf.linalg.matrix_transpose({x})", language="{x}.T"),
    _array("tile", "x times", tensorflow="tf.tile", keras="keras.ops.tile"),
)  # fmt: skip

FUNCTIONS: dict[str, Function] = {f.name: f for f in _ALL}


def size(expr: Expr) -> int:
    """Return how many nodes an expression has as the target writes it that needs most.

    A part that is shared counts at each of its places. The number is kept, for it is asked for there, too.
    """
    kept: int | None = getattr(expr, "_size", None)
    if kept is None:
        known = FUNCTIONS.get(expr.function) if isinstance(expr, Call) else None
        kept = 1 + (known.copies if known else 1) * sum(map(size, children(expr)))
        object.__setattr__(expr, "_size", kept)
    return kept


PIECEWISE = ("minimum", "maximum", "where")
"""What takes one of its operands: its derivative is that operand's."""

PAIRED = {"min": "minimum", "max": "maximum"}
"""What a function of one operand is called where it has two."""

OTHER_NAMES = {"absolute": "abs"}
"""NumPy's names of functions that are called otherwise here."""
