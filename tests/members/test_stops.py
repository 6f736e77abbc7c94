"""What ends a training besides its epochs: the clock, and numbers that are none."""

import pytest
from click.testing import CliRunner
from support import STYLES, generic_point, module_of

from dotnn.cli import main

DIVERGING = """model Diverging {{
  input  x: [2]
  target t: [1]
  h = x -> dense(3, relu, init = constant({start}))
  output y = h -> dense(1, init = constant({start}))
}}
data {{ x = [[1, 1], [2, 1], [3, 1]]  t = [[1], [1], [1]] }}
train {{
  loss  = mse(y, t)
  optim = sgd({rate})
  batch = {batch}
}}
"""


@pytest.mark.parametrize("style", STYLES)
def test_minutes(style):
    module = module_of(
        """model M { input x: [1]  target t: [1]  output y = x -> dense(1) }
        train { loss = mse(y, t)  epochs = 1000000000  stop = [when(loss < 0), minutes(0.001), minutes(60)] }""",
        style,
    )
    _, batch = generic_point(module)
    _, history = module.train(batch)
    assert history.stopped_by == "0.001 minutes"
    assert len(history) > 1


@pytest.mark.parametrize(("style", "batch"), [("explain", "2"), ("fast", "2"), ("fast", "all")])
@pytest.mark.parametrize(
    ("start", "rate", "culprit"),
    [
        (0.1, 1e12, "the loss is not finite (bad.nn:9)"),  # y is about 1e36, and its square no float32
        (0.1, 1e25, "y is not finite (bad.nn:5)"),  # both weights are about 1e25
        (1e38, 0.1, "is not finite (bad.nn:4)"),  # h_z; or h.W, where the first loss is not looked at
    ],
)
def test_a_divergence_names_the_line(start, rate, culprit, batch, style, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.nn").write_text(DIVERGING.format(start=start, rate=rate, batch=batch))
    outcome = CliRunner().invoke(main, ["train", "bad.nn", "--epochs", "50", "--run", "r", "--style", style])
    assert outcome.exit_code == 3
    assert culprit in outcome.stderr
