"""A formula that is written call by call, over one of its own operands or beside them, is the formula."""

import random

import numpy as np
import pytest

from dotnn.ir.expr import DIALECTS, Expr, parse, spell
from dotnn.targets.numpy.fast.formula import FormulaWriter, can_be_written

PARTS = [
    "{0} + {1}", "{0} - {1}", "{0} * {1}", "{0} / {1}", "-{0}", "{0} ** 2", "{0} ** 3", "{0} ** 4", "exp(-{0} ** 2)",
    "maximum({0}, {1})", "clip({0}, {1}, 2)", "relu({0})", "sqrt(abs({0}))", "tanh({0})", "log1p(abs({0}))",
    "where({0} > {1}, {1}, {0})", "where({0} > 0 and not {1} < 1, {0}, 2)", "where({0} <= {1}, ones_like({0}), 0)",
    "({0} > {1}) * {0}", "where({0} > 0, d, 0)",
]  # fmt: skip
NAMES = ("x", "y", "d")


def formula(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.2:
        return rng.choice([*NAMES, "0.5", "3"])
    return f"({rng.choice(PARTS).format(formula(rng, depth - 1), formula(rng, depth - 1))})"


def run(text: str, arrays: dict[str, np.ndarray], over: str) -> np.ndarray:
    """What is in the result's array, which is that of the operand `over`, if one is named."""
    known, lines = {**arrays, "np": np, "out": arrays[over] if over else np.empty(9)}, []

    def scratch(dtype: str, number: int) -> str:
        known.setdefault(f"{dtype}{number}", np.zeros(9, bool) if dtype == "bool" else np.full(9, np.nan))
        return f"{dtype}{number}"

    def number(value: Expr) -> str:
        return f"np.array({spell(value, DIALECTS['arrays'])}, float)"

    names = {name: name for name in NAMES}
    FormulaWriter(names, lines.append, number, scratch, "np.{}".format, shared=[over]).write(parse(text), "out")
    exec("\n".join(lines), known)
    return known["out"]


@pytest.mark.parametrize("over", ["", *NAMES])
@pytest.mark.parametrize("seed", range(8))
def test_what_is_written_is_the_formula(seed, over):
    rng, point = random.Random(seed), np.random.default_rng(seed)
    for _ in range(60):
        text = formula(rng, 4)
        if not can_be_written(parse(text)):
            continue
        arrays = {name: point.uniform(-2, 2, 9) for name in NAMES}
        with np.errstate(all="ignore"):
            wanted = eval(spell(parse(text), DIALECTS["arrays"]), {**arrays, "np": np}) * np.ones(9)
            found = run(text, {name: array.copy() for name, array in arrays.items()}, over)
        finite = np.isfinite(wanted)
        np.testing.assert_allclose(found[finite], wanted[finite], rtol=1e-9, atol=1e-12, err_msg=text)
