"""What an equation says, in numbers: trees are evaluated on arrays, all values of all indices at once.

Shares no code with what derives and prints equations.
"""

import math
from functools import reduce

import numpy as np
import scipy.special

from dotnn.ir.expr import Attribute, Binary, Call, Choice, Index, Name, Number, Sequence, Unary


def power(x, n):
    return np.power(np.asarray(x, float), n)


def unravelled(flat, lengths):
    """`np.unravel_index`, which in NumPy 2.4.6 is wrong for more than 8192 numbers whose last axis has length 1."""
    places = []
    for length in reversed(lengths):
        flat, place = np.divmod(flat, length)
        places.insert(0, place)
    return places


FUNCTIONS = {
    "exp": np.exp, "log": np.log, "log1p": np.log1p, "expm1": np.expm1, "sqrt": np.sqrt, "sin": np.sin, "cos": np.cos,
    "tanh": np.tanh, "sigmoid": scipy.special.expit, "abs": np.abs, "sign": np.sign, "floor": np.floor,
    "square": np.square, "erf": scipy.special.erf, "maximum": np.maximum, "minimum": np.minimum, "mod": np.mod,
    "clip": np.clip, "where": np.where, "relu": lambda x: np.maximum(x, 0),
    "softmax": lambda z: scipy.special.softmax(z, -1), "logaddexp": np.logaddexp,
    "concat": lambda *parts: np.concatenate(parts, -1), "reshape": lambda x, *sizes: x.reshape(sizes),
}  # fmt: skip
OPERATORS = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "**": power, "@": np.matmul, "%": np.mod,
    "//": np.floor_divide, "<": np.less, "<=": np.less_equal, ">": np.greater, ">=": np.greater_equal,
    "==": np.equal, "!=": np.not_equal, "and": np.logical_and, "or": np.logical_or,
}  # fmt: skip
REDUCTIONS = {"sum_over": (np.sum, 0.0), "max_over": (np.max, -np.inf), "min_over": (np.min, np.inf)}
LOGIC = ("<", "<=", ">", ">=", "==", "!=", "and", "or")


