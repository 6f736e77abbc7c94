"""The update: the optimizer's equations, printed as they stand."""

from __future__ import annotations

import re
from collections.abc import Callable

from dotnn.core.arguments import show
from dotnn.model.model import Train


def equations(train: Train) -> tuple[str, ...]:
    """Return the update as assignments over w, g, t, the slots and the arguments."""
    bound = train.optimizer
    lines: tuple[str, ...] = bound.entry.equations(bound.attrs)
    return lines


def fast_equations(train: Train) -> tuple[str, ...]:
    """Return the same update with the memories scaled so that it takes fewer passes, where the optimizer has one."""
    bound = train.optimizer
    if bound.entry.fast_equations is None:
        return equations(train)
    lines: tuple[str, ...] = bound.entry.fast_equations(bound.attrs)
    return lines


def slots(train: Train) -> tuple[str, ...]:
    """Return the names of the optimizer's memories."""
    found: tuple[str, ...] = train.optimizer.entry.slots(train.optimizer.attrs)
    return found


def arguments(train: Train) -> dict[str, float]:
    """Return the numbers that the equations read, by name; a learning rate that changes is none of them."""
    attrs = {**train.optimizer.attrs, **({"weight_decay": train.weight_decay} if train.weight_decay else {})}
    read = _words(" ".join(equations(train))) | {"lr", "weight_decay"}
    return {k: v for k, v in attrs.items() if k in read and not (k == "lr" and train.schedule)}


def slot_start(train: Train) -> float:
    """Return the number that every memory starts from."""
    bound = train.optimizer
    return float(bound.attrs[bound.entry.slot_start]) if bound.entry.slot_start else 0.0


def counts_updates(train: Train) -> bool:
    """Whether the equations read t, the number of the update."""
    return "t" in _words(" ".join(equations(train)))


def _words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() or c == "_" else " " for c in text).split())


FUNCTIONS = {
    "sqrt": ("sqrt", "tf.sqrt"),
    "exp": ("exp", "tf.exp"),
    "log": ("log", "tf.math.log"),
    "tanh": ("tanh", "tf.tanh"),
    "abs": ("absolute", "tf.abs"),
    "sign": ("sign", "tf.sign"),
    "minimum": ("minimum", "tf.minimum"),
    "maximum": ("maximum", "tf.maximum"),
}
"""What an optimizer's equation may call: the name in NumPy, and the function of TensorFlow."""


def ufunc(name: str) -> str:
    """Return NumPy's name of a function that an equation calls. Raises `ValueError` for one that no script knows."""
    if name not in FUNCTIONS:
        raise ValueError(f"an optimizer's equation cannot call {name}; it may call {', '.join(FUNCTIONS)}")
    return FUNCTIONS[name][0]


def spelt(equation: str, spelling: Callable[[str], str]) -> str:
    """Return an equation with its functions spelt otherwise. Raises `ValueError` for one that no script knows."""

    def word(match: re.Match[str]) -> str:
        return f"{spelling(match[1])}(" if ufunc(match[1]) else ""

    return re.sub(r"\b([A-Za-z_]\w*)\(", word, equation)


def numpy_equation(equation: str) -> str:
    """Return an equation with its functions spelt as NumPy's."""
    return spelt(equation, lambda name: f"np.{ufunc(name)}")


def context(train: Train, *, has_state: bool = False) -> dict[str, object]:
    """Return what the template of `update` shows."""
    names = slots(train)
    start = slot_start(train)
    fresh = "np.zeros_like(w)" if not start else f"np.full_like(w, {start})"
    trained = " if name in PARAMS" if has_state else ""
    bound = train.optimizer
    return {
        "optimizer": str(bound),
        "doc": bound.entry.doc,
        "source": bound.entry.source,
        "arguments": ", ".join(["lr"] * bool(train.schedule) + [f"{k}={show(v)}" for k, v in arguments(train).items()]),
        "equations": [numpy_equation(e) for e in equations(train)],
        "slots": names,
        "weight_decay": show(train.weight_decay) if train.weight_decay else "",
        "shrink": f"1 - {'rate' if train.schedule else show(bound.attrs['lr'])} * {show(train.weight_decay)}",
        "counts": counts_updates(train),
        "state": ['"t": 0'] * counts_updates(train)
        + [f'"{s}": {{name: {fresh} for name, w in params.items(){trained}}}' for s in names],
    }
