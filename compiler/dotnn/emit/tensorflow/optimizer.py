"""The optimizer: Keras's own where it takes exactly this step, else a Keras optimizer made of the equations."""

from __future__ import annotations

import re
from collections.abc import Mapping

from dotnn.emit import optimizer as numpy_optimizer
from dotnn.emit.lines import literal
from dotnn.emit.tensorflow.network import class_name
from dotnn.model.model import Train

STEADY = "Keras's {} keeps lr * v: the same while lr stays as it is, but XLA takes longer for it."
CORRECTION = re.compile(r"/ \(1 - (\w+) \*\* t\)")


def context(train: Train, *, stacked: bool, xla: bool) -> dict[str, object]:
    """Return what the templates of the optimizer show; `stacked` says whether a variable of Keras is several of ours."""
    bound = train.optimizer
    steady = bound.entry.steady_equations(bound.attrs) if xla and train.schedule is None else ()
    own = bool(steady) or bound.entry.tensorflow is None
    keras_name = f"keras.optimizers.{bound.entry.keras}"
    options = {} if own else dict(bound.entry.tensorflow(bound.attrs))
    options |= {"weight_decay": train.weight_decay} if train.weight_decay else {}
    rows = stacked and train.clip is not None and train.clip.entry.each
    options |= {train.clip.entry.keras: float(train.clip.attrs["limit"])} if train.clip and not rows else {}
    if own:
        name = f"Steady{bound.entry.keras}" if steady else class_name(bound.name)
    else:
        name = f"RowClipped{bound.entry.keras}" if rows else keras_name
    start = train.schedule.attrs["lr"] if train.schedule else bound.attrs["lr"]
    numbers = {k: v for k, v in numpy_optimizer.arguments(train).items() if k not in ("lr", "weight_decay")}
    return {
        "text": str(bound),
        "own": own,
        "name": name,
        "base": "keras.optimizers.Optimizer" if own else keras_name,
        "row_limit": literal(float(train.clip.attrs["limit"])) if train.clip and rows else "",
        "call": f"{name}({', '.join([literal(float(start)), *_options(options)])})",
        "decays": bool(train.weight_decay),
        "doc": bound.entry.doc,
        "source": bound.entry.source,
        "remark": STEADY.format(bound.entry.keras) if steady else f"Keras has {bound.entry.keras}." * bool(bound.entry.keras),
        "slots": numpy_optimizer.slots(train),
        "start": numpy_optimizer.slot_start(train),
        "counts": numpy_optimizer.counts_updates(train),
        "arguments": ", ".join(numbers),
        "numbers": ", ".join(literal(v) for v in numbers.values()),
        "equations": [in_tensorflow(e, bound.attrs) for e in steady or numpy_optimizer.equations(train)],
    }


def _options(options: Mapping[str, object]) -> list[str]:
    return [f"{name}={literal(value)}" for name, value in options.items()]


def in_tensorflow(equation: str, attrs: Mapping[str, float]) -> str:
    """Spell the functions as TensorFlow's.

    1 - beta^t as it stands would lose four digits of float32 at first; and one division of a number is faster than one
    of every element (5 % of W3's step).
    """

    def corrected(match: re.Match[str]) -> str:
        beta = match.group(1)
        return f"* (-1 / tf.math.expm1(t * math.log({beta})))" if attrs[beta] else match.group(0)

    return CORRECTION.sub(corrected, equation.replace("sqrt(", "tf.sqrt("))
