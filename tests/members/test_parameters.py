"""Parameters of a spec: they may use each other in any order, and one may choose an activation."""

from itertools import permutations

import pytest

from dotnn.core.diagnostics import Source
from dotnn.model.resolve import resolve
from dotnn.syntax.parse import parse

LINES = ("width = 2 * depth", "depth = height + 1 in 2..height * 2", "height = 3")
SPEC = """
params {{ {params} }}
model Net {{ input x: [2]  target t: [1]  {body} }}
data {{ x = [[0, 1]]  t = [[1]] }}
train {{ loss = mse(y, t) }}
"""


def model_of(params: str, body: str, *sets: str):
    source = Source("net.nn", SPEC.format(params=params, body=body))
    return resolve(parse(source), source, sets)[0]


@pytest.mark.parametrize("lines", list(permutations(LINES)))
def test_any_order(lines):
    model = model_of("\n".join(lines), "output y = x -> dense(width) -> dense(depth) -> dense(height) -> dense(1)")
    assert dict(model.constants) == {"width": 8, "depth": 4, "height": 3}
    assert [line.split()[0] for line in lines] == list(model.constants)


def test_a_set_value_may_use_a_later_one():
    model = model_of(
        "\n".join(LINES), "output y = x -> dense(width) -> dense(depth) -> dense(height) -> dense(1)", "width=height^2"
    )
    assert model.constants["width"] == 9


@pytest.mark.parametrize(
    ("chosen", "body"),
    [
        ("leaky_relu(0.2)", "output y = x -> dense(3) -> {} -> dense(1)"),
        ("tanh", "output y = x -> dense(3) -> {} -> dense(1)"),
        ("tanh", "h = x -> dense(3)  output y = {}(h) -> dense(1)"),
        ("leaky_relu", "h = x -> dense(3)  output y = {}(h) -> dense(1)"),
    ],
)
def test_a_parameter_chooses_an_activation(chosen, body):
    by_name, direct = model_of(f"act = {chosen}", body.format("act")), model_of("", body.format(chosen))
    assert [(s.path, s.layer, dict(s.attrs)) for s in by_name.steps] == [
        (s.path, s.layer, dict(s.attrs)) for s in direct.steps
    ]


def test_a_parameter_of_a_block_chooses_an_activation():
    block = "block B(f) { input a: [n]  output b = a -> dense(n) -> f }"
    source = Source("net.nn", SPEC.format(params="", body="output y = x -> B(tanh) -> B(f = relu) -> dense(1)") + block)
    model = resolve(parse(source), source)[0]
    assert [s.layer.name for s in model.steps] == ["dense", "tanh", "dense", "relu", "dense"]
