"""Expressions: derivatives against SymPy and against complex steps, texts against Python's own reading of them."""

import math

import numpy as np
import pytest
import sympy
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from scipy.special import erf as real_erf

from dotnn.ir.expr import (
    DIALECTS,
    FUNCTIONS,
    Binary,
    Call,
    Choice,
    Index,
    Name,
    NotAnExpression,
    Number,
    Sequence,
    Unary,
    Unspellable,
    calls,
    equation,
    parse,
    reads,
    spell,
    substitute,
    walk,
)
from dotnn.ir.expr.derive import NoDerivative, derive, sent_back
from dotnn.ir.expr.functions import PIECEWISE
from dotnn.ir.interpret import helper_functions

ANALYTIC, NUMPY, MATH, TENSORFLOW = (DIALECTS[k] for k in ("analytic", "numpy", "math", "tensorflow"))
POINTS = np.array([-1.7, -0.6, -0.13, 0.21, 0.8, 1.9])
SMOOTH = [f for f in FUNCTIONS.values() if f.derivatives or f.name in PIECEWISE]


def erf(z):
    """The error function, and off the real axis its first-order continuation: all that a complex step needs."""
    return real_erf(z.real) + 1j * z.imag * 2 / math.sqrt(math.pi) * np.exp(-(z.real**2))


def value(expr, **values):
    """What an expression comes to in NumPy, on numbers of any kind."""
    known = {"np": np, "math": math, "erf": erf, "floor": np.floor, **helper_functions()}
    text = spell(expr, ANALYTIC, helpers={"erf", "sigmoid", "softplus"})
    return eval(text, {**known, **values}) + np.zeros(np.shape(values.get("z", POINTS)))


def domain(function, i):
    """Points at which a function is defined, and no operand ties with another."""
    points = POINTS + 0.31 * i
    return np.abs(points) if function.domain == "x > 0" else points + 1.8 if "x > -1" in function.domain else points


def operands(function):
    mask = {"c": np.array([True, False] * 3)}
    return {o: mask.get(o, domain(function, i)) for i, o in enumerate(function.operands) if o != "*"}


@pytest.mark.parametrize("function", SMOOTH, ids=lambda f: f.name)
def test_every_derivative_is_that_of_a_complex_step(function):
    if function.name == "round":
        pytest.skip("flat, and NumPy's is another one")
    names = operands(function)
    call = Call(function.name, tuple(map(Name, names)))
    for name in names:
        if "0" in function.derivatives[list(names).index(name) :][:1] or name == "c":
            assert derive(call, name) == Number(0)
            continue
        shifted = {n: v + 1e-30j * (n == name) if v.dtype != bool else v for n, v in names.items()}
        found = value(derive(call, name), **names)
        np.testing.assert_allclose(found, np.imag(stepped(function.name, call, shifted)) / 1e-30, rtol=1e-12)


def stepped(name, call, values):
    """The value of a call of complex operands; a minimum or a maximum is one by order, as complex numbers have it."""
    if name == "clip":  # NumPy's own orders complex numbers by their imaginary parts, too
        x, low, high = values.values()
        return np.where(x.real < low.real, low, np.where(x.real > high.real, high, x))
    return value(call, **values)


SYMPY = {
    "expm1": lambda x: sympy.exp(x) - 1,
    "log1p": lambda x: sympy.log(1 + x),
    "sigmoid": lambda x: 1 / (1 + sympy.exp(-x)),
    "softplus": lambda x: sympy.log(1 + sympy.exp(x)),
    "logaddexp": lambda x, y: sympy.log(sympy.exp(x) + sympy.exp(y)),
    "abs": lambda x: sympy.Piecewise((x, x > 0), (-x, True)),
    "square": lambda x: x**2,
    "minimum": lambda x, y: sympy.Piecewise((x, x <= y), (y, True)),
    "maximum": lambda x, y: sympy.Piecewise((x, x >= y), (y, True)),
    "where": lambda c, x, y: sympy.Piecewise((x, c), (y, True)),
    "clip": lambda x, low, high: sympy.Piecewise((low, x <= low), (high, x >= high), (x, True)),
    "pi": lambda: sympy.pi,
}