class Evaluation:
    """Evaluates one equation: `arrays` by the names of values, how many values each index has, the batch size.

    An element outside of its array is no element: each result comes with a mask of those that are.
    """

    def __init__(self, arrays, extents, batch, now="t", step=None):
        self.arrays = arrays
        self.extents = {name: batch if size == "B" else size for name, size in extents.items()}
        self.axes = {name: axis for axis, name in enumerate(self.extents)}
        self.batch, self.now, self.step = batch, now, step

    def result(self, left, right):
        """The array that the right side says, its axes in the order of the indices on the left."""
        value, inside = self.of(right)
        if not isinstance(left, Index):
            value = np.squeeze(value, tuple(range(len(self.axes)))) if self.axes else value
            return value
        value = np.where(inside, value, 0.0) if inside is not None else value
        free = [item.id for item in left.items if isinstance(item, Name) and item.id in self.axes]
        shape = [self.extents[name] if name in free else 1 for name in self.axes]
        value = np.broadcast_to(value, shape)
        order = [self.axes[name] for name in free]
        rest = [axis for axis in range(len(shape)) if axis not in order]
        return np.transpose(value, [*order, *rest]).reshape([self.extents[name] for name in free])

    def of(self, expr):
        """The values of a part, with a mask or None."""
        match expr:
            case Number(value):
                return np.asarray(value), None
            case Name(name) if name == self.now and name not in self.axes:
                return np.asarray(self.step), None
            case Name(name) if name in self.axes and name not in self.arrays:
                shape = [1] * len(self.axes)
                shape[self.axes[name]] = -1
                return np.arange(self.extents[name]).reshape(shape), None
            case Name(name):
                value = np.asarray(self.arrays[name])
                return (value.reshape([1] * len(self.axes)) if self.axes and value.size == 1 else value), None
            case Index(Name(name), items):
                return self.element(self.arrays[name], items)
            case Unary("-", part):
                value, inside = self.of(part)
                return -1 * value, inside
            case Unary(_, part):
                return np.logical_not(self.of(part)[0]), None
            case Attribute(part, "T"):
                return np.swapaxes(self.of(part)[0], -1, -2), None
            case Choice(test, yes, no):
                return self.of(yes if self.of(test)[0] else no)
            case Call("B"):
                return np.asarray(self.batch), None
            case Call("pi"):
                return np.asarray(math.pi), None
            case Call(name, (body, *letters)) if name.endswith("_over"):
                return self.over(name, body, [letter.id for letter in letters])
        return self.combined(expr)

    def combined(self, expr):
        match expr:
            case Binary("==", Sequence(items), other):
                place = self.of(other)[0]
                pairs = zip(items, np.moveaxis(place, -1, 0), strict=True)
                return reduce(np.logical_and, [self.of(item)[0] == p for item, p in pairs]), None
            case Binary(op, left, right):
                parts = [self.of(left), self.of(right)]
                function = OPERATORS[op]
            case Call(name, args):
                parts = [self.of(arg) for arg in args]
                function = FUNCTIONS[name]
        with np.errstate(all="ignore"):
            value = function(*(value for value, _ in parts))
        masks = [mask for _, mask in parts if mask is not None]
        if isinstance(expr, Binary) and expr.op in ("+", "-") and masks:  # what is outside counts 0
            zeros = [np.where(mask, value, 0) if mask is not None else value for value, mask in parts]
            return function(*zeros), None
        return value, (np.logical_and.reduce(masks) if len(masks) > 1 else masks[0]) if masks else None

    def element(self, array, items):
        """The elements at an index; a mask where the index may lie outside, or between two elements."""
        array = np.asarray(array)
        if array.ndim != len(items):
            array = array.reshape([size for i, size in enumerate(array.shape) if size != 1 or i == 0 < self.batch == 1])
        places = [self.of(item)[0] for item in items]
        inside = None
        whole = []
        for place, size in zip(places, array.shape, strict=True):
            number = np.floor(place).astype(int)
            good = (number == place) & (number >= 0) & (number < size)
            inside = good if inside is None else inside & good
            whole.append(np.clip(number, 0, size - 1))
        return array[tuple(np.broadcast_arrays(*whole))], None if inside.all() else inside

    def over(self, kind, body, letters):
        """A sum, mean or extreme over indices; what is outside is left out."""
        value, inside = self.of(body)
        shape = list(np.broadcast_shapes(np.shape(value), () if inside is None else inside.shape))
        shape = [1] * (len(self.axes) - len(shape)) + shape
        axes = tuple(self.axes[letter] for letter in letters)
        for letter, axis in zip(letters, axes, strict=True):
            shape[axis] = self.extents[letter]
        value = np.broadcast_to(value, shape).astype(float)
        inside = np.ones(shape, bool) if inside is None else np.broadcast_to(inside, shape)
        if kind in ("argmax_over", "argmin_over"):
            return self.first(value, inside, axes, 1 if kind == "argmax_over" else -1), None
        if kind == "mean_over":
            return np.where(inside, value, 0).sum(axes, keepdims=True) / inside.sum(axes, keepdims=True), None
        summed, neutral = REDUCTIONS[kind]
        return summed(np.where(inside, value, neutral), axis=axes, keepdims=True), None

    def first(self, value, inside, axes, sign):
        """Where the first extreme is: one number, or one for each of several indices along a last axis."""
        value = np.where(inside, sign * value, -np.inf)
        rest = [axis for axis in range(value.ndim) if axis not in axes]
        lengths = [value.shape[axis] for axis in axes]
        flat = np.transpose(value, [*rest, *axes]).reshape([*(value.shape[a] for a in rest), -1]).argmax(-1)
        kept = np.expand_dims(flat, tuple(range(flat.ndim, value.ndim)))
        order = np.argsort([*rest, *axes])
        places = [np.transpose(place, order) for place in unravelled(kept, lengths)]
        return places[0] if len(axes) == 1 else np.stack(places, -1)


SLOPES = {"log": lambda x: 1 / x, "exp": np.exp}


class Terms(Evaluation):
    """The same equation with every sum and product taken of sizes: how large the numbers are that are added up in it.

    What is rounded in a sum is a part of its terms, which may cancel: its result says nothing of how exact it can be.
    The logarithm of a sum near 1 is near 0, and yet as far off as the sum is: what reaches a result is times the slope.
    """

    def of(self, expr):
        match expr:
            case Unary("-", part):
                return self.of(part)
            case Attribute() | Choice():
                return super().of(expr)
            case Call(name) if name in ("sum_over", "mean_over"):
                return super().of(expr)
            case Binary("+" | "-" | "*" | "/" | "@"):
                return self.sizes(expr)
            case Call("log" | "exp" as name, (part,)):
                at, inside = self.exact.of(part)
                with np.errstate(all="ignore"):
                    return np.abs(FUNCTIONS[name](at)) + np.abs(SLOPES[name](at)) * self.of(part)[0], inside
        value, inside = self.exact.of(expr)
        return np.abs(value), inside

    @property
    def exact(self):
        return Evaluation(self.arrays, self.extents, self.batch, self.now, self.step)

    def sizes(self, expr):
        """Of a sum the size of both parts together, of a quotient the numerator's over the other part."""
        op = "+" if expr.op == "-" else expr.op
        divisor = self.exact.of(expr.right) if op == "/" else self.of(expr.right)
        parts = [self.of(expr.left), (np.abs(divisor[0]), divisor[1])]
        masks = [mask for _, mask in parts if mask is not None]
        with np.errstate(all="ignore"):
            if op == "+" and masks:
                return np.add(*(np.where(mask, value, 0) if mask is not None else value for value, mask in parts)), None
            value = OPERATORS[op](*(value for value, _ in parts))
        return value, (np.logical_and.reduce(masks) if len(masks) > 1 else masks[0]) if masks else None
