"""A random network around random expressions and definitions, all of which send gradients back."""

import random

from fuzz.definitions import CELL, Own
from fuzz.formulas import for_shape


def expression_spec(number: int) -> str:
    """The spec of this number: an expression of depth 6 at most, an activation, a block, a cell, a penalty, a loss."""
    own = Own(random.Random(number))
    activation, penalty, loss, cell = (own.call(kind) for kind in ("activation", "penalty", "loss", CELL))
    name, _, given = loss.removesuffix(")").partition("(")
    block = own.some(["z", "x", "(s * x)"], for_shape([2, 4]), 3)
    return own.written(f"""
    block Own {{
      input x: [k, n]
      param W: [n, n]
      param b: [n]
      param s: [n] = 0.5
      z = x @ W + b
      output z + sin({block}) + 0 * s * x
    }}
    model M {{
      input  raw: [4]
      input  table: [2, 4]
      target t: [1]
      x = raw -> dense(4, {activation}, penalty = {penalty})
      u = raw -> dense(4, tanh)
      v = raw -> dense(4, sigmoid)
      made = {own.some(["x", "u", "v"], for_shape([4]))}
      more = table -> Own
      last = table -> {cell}(3)
      all  = concat(made, x, u, v, last, more -> flatten)
      output y = all -> dense(1)
    }}
    train {{ loss = mse(y, t) + {name}({", ".join(["y", "t", *([given] if given else [])])}) }}""")