def to_sympy(expr):
    """The same formula as SymPy has it, read off the tree: none of our derivatives has a hand in it."""
    match expr:
        case Name(id):
            return sympy.Symbol(id, real=True)
        case Number(number):
            return sympy.nsimplify(number, rational=True)
        case Unary("-", operand):
            return -to_sympy(operand)
        case Binary(op, left, right):
            a, b = to_sympy(left), to_sympy(right)
            return {
                "+": lambda: a + b, "-": lambda: a - b, "*": lambda: a * b, "/": lambda: a / b, "**": lambda: a**b,
                "<": lambda: a < b, "<=": lambda: a <= b, ">": lambda: a > b, ">=": lambda: a >= b,
            }[op]()  # fmt: skip
        case Call(name, args):
            return SYMPY.get(name, getattr(sympy, name, None))(*map(to_sympy, args))
    raise AssertionError(expr)


FORMULAS = [
    "tanh(z)", "z * sigmoid(2 * z)", "(t - z) ** 2", "abs(z - t)", "maximum(1 - t * z, 0)", "log(1 + exp(z))",
    "z ** 3", "2 ** z", "(1.5 + z * z) ** z", "sqrt(z * z + 1)", "z / (1 + abs(z))", "erf(z / sqrt(2)) * z / 2",
    "exp(-z * z / 2)", "where(t * z <= 0, -t * z, 0)", "where(z > 0, z, 0.7 * expm1(minimum(z, 0)))",
    "1 / (1 + exp(-z))", "cos(pi * z)", "t * z / sqrt(z * z + 0.1)", "z * (z + 1) * (z - 1)", "1 / sqrt(1 + z ** 2)",
    "-(t - z) / -z", "softplus(3 * z - t)", "z * 0.5 * (1 + tanh(0.7978845608 * (z + 0.044715 * z * z * z)))",
    "t * z * z * t - z", "log1p(z * z) / 3 - 1 / 2", "(2 * z) ** 2 / (3 * t)", "sin(z) ** 2 + cos(z) ** 2",
    "logaddexp(z, t * z)", "minimum(z * z, t) * 2", "square(z - 1)", "max(q * (t - z), (q - 1) * (t - z))",
    "1 - ((t - q) / exp(z)) ** 2 / 2", "(q - t) ** 2 / z", "clip(z, -1, 1) * z", "z ** 1.5 * 0 + z",
    "exp(z) / exp(2 * z)",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_derivatives_of_formulas_are_those_of_sympy(text):
    formula = parse(text)
    expected = sympy.lambdify([sympy.Symbol(n, real=True) for n in "ztq"], _slope(formula), "scipy")
    for t, q in ((0.3, 0.9), (-1.2, 0.2)):
        found = value(derive(formula, "z"), z=POINTS, t=t, q=q)
        np.testing.assert_allclose(found, [float(expected(z, t, q)) for z in POINTS], rtol=1e-9, atol=1e-13)


def _slope(formula):
    return sympy.diff(to_sympy(formula), sympy.Symbol("z", real=True)).subs(sympy.Derivative, 0)


UNBOUNDED = ["exp", "softplus", "square", "abs"]
SMOOTH_TREES = st.recursive(
    st.sampled_from([Name("z"), Name("z"), Name("t"), Number(2), Number(0.5), Number(3)]),
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from("+-*/"), inner, inner),
        st.builds(lambda x, n: Binary("**", x, Number(n)), inner, st.sampled_from([2, 3])),
        st.builds(lambda x: Unary("-", x), inner),
        st.builds(lambda f, x: Call(f, (x,)), st.sampled_from(["tanh", "sin", "cos", "sigmoid", *UNBOUNDED]), inner),
        st.builds(lambda x: Call("sqrt", (Binary("+", Number(1), Binary("*", x, x)),)), inner),
        st.builds(lambda x, y: Call("maximum", (x, Call("tanh", (y,)))), inner, inner),
    ),
    max_leaves=7,
)


@settings(max_examples=400, deadline=None)
@given(SMOOTH_TREES)
def test_derivatives_of_any_formula_are_those_of_a_complex_step(tree):
    with np.errstate(all="ignore"):
        z = np.array([-1.37, -0.41, 0.29, 1.13])
        try:
            expected = np.imag(value(tree, z=z + 1e-30j, t=np.array(0.77)) * np.ones(4)) / 1e-30
            found = value(derive(tree, "z"), z=z, t=np.array(0.77)) * np.ones(4)
            slopes = [abs(value(derive(part, "z"), z=z, t=np.array(0.77))).max() for part in walk(tree)]
        except (ZeroDivisionError, OverflowError):  # of one constant by another; exp of a constant beyond a double
            reject()
    size = max([1.0, *slopes])  # what may have cancelled
    if np.isfinite(size) and size < 1e9 and np.isfinite(expected).all():  # z - z is no divisor
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-11 * size)


