"""What a check costs is counted in forward passes, and does not grow with the number of parameters."""

from math import prod

from support import model_of, module_of

from dotnn.session import Options, compile_model
from dotnn_runtime.gradcheck import Verdict, check_script

MLP = """model MLP {{
  input  x: [20]
  target t: [10]
  output y = x -> dense({width}, tanh) -> dense({width}, tanh) -> dense(10)
}}
train {{ loss = mse(y, t) }}
"""


def checked(width):
    """The parameters of a network, and the forward passes of a check that leaves single elements out."""
    text = MLP.format(width=width)
    report = check_script(compile_model(model_of(text), Options()).script, "mlp.py", v4=False)
    assert report.verdict is Verdict.PASS
    return sum(map(prod, module_of(text).PARAMS.values())), report.cost_forwards


def test_a_hundred_times_the_parameters_cost_no_more_forward_passes():
    (few, low), (many, high) = checked(20), checked(320)
    assert many > 100 * few
    assert high <= 1.2 * low
