"""Arrays written in the spec: `source = inline(x = …)` and `x = …` mean the same numbers, in every script."""

import numpy as np
import pytest
from support import STYLES, model_of, module_of

ROWS = {"x": [[0, 1.5, -2], [1, 0, 3], [2, 2, 2]], "t": [[0.5], [1], [0]], "weights": [1, 2, 0.5]}
SPEC = """
model Net {
  input  x: [n]
  target t: [1]
  output y = x -> dense(2, tanh) -> dense(1)
}
data { DATA  scale = range(x) }
train { loss = mse(y, t)  optim = sgd(0.1)  epochs = 2 }
"""


def spec(names, between, *, around=("", "")):
    written = between.join(f"{name} = {ROWS[name]}" for name in names)
    return SPEC.replace("DATA", f"{around[0]}{written}{around[1]}")


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("names", [("x", "t"), ("x", "t", "weights")], ids=len)
def test_the_source_and_the_names_alone_hold_the_same_numbers(style, names):
    call = module_of(spec(names, ", ", around=("source = inline(", ")")), style)
    keys = module_of(spec(names, "  "), style)
    for module in (call, keys):
        arrays = module.load_data()
        assert arrays.keys() == set(names)
        for name in names:
            np.testing.assert_array_equal(arrays[name], np.array(ROWS[name]))
    (one, told), (other, said) = call.train(), keys.train()
    assert told == said
    assert all(np.array_equal(one[name], other[name]) for name in keys.PARAMS)


def test_some_may_be_in_the_source_and_others_beside_it():
    model = model_of(spec(("t", "weights"), "  ", around=(f"source = inline(x = {ROWS['x']})  ", "")))
    assert dict(model.data.inline) == ROWS
    assert model.inputs["x"].type.example == (3,)