@pytest.mark.parametrize(
    "text, slope",
    [
        ("tanh(z)", "1 - a * a"),
        ("sigmoid(z)", "a * (1 - a)"),
        ("exp(z)", "a"),
        ("sqrt(z)", "1 / (2 * a)"),
        ("(t - z) ** 2", "2 * (z - t)"),
        ("0.5 * (t - z) ** 2", "z - t"),
        ("abs(z - t)", "np.sign(z - t)"),
        ("max(1 - t * z, 0)", "np.where(1 - t * z > 0, -t, 0)"),
        ("z ** 3", "3 * z ** 2"),
        ("z / (1 + abs(z))", "1 / (1 + np.absolute(z)) ** 2"),
        ("softplus(z)", "sigmoid(z)"),
        ("cos(pi * z)", "-math.pi * np.sin(math.pi * z)"),
        ("exp(-z * z / 2) + 1", "-z * np.exp(-z * z / 2)"),
    ],
)
def test_derivatives_read_like_a_textbook(text, slope):
    formula = parse(text)
    assert spell(derive(formula, "z", {formula: Name("a")}), NUMPY, {"sigmoid"}) == slope


def test_what_is_sent_back_has_no_brackets_that_it_does_not_need():
    assert spell(sent_back("z ** 2 / 3", "z")) == "d * 2 * z / 3"
    assert spell(sent_back("z * tanh(z)", "z")) == "d * (np.tanh(z) + z * (1 - np.tanh(z) ** 2))"
    assert spell(sent_back("tanh(z)", "z", "a")) == "d * (1 - a * a)"
    assert spell(sent_back("z / (1 + abs(z))", "z")) == "d / (1 + np.absolute(z)) ** 2"


def test_kinks_have_the_derivatives_that_are_promised():
    for text, at, expected in [
        ("max(z, 0)", 0, 0),
        ("max(0, z)", 0, 0),
        ("abs(z)", 0, 0),
        ("max(z, t)", 1, 1),
        ("max(t, z)", 1, 0),
        ("min(z, 2 * z)", 0, 1),
        ("where(z > 0, 2 * z, 3 * z)", 0, 3),
    ]:
        assert value(derive(parse(text), "z"), z=np.array([at]), t=1.0) == expected, text


@pytest.mark.parametrize(
    "text, column",
    [
        ("a ^ b", 1), ("a < b < c", 1), ("1 + np.nothing(z)", 5), ("exp(a, b)", 1), ("x[::2]", 3), ("é + 1j * z", 5),
        ("lambda: 1", 1), ("2 + (yield)", 6), ("[i for i in x]", 1), ("a.b(c)(d)", 1),
    ],
)  # fmt: skip
def test_what_is_no_formula_is_refused_with_its_column(text, column):
    with pytest.raises(NotAnExpression) as found:
        parse(text)
    assert found.value.column == column


def test_an_equation_is_one_assignment_to_a_name():
    assert equation("w = w - lr * g").target == "w"
    for text in ("w += g", "a = b = c", "w[0] = 1", "w", "a = 1; b = 2"):
        with pytest.raises(NotAnExpression):
            equation(text)


def test_what_a_formula_reads_and_calls():
    formula = parse("lr * m / (sqrt(v) + eps) if lr else x.sum(axis=k)[..., None] + pi")
    assert reads(formula) == ("lr", "m", "v", "eps", "x", "k")
    assert calls(formula) == ("sqrt", "pi")


def test_substitution_keeps_the_meaning():
    parts = {"a": parse("x + y"), "b": parse("-x"), "c": "w"}
    found = substitute(parse("a * b ** a - a / c"), parts)
    x, y, w = 1.3, 0.4, 0.9
    a, b, c = x + y, -x, w
    text = spell(found)
    assert eval(text) == pytest.approx(a * b ** round(a) - a / c) if a == round(a) else "(x + y)" in text
    assert reads(found) == ("x", "y", "w") and c == w


