"""Names for the ways in which a gradient is wrong: twice too large, transposed, one row off.

Hypotheses are tested with directional derivatives of the truth, which cost a forward pass each however large the
tensor is; what needs every element is looked at where the tensor is small.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..reading.types import Array, norm
from ..report.results import Pattern

AGREE = 1e-8


@dataclass(frozen=True)
class Truth:
    """What is known about the right gradient: its slopes along some directions, and all of it if it is small."""

    directions: list[Array]
    slopes: list[float]
    elements: Array | None = None

    def agrees(self, claim: Array) -> bool:
        """Tell whether `claim` has the right slope along every direction."""
        size = max(norm(claim), *map(abs, self.slopes))
        pairs = zip(self.directions, self.slopes, strict=True)
        return all(abs(float(np.vdot(claim, u)) - slope) <= AGREE * size for u, slope in pairs)


def impossible(name: str, value: Array, shape: tuple[int, ...], batch_size: int) -> Pattern | None:
    """Say what is wrong with a cotangent whatever its numbers should be, None for nothing.

    It holds masks or integers, is not finite, or has not the shape of what it belongs to.
    """
    if value.dtype.kind not in "fc":
        return Pattern("wrong dtype", f"{name} holds no floating-point numbers: a mask in place of a product with it?")
    if not np.all(np.isfinite(value)):
        return Pattern("not finite", f"{name} holds NaN or infinity.")
    if value.shape == shape:
        return None
    words = f"The result has the shape {value.shape}, but {name.removeprefix('d_')} has {shape}."
    if batch_size in value.shape and batch_size not in shape:
        words += f" {batch_size} is the batch size: does a sum run over the wrong axis?"
    turned = value.shape == shape[::-1] and value.ndim > 1
    return Pattern("wrong shape: transposed" if turned else "wrong shape", words)


def name_pattern(got: Array, truth: Truth, batch_size: int) -> Pattern:
    """Say in which way `got` differs from the truth."""
    if not np.any(got):
        return Pattern("zero", "Your gradient is zero everywhere, but the loss does depend on this tensor.")
    if all(slope == 0.0 for slope in truth.slopes):
        return Pattern("should be zero", "The loss does not depend on this tensor, but your gradient is not zero.")
    return _moved(got, truth) or _multiplied(got, truth, batch_size) or _elementwise(got, truth.elements, batch_size)


def _moved(got: Array, truth: Truth) -> Pattern | None:
    """Find the elements in other places, with the right sign or the wrong one."""
    for factor in (1.0, -1.0):
        for pattern, moved in _rearranged(got):
            if truth.agrees(factor * moved):
                sign = "" if factor > 0 else " and has the wrong sign"
                return Pattern(pattern.id + ("" if factor > 0 else ", sign"), pattern.words.rstrip(".") + sign + ".")
    return None


def _multiplied(got: Array, truth: Truth, batch_size: int) -> Pattern | None:
    slope = float(np.vdot(got, truth.directions[0]))
    ratio = slope / truth.slopes[0] if truth.slopes[0] else 0.0
    return ratio_pattern(ratio, batch_size) if ratio and truth.agrees(got / ratio) else None


MASK_MISSING = "not zero where it should be"
NO_PATTERN = Pattern(
    "no simple pattern", "The error follows no simple pattern: is every operand of this line the right one?"
)


def ratio_pattern(ratio: float, batch_size: int) -> Pattern:
    """Name a gradient that is `ratio` times the right one."""
    known = {
        -1.0: ("sign", "The sign is wrong in every element."),
        float(batch_size): (
            "×B",
            f"Your gradient is {batch_size} times too large, which is the batch size: a factor 1/B of the mean is "
            "missing.",
        ),
        1.0 / batch_size: (
            "×1/B",
            f"Your gradient is {batch_size} times too small, which is the batch size: 1/B is applied once too often "
            "(or a mean stands where a sum belongs).",
        ),
        2.0: (
            "×2",
            "Your gradient is 2.000 times too large in every element: the 1/2 of a half squared error, or a "
            "contribution added twice?",
        ),
        0.5: ("×0.5", "Your gradient is half of what it should be in every element: a lost factor 2 of a square?"),
    }
    for value, (name, words) in known.items():
        if np.isclose(ratio, value, rtol=1e-7, atol=0.0):
            return Pattern(name, words)
    direction = "large" if abs(ratio) > 1 else "small"
    times = abs(ratio) if abs(ratio) > 1 else 1.0 / abs(ratio)
    sign = ", and its sign is wrong" if ratio < 0 else ""
    return Pattern(f"×{ratio:.6g}", f"Your gradient is {times:.6g} times too {direction} in every element{sign}.")


def _rearranged(got: Array) -> Iterator[tuple[Pattern, Array]]:
    """Yield the right gradient if it were `got` transposed, rolled or flipped."""
    if got.ndim >= 2 and got.shape[-1] == got.shape[-2]:
        words = "Your gradient is the transpose of the right one: the two factors of the product are swapped."
        yield Pattern("transposed", words), np.swapaxes(got, -1, -2)
    for axis, size in enumerate(got.shape):
        shifts = (s for s in (1, -1, 2, -2) if size > abs(s))
        for shift in dict.fromkeys(shifts):
            words = f"Your gradient is shifted by {shift} along axis {axis}: an index is off."
            yield Pattern(f"rolled by {shift} on axis {axis}", words), np.roll(got, -shift, axis)
        if size > 1:
            words = f"Your gradient is reversed along axis {axis}: a flipped kernel or time axis?"
            yield Pattern(f"flipped on axis {axis}", words), np.flip(got, axis)


def _elementwise(got: Array, true: Array | None, batch_size: int) -> Pattern:
    if true is None:
        return NO_PATTERN
    wrong = np.abs(got - true) > AGREE * max(np.abs(true).max(), np.abs(got).max())
    if not wrong.any():
        return NO_PATTERN
    found = _at_few_places(got, true, np.argwhere(wrong))
    if found is None and _almost(got - true, float(np.mean(got - true))):
        found = Pattern("constant added", f"Every element is off by the same amount, {np.mean(got - true):.6g}.")
    return found or _per_axis(got, true) or _zero_where(got, true, wrong) or NO_PATTERN


def _at_few_places(got: Array, true: Array, places: Array) -> Pattern | None:
    """Describe an error of one element, or at one index of an axis."""
    if len(places) == 1:
        index = tuple(int(i) for i in places[0])
        where = ", ".join(map(str, index))
        return Pattern(
            "one element", f"Only element [{where}] is wrong: {got[index]:.6g} instead of {true[index]:.6g}."
        )
    for axis in range(got.ndim if len(places) < got.size else 0):
        lines = np.unique(places[:, axis])
        if len(lines) == 1 and got.shape[axis] > 1:
            return Pattern(f"index {lines[0]} of axis {axis}", f"Only index {lines[0]} along axis {axis} is wrong.")
    return None


def _per_axis(got: Array, true: Array) -> Pattern | None:
    """Find a factor that is constant along all axes but one."""
    if got.ndim < 2 or not np.all(true):
        return None
    ratio = got / true
    for axis in range(got.ndim):
        lines = np.moveaxis(ratio, axis, 0).reshape(got.shape[axis], -1)
        if all(_almost(line, float(line[0])) for line in lines):
            words = f"Your gradient has a wrong factor, a different one for each index of axis {axis}."
            return Pattern(f"scaled along axis {axis}", words)
    return None


def _zero_where(got: Array, true: Array, wrong: Array) -> Pattern | None:
    if not np.any(got[wrong]):
        return Pattern(
            "zero where it should not be", "Where the gradient is wrong, it is zero: a mask cuts off too much."
        )
    if not np.any(true[wrong]):
        return Pattern(MASK_MISSING, "Where the gradient is wrong, it should be zero: a mask is missing.")
    return None


def name_factor(got: Array, truth: Truth, values: Mapping[str, Array]) -> Pattern | None:
    """Find a factor, made of one of the named values, that is missing from `got` or that is there once too often."""
    for name in sorted(values, key=lambda n: n.endswith("_z")):  # a rule is rather written with h than with h_z
        value = values[name]
        for text, factor in _factors(name, value) if value.shape == got.shape else ():
            if truth.agrees(got * factor):
                words = f"A factor {text} is missing: multiplied by it, element by element, your gradient is right."
                return Pattern(f"factor {text} missing", words)
            if np.all(factor) and truth.agrees(got / factor):
                words = f"A factor {text} is too much: divided by it, element by element, your gradient is right."
                return Pattern(f"factor {text} too much", words)
    return None


def _factors(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    yield name, value
    yield f"(1 - {name})", 1 - value
    yield f"(1 - {name} * {name})", 1 - value * value
    yield f"({name} > 0)", np.asarray(value > 0, dtype=value.dtype)


def _almost(values: Array, constant: float) -> bool:
    return bool(np.all(np.abs(values - constant) <= AGREE * max(abs(constant), 1e-300)))


Measure = Callable[[Array], float]


def measure(derivative: Measure, shape: tuple[int, ...], rng: np.random.Generator, elements: Array | None) -> Truth:
    """Measure the truth along three Gaussian directions."""
    directions = [rng.standard_normal(shape) for _ in range(3)]
    return Truth(directions, [derivative(u) for u in directions], elements)
