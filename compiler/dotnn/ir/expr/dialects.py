"""How each target writes formulas: which words it has, and what it writes in place of what it lacks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from dotnn.ir.expr.frozen import Frozen
from dotnn.ir.expr.functions import FUNCTIONS, Function
from dotnn.ir.expr.tree import Attribute, Binary, Call, Choice, Expr, Method, Name, Number, Unary
from dotnn.ir.expr.visit import map_children, reads


class Unspellable(ValueError):
    """A dialect has no word for something; the message says which."""


class Dialect(Frozen):
    """How one target writes expressions.

    title    what it is called in errors
    key      its entry in `Function.spellings`; one that is missing there is looked up under `like`
    logic    how `and`, `or`, `not` of masks are written
    methods  method -> the function that takes its operand first; None: methods stay methods, all of them
    modules  whose functions a formula may name in the dialect's own words, such as `tf.nn.relu(x)`
    plain    the dialect of functions of plain numbers, whose result takes the precision of the arrays around it
    idiom    what is written in place of a node whose parts are written so already
    """

    title: str
    key: str
    like: str = ""
    logic: Mapping[str, str] = {}
    methods: Mapping[str, str] | None = None
    modules: tuple[str, ...] = ()
    plain: str = "math"
    idiom: Callable[[Expr], Expr] | None = None

    def has(self, function: str) -> bool:
        """Whether it has a word for a function."""
        found = FUNCTIONS.get(function)
        return found is not None and (self.key in found.spellings or self.like in found.spellings)

    def word(self, function: Function, of_numbers: bool) -> str:
        """Return the spelling of a function. Raises `Unspellable`."""
        for key in (self.plain if of_numbers else "", self.key, self.like):
            if key in function.spellings:
                return function.spellings[key]
        raise Unspellable(f"{self.title} has no {function.name}: a formula that calls it cannot be written for it")

    def idiomatic(self, expr: Expr, numbers: Collection[str] = ()) -> Expr:
        """Return an expression with the dialect's idioms; what reads only `numbers` is left to the plain dialect."""
        return self._written(expr, numbers)[0]

    def _written(self, expr: Expr, numbers: Collection[str]) -> tuple[Expr, bool]:
        """Return an expression with the idioms, and whether it reads only `numbers`."""
        if self.idiom is None:
            return expr, False
        plain = [not isinstance(expr, Name) or expr.id in numbers]

        def part_written(part: Expr) -> Expr:
            written, of_numbers = self._written(part, numbers)
            plain.append(of_numbers)
            return written

        changed = map_children(expr, part_written)
        left = all(plain) and bool(self.plain) and self.plain != self.key
        return (expr if left else self.idiom(changed)), all(plain)


def _by_order(part: Expr) -> Expr:
    """Return what is the same for real numbers and is analytic, or at least looks at the order of complex ones.

    Complex numbers come from the validator, whose derivatives stand in the imaginary part.
    """
    match part:
        case Call("abs", (Binary("-", left, right) as difference,)):
            return Call("where", (Binary(">", left, right), difference, Binary("-", right, left)))
        case Call("abs", (x,)):
            return Call("where", (Binary(">", x, Number(0)), x, Unary("-", x)))
        case Call("sign" | "floor" as step, (x,)):
            return Call(step, (Attribute(x, "real"),))
        case Call("logaddexp", (x, y)):
            return Binary("+", y, Call("softplus", (Binary("-", x, y),)))
        case Call("mod", (x, y)):
            return Binary("-", x, Binary("*", y, Call("floor", (Attribute(Binary("/", x, y), "real"),))))
    return part


def _of_tensorflow(part: Expr) -> Expr:
    """Return what TensorFlow has and differentiates as we do: it passes gradients on where a bound is met exactly."""
    match part:
        case Attribute(matrix, "T"):
            return Method(Name("tf"), "transpose", (matrix,))
        case Call("maximum" | "minimum" as extreme, (bound, x)) if reads(x) and not reads(bound):
            return _of_tensorflow(Call(extreme, (x, bound)))
        case Call("maximum", (x, Number(0))):
            return Call("relu", (x,))
        case Call("maximum" | "minimum" as extreme, (x, bound)) if not reads(bound):
            return Call("where", (Binary(">" if extreme == "maximum" else "<", x, bound), x, bound))
        case Call("clip", (x, low, high)):
            return Call("where", (Binary(">", x, low), Call("where", (Binary("<", x, high), x, high)), low))
        case Call("where", (test, number, x)) if reads(x) and not reads(number):  # else it would be a whole number
            return Call("where", (test, Binary("*", number, Call("ones_like", (Name(reads(x)[0]),))), x))
        case Binary("**", x, Number(2)) if reads(x):
            return Call("square", (x,))
    return part


def _in_plain_python(part: Expr) -> Expr:
    """Return a choice and a remainder of numbers as Python writes them."""
    match part:
        case Call("where", (test, yes, no)):
            return Choice(test, yes, no)
        case Call("mod", (x, y)):
            return Binary("%", x, y)
    return part


def _infix(part: Expr) -> Expr:
    """Return a remainder as specs write it."""
    return Binary("mod", *part.args) if isinstance(part, Call) and part.function == "mod" else part


_MASKS = {"and": "&", "or": "|", "not": "~"}
_REDUCED = ("sum", "mean", "max", "min")
NUMPY = Dialect("NumPy", "numpy", logic=_MASKS)
ARRAYS = Dialect("NumPy", "arrays", "numpy", _MASKS, plain="")
"""As NumPy alone: its functions are called for plain numbers, too."""
ANALYTIC = Dialect("NumPy on complex numbers", "analytic", "numpy", _MASKS, idiom=_by_order)
TENSORFLOW = Dialect(
    "TensorFlow",
    "tensorflow",
    "",
    _MASKS,
    {m: f"tf.reduce_{m}" for m in _REDUCED},
    ("tf", "keras"),
    idiom=_of_tensorflow,
)
KERAS = Dialect("Keras", "keras", "", _MASKS, {m: f"keras.ops.{m}" for m in _REDUCED}, ("keras",))
JAX = Dialect("JAX", "jax", logic=_MASKS)
MATH = Dialect("Python's math", "math", methods={}, idiom=_in_plain_python)
LANGUAGE = Dialect("the language of specs", "language", logic={"**": "^"}, plain="", idiom=_infix)
DIALECTS = {d.key: d for d in (NUMPY, ARRAYS, ANALYTIC, TENSORFLOW, KERAS, JAX, MATH, LANGUAGE)}


MAKERS = ("ones_like",)
"""Functions of NumPy's that make an array, and write into none."""


def ufunc(function: str) -> str:
    """Return NumPy's name of a function that can write into an array. Raises `Unspellable` for another one."""
    found = FUNCTIONS.get(function)
    word = found.spellings.get("numpy", "") if found and found.elementwise and len(found.operands) < 3 else ""
    if not word or "{" in word or function in MAKERS:
        raise Unspellable(f"NumPy has no {function} that writes into an array that exists")
    return word.removeprefix("np.")
