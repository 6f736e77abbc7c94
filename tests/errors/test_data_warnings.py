"""What is doubtful in a table is said once, at the column's name in the spec, and training goes on."""

import pytest
from errors.runner import dotnn

SPEC = """\
model Net {
  input  x: [2]
  target t: [1]
  output y = x -> dense(1)
}
data  { source = csv("d.csv", x = [a, b], t = t) }
train { loss = mse(y, t) }
"""
WARNING = """\
warning[NN612]: the column b has the same value in all 3 rows
  s.nn:6:39 | data  { source = csv("d.csv", x = [a, b], t = t) }
            |                                       ^
  help: leave it out: nothing can be learned from it
"""


@pytest.mark.parametrize(
    ("rows", "warned"), [(["1,7,1", "2,7,0", "3,7,1"], True), (["1,7,1", "2,7,0", "3,8,1"], False)]
)
def test_a_column_that_never_changes(rows, warned, tmp_path):
    (tmp_path / "s.nn").write_text(SPEC)
    (tmp_path / "d.csv").write_text("\n".join(["a,b,t", *rows, ""]))
    outcome = dotnn("train", "s.nn", "--run", "r", folder=tmp_path)
    assert outcome.exit_code == 0
    assert (WARNING in outcome.stderr) is warned
    assert ("warning" in outcome.stderr) is warned
