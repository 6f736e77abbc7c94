"""What comes next, and what comes after that: units drawn one after the other by what a network says of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from dotnn.core.diagnostics import CompileError, Diagnostic, Source, Span
from dotnn_runtime.script.text_units import units_of

Array = np.ndarray
Next = Callable[[Sequence[int]], Array]
"""The numbers of the units so far -> a probability for each of all units to be the next."""
CODE = "NN531"
SUMS_TO_ONE = 1e-3
"""Numbers that add up to 1 but for so much are probabilities in single precision."""


@dataclass(frozen=True)
class Choice:
    """How the next unit is chosen: the likeliest where the temperature is 0, else drawn among the `top_k` likeliest.

    Drawn with the probabilities p^(1/temperature), divided by their sum; of equally likely ones the first come first.
    """

    temperature: float = 1.0
    top_k: int | None = None

    def of(self, probabilities: Array, rng: np.random.Generator) -> int:
        """Return the number of a unit."""
        p = probabilities.astype(float)
        if self.temperature == 0:
            return int(p.argmax())
        if self.top_k is not None:
            p[np.argsort(-p, kind="stable")[self.top_k :]] = 0
        p = (p / p.max()) ** (1 / self.temperature)
        return int(rng.choice(len(p), p=p / p.sum()))


def continued(
    begun: Sequence[int], length: int, following: Next, choice: Choice, rng: np.random.Generator
) -> list[int]:
    """Return numbers of units, and `length` more, each chosen by what the network says of those before it."""
    found = [*begun]
    for _ in range(length):
        found.append(choice.of(following(found), rng))
    return found


def numbered(prompt: str, by: str, known: Sequence[str], seen: int) -> list[int]:
    """Return the numbers of the units of a prompt, of which the network sees the last `seen`. Raises `CompileError`."""
    text = prompt.replace("\r\n", "\n").replace("\r", "\n")
    number = {unit: i for i, unit in enumerate(known)}
    found = [*units_of(text, by)]
    unknown = [match for match in found if match.group() not in number]
    if unknown:
        source = Source("--prompt", text)
        told = [_unknown(match.group(), Span(match.start(), match.end()), source) for match in unknown]
        raise CompileError(told[:20], source)
    if len(found) < seen:
        what = "words and marks" if by == "word" else "characters"
        message = f"the prompt is too short: the network sees {seen} {what}, and there are {len(found)}"
        raise CompileError([Diagnostic(CODE, message, help="give more, or none: then the text's beginning is one")])
    return [number[match.group()] for match in found]


def _unknown(unit: str, span: Span, source: Source) -> Diagnostic:
    message = f"{unit!r} does not occur in the text that was trained on"
    return Diagnostic(CODE, message, span, help="leave it out, or train on a text that has it", source=source)


def probabilities_of(outputs: Mapping[str, Array], name: str, count: int) -> Array:
    """Return the probabilities of the first `count` classes. Raises `CompileError` where an output is none."""
    p = np.asarray(outputs[name], float).reshape(-1)
    if not (p >= 0).all() or abs(p.sum() - 1) > SUMS_TO_ONE:
        message = f"the output {name} holds no probabilities: they are negative, not finite or do not add up to 1"
        raise CompileError([Diagnostic(CODE, message, help="end the network in a softmax, and train it well")])
    return p[:count]
