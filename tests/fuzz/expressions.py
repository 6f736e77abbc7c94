"""Random expressions and definitions, each a function of its number: all operators, functions and reductions."""

import random

from samples import layer_spec

ONE = [
    "exp(sin({0}))", "log({0}^2 + 1)", "log1p(abs({0}))", "expm1(tanh({0}))", "sqrt({0}^2 + 0.3)", "abs({0})",
    "sign({0}) * {0}", "sin({0})", "cos({0})", "erf({0})", "floor({0}) + {0}", "clip({0}, -0.7, 0.8)", "-{0}",
    "{0}^3 / 4", "{0} / 3", "2 - {0}", "{0} mod 2", "(1 + {0}^2)^0.4", "2^sin({0})", "tanh({0})", "sigmoid({0})",
    "softplus({0})", "relu({0})", "leaky_relu({0}, 0.2)", "elu({0})", "silu({0})",
]  # fmt: skip
TWO = [
    "({0} + {1})", "({0} - {1})", "{0} * {1}", "{0} / (1 + {1}^2)", "max({0}, {1}, 0.1)", "min({0}, {1})",
    "where({0} > {1}, {0}, 2 * {1})", "where(not {0} < 0.2 and {1} > -1 or {0} > 2, {0}, {1})",
    "sigmoid({0}) * {1}",
]  # fmt: skip
REDUCED = [
    "{0} - mean({0})", "{0} / (1 + sum({0}^2))", "exp({0} - logsumexp({0}))", "{0} * max({0})", "min({0}) - {0}",
    "concat({0}[2:], {0}[:2])",
]  # fmt: skip


def formula(rng: random.Random, depth: int, leaves: list[str], parts: list[str]) -> str:
    """A formula of at most this depth over some names."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(leaves)
    template = rng.choice(parts)
    inner = [formula(rng, depth - 1, leaves, parts) for _ in range(1 + ("{1}" in template))]
    return template.format(*(f"({text})" if not text.isidentifier() else text for text in inner))


def expression_spec(number: int) -> str:
    """A network around a random expression, with a random activation of its own."""
    rng = random.Random(number)
    made = formula(rng, rng.randint(1, 6), ["x", "u", "v"], [*ONE, *TWO, *REDUCED])
    own = formula(rng, rng.randint(1, 4), ["z", "z", "a"], [*ONE, *TWO])
    definition = f"activation own(z, a = {rng.choice([0.5, 1, -2])}) = {own} + 0 * a * z"
    return f"{definition}\n{layer_spec(made)}".replace("x = raw -> dense(4)", "x = raw -> dense(4, own)")