ATOMS = st.sampled_from([Name("p"), Name("q"), Number(2), Number(0.5), Number(3)])
ARITHMETIC = ["+", "-", "*", "/", "//", "%", "**"]
TREES = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.builds(Binary, st.sampled_from(ARITHMETIC), inner, inner),
        st.builds(Binary, st.sampled_from(["<", "<=", ">", "==", "!="]), inner, inner),
        st.builds(Binary, st.sampled_from(["and", "or"]), inner, inner),
        st.builds(Unary, st.sampled_from(["-", "not"]), inner),
        st.builds(Choice, inner, inner, inner),
        st.builds(lambda x: Call("abs", (x,)), inner),
        st.builds(lambda x, y: Index(Sequence((x, y)), (Number(0),)), inner, inner),
    ),
    max_leaves=12,
)


def by_hand(expr, scope):
    """The value of a tree, node by node: brackets have no part in it."""
    match expr:
        case Name(id):
            return scope[id]
        case Number(number):
            return number
        case Unary("-", operand):
            return -by_hand(operand, scope)
        case Unary("not", operand):
            return not by_hand(operand, scope)
        case Binary("and", left, right):
            return by_hand(left, scope) and by_hand(right, scope)
        case Binary("or", left, right):
            return by_hand(left, scope) or by_hand(right, scope)
        case Binary(op, left, right):
            return eval(f"a {op} b", {"a": by_hand(left, scope), "b": by_hand(right, scope)})
        case Choice(test, yes, no):
            return by_hand(yes if by_hand(test, scope) else no, scope)
        case Call("abs", (operand,)):
            return abs(by_hand(operand, scope))
        case Index(Sequence((first, second)), _):
            return (by_hand(first, scope), by_hand(second, scope))[0]
    raise AssertionError(expr)


def outcome(compute):
    """What comes out, or which error does."""
    try:
        return repr(compute())
    except (ArithmeticError, TypeError) as error:
        return type(error).__name__


@settings(max_examples=500, deadline=None)
@given(TREES)
def test_brackets_stand_where_precedence_needs_them_and_nowhere_else(tree):
    scope = {"p": 1.25, "q": -0.75}
    text = spell(tree, MATH)
    assert outcome(lambda: eval(text, dict(scope))) == outcome(lambda: by_hand(tree, scope)), text
    assert spell(parse(text), MATH) == text
    assert parse(text) == tree


def test_what_a_dialect_cannot_spell_is_an_error_that_says_so():
    for text, dialect, word in [
        ("erf(z)", NUMPY, "NumPy has no erf"),
        ("erf(z)", ANALYTIC, "no erf"),
        ("logaddexp(x, y)", MATH, "Python's math has no logaddexp"),
        ("nothing(z)", NUMPY, "no nothing"),
        ("x.argmax(axis=0)", TENSORFLOW, "TensorFlow has no method argmax"),
        ("x.sum()", MATH, "no method sum"),
        ("logaddexp(x, y)", TENSORFLOW, "TensorFlow has no logaddexp"),
    ]:
        with pytest.raises(Unspellable, match=word):
            spell(parse(text), dialect)


def test_no_derivative_through_what_mixes_elements():
    for text in ("x.sum()", "x @ W", "x[0]", "huber(x)", 'einsum("ij,jk->ik", x, W)', "x % 2"):
        with pytest.raises(NoDerivative):
            derive(parse(text), "x")
    assert derive(parse("y @ W + x"), "x") == Number(1)


def test_functions_of_plain_numbers_are_pythons():
    assert eval(spell(parse("sqrt(2) * x"), ANALYTIC), {"math": math, "x": np.float32(1)}).dtype == np.float32


@pytest.mark.parametrize("dialect", ["numpy", "math", "tensorflow", "keras", "jax"])
def test_spellings_name_functions_that_exist(dialect):
    modules = {"numpy": "numpy", "math": "math", "tensorflow": "tensorflow", "keras": "keras", "jax": "jax"}
    try:
        module = __import__(modules[dialect])
    except ImportError:
        pytest.skip(f"{dialect} is not installed")
    scope = {"np": np, "math": math, "tf": module, "keras": module, **helper_functions(), "jax": module}
    if dialect == "jax":
        scope["jnp"] = __import__("jax.numpy").numpy
    for function in FUNCTIONS.values():
        word = function.spellings.get(dialect, "len")
        if "{" in word and function.elementwise:
            numbers = {operand: f"({0.3 + i})" for i, operand in enumerate(function.operands)}
            assert np.isfinite(float(eval(word.format_map(numbers), scope))), word
        else:
            assert callable(eval(word.partition("(")[0], scope)) or not function.operands, word
