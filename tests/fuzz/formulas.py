"""Random formulas, each a function of what `rng` draws: all operators, functions, reductions and activations there are.

A function or activation that is new in the language is drawn without a change here, unless it has no value for some
numbers: then say in `TAME` for which it has one.
"""

import random
from collections.abc import Sequence

from fuzz.arguments import Drawing

from dotnn.library.layers import ACTIVATIONS
from dotnn.library.values import REDUCTIONS
from dotnn.model.definitions.reader import MIXING
from dotnn.model.formulas import ELEMENTWISE

TAME = {
    "exp": "exp(sin({0}))", "log": "log({0}^2 + 1)", "log1p": "log1p(abs({0}))", "expm1": "expm1(tanh({0}))",
    "sqrt": "sqrt({0}^2 + 0.3)", "sign": "sign({0}) * {0}", "floor": "floor({0}) + {0}",
    "clip": "clip({0}, -0.7, 0.8)", "where": "where({0} > {1}, {0}, 2 * {1})", "safe": "safe({0} * {1} / abs({1}))",
}  # fmt: skip
"""Functions of formulas where they have a value, and depend on their operand; any other is called as it is."""
FUNCTIONS = [TAME.get(name, f"{name}({', '.join(f'{{{i}}}' for i in range(n))})") for name, n in ELEMENTWISE.items()]
OPERATORS = [
    "-{0}", "{0}^3 / 4", "{0} / 3", "2 - {0}", "{0} mod 2", "(1 + {0}^2)^0.4", "2^sin({0})",
    "({0} + {1})", "({0} - {1})", "{0} * {1}", "{0} / (1 + {1}^2)", "max({0}, {1}, 0.1)", "min({0}, {1})",
    "where(not {0} < 0.2 and {1} > -1 or {0} > 2, {0}, {1})", "(({0} - {1}) / exp(sin({0})))^2 / 2",
    "log(1 + exp({0}))", "log(1 - sigmoid({0}))", "log(sigmoid({0}))", "sqrt({0}^2) + {1}",
]  # fmt: skip
REDUCED = [
    *(f"{{0}} - {name}({{0}})" for name in REDUCTIONS), "{0} / (1 + sum({0}^2))", "log(sum(exp({0}))) * {0}",
    "{0} / (1 + sqrt(sum({0}^2)))", "softmax({0}) * {1}", "log(softmax({0})) / 4",
]  # fmt: skip
"""What a reduction along the last axis takes part in, in the network; or of all of an example, in a definition."""
TABLES = ["{0} - mean({0}, axis = 0)", "({0} @ {0}.T @ {0}) / 9", "{0} * max({0}, axis = -2)"]
"""What there is for two axes, besides."""
ROWS = ["concat({0}[1:], {0}[:1])", "concat({0}[:-1], {1}[-1:])"]
"""What there is for one axis of at least two places, besides."""


def elements(rng: random.Random, own: Sequence[str] = ()) -> list[str]:
    """Templates of what is computed element by element; `own` are activations that the spec defines."""
    called = [*own]
    for name, layer in ACTIVATIONS.items():
        if name not in MIXING:
            called.append(f"{name}({', '.join(['{0}', *Drawing(rng).arguments(layer.args)[0]])})")
    return [*FUNCTIONS, *OPERATORS, *called]


def for_shape(example: Sequence[int]) -> list[str]:
    """Templates of what the network computes, besides, of values of this shape."""
    rows = ROWS if len(example) == 1 and example[0] > 1 else []
    return [*REDUCED, *(TABLES if len(example) == 2 else rows)]


def formula(rng: random.Random, depth: int, leaves: Sequence[str], parts: Sequence[str]) -> str:
    """A formula of at most this depth over some names."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(leaves)
    template = rng.choice(parts)
    inner = [formula(rng, depth - 1, leaves, parts) for _ in range(1 + ("{1}" in template))]
    return template.format(*(f"({text})" if not text.isidentifier() else text for text in inner))
