"""A person edits what no gradient shows: the optimizer, the loop, the state, the prediction. The spec's check sees it.

Each edit leaves a script that runs; without the spec there is nothing to say against most of them.
"""

import json

import pytest
from click.testing import CliRunner

from dotnn.cli import main
from dotnn.session import Options, compile_spec

SPEC = """model M {
  input  x: [3]
  target t: [2]
  h = x -> dense(4, bias = false) -> batchnorm(momentum = 0.9) -> tanh
  output y = h -> dense(2)
}
train { loss = mse(y, t)  optim = sgd(0.05, momentum = 0.9)  batch = 4  metrics = mae }
"""

PREDICTED = 'forward(params, {"x": np.asarray(inputs["x"], params["h.dense1.W"].dtype).reshape(-1, 3)})[0]'

# what the line was, what a person wrote
EDITS = {
    "another momentum": ("momentum * v[name]", "0.99 * v[name]"),
    "another momentum by default": ("momentum=0.9)", "momentum=0.99)"),
    "the last example of each batch left out": ("n: v[chosen] for n", "n: v[chosen[:-1]] for n"),
    "targets of other rows": ("n: v[chosen] for n", 'n: v[chosen if n == "x" else chosen[::-1]] for n'),
    "rows in their order": ("rng.permutation(", "np.arange("),
    "a slower running mean": ('0.9 * params["h.batchnorm1.mean"] + 0.1', '0.99 * params["h.batchnorm1.mean"] + 0.01'),
    "a slower running variance": ('0.9 * params["h.batchnorm1.var"] + 0.1', '0.99 * params["h.batchnorm1.var"] + 0.01'),
    "a prediction one percent too large": (PREDICTED, f"{{n: 1.01 * y for n, y in {PREDICTED}.items()}}"),
    "a sum for the mean, with a gradient to match": ("/ (2 * len(y))", "/ 1"),
}


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A folder with the spec, and the text of its script."""
    spec = tmp_path_factory.mktemp("beside") / "m.nn"
    spec.write_text(SPEC, encoding="utf-8")
    return spec.parent, compile_spec(str(spec), Options()).script


def check(folder, text, *options):
    """Check a script beside the spec; return the exit code and what is printed."""
    script = folder / "m.py"
    script.write_text(text, encoding="utf-8")
    done = CliRunner().invoke(main, ["check", str(script), "--spec", str(folder / "m.nn"), *options])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_the_unedited_script_passes(compiled):
    assert check(*compiled)[0] == 0


@pytest.mark.parametrize("edit", EDITS)
def test_the_edit_is_noticed_and_its_line_named(edit, compiled):
    folder, text = compiled
    right, wrong = EDITS[edit]
    assert right in text
    code, printed = check(folder, text.replace(right, wrong), "--json")
    found = json.loads(printed)
    assert code == 1 and found["verdict"] == "FAIL"
    line, _, blamed = found["blame"]["generated_line"].partition(": ")
    lines = [number for number, one in enumerate(text.splitlines(), 1) if right in one]
    assert int(line) == lines[0]
    assert wrong.split()[0] in blamed
    assert any(row["verdict"] == "FAIL" for row in [*found["checks"], *found["tensors"]])
