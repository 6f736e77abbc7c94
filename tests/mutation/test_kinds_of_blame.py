"""Kinds of mistakes of which one was blamed on another line once, or not seen: each stands for its kind."""

import pytest
from mutation import suite

KINDS = {
    "a minus before what a helper returns": ("image", "sign", "return -cropped(d_x, pad)"),
    "a minus before what is filled in place": ("formula", "sign", "return -mask"),
    "a factor 2 lost in a term": ("tasks", "lost_factor", "d_z_W_from_l2 = d_loss * 0.2 * z_W"),
    "the same, where the other term has no name": ("tasks", "lost_factor", "d_h_W_from_l2 = d_loss * 0.2 * h_W"),
    "one of two equal terms lost": ("shared", "dropped_term", "d_distance = d_distance_from_multiply"),
    "a mask made a number": (
        "pooled", "one_percent",
        "found = (sought & (met(x, offset, best.shape[1:4], stride, (1, 1, 1)) == best)) * 1.01",
    ),
    "a count one too small": (
        "decoder", "dropped_term", "(rows, columns) = (x.shape[1] - W.shape[0], x.shape[2] - W.shape[1] + 1)",
    ),
    "a count one too large": (
        "decoder", "doubled_term",
        "(rows, columns) = (x.shape[1] - W.shape[0] + 1 + 1, x.shape[2] - W.shape[1] + 1)",
    ),
    "a size forgotten in a count": (
        "decoder", "dropped_term", "(rows, columns) = (x.shape[1] + 1, x.shape[2] - W.shape[1] + 1)",
    ),
    "a size of another axis": (
        "groups", "shifted_columns",
        "(x, (rows, columns)) = (np.pad(x, ((0, 0), *pad, (0, 0))), d.shape[0:2])",
    ),
    "the length of a slice forgotten": ("groups", "dropped_term", "seen = x[:, i:i + rows, j:j]"),
    "a border moved as a whole": (
        "image", "shifted_border", "d_m = convolve_d_input(d_g, g_W, size=(4, 2), pad=((1, 2), (3, 0)))",
    ),
    "a kernel that a helper stops at": (
        "steps", "transposed_kernel",
        "d_h_from_u_conv1d_transpose = conv1d(d_u_conv1d_transpose, np.swapaxes(u_W, -1, -2))",
    ),
    "a divisor forgotten beside a comparison": ("bce_scaled", "missed_divisor", "return p > 1e-07"),
    "the cotangent itself forgotten": ("normed", "lost_factor", "d_unit = gamma"),
    "a side of a branch that the first points do not take": (
        "formula", "swapped_branches",
        "d_v = np.where(v > 0.1, d_expression * np.cos(v), d_expression * np.cos(v))",
    ),
    "nothing sent back at all": ("recomputed", "cut_off", "d_parts = d_y.reshape(-1, 2, 3, 4) * 0"),
    "a sum of turns that stops": ("recomputed", "dropped_batch_sum", "d_b += d_xz[0]"),
    "a kernel that only the gradient of an input reads": (
        "steps", "transposed_kernel",
        "d_x = conv1d_transpose(d_h_z, np.swapaxes(h_W, -1, -2), size=7, stride=2, pad=(2, 1))",
    ),
    "the edge of a loss": ("hinge", "tie", "d_y = d_loss * np.where(t * y <= 1, -t, 0) / (3 * len(y))"),
    "equal values in a block behind a tanh": ("blocks", "dropped_term", "d = d"),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_blamed_on_its_line(kind):
    subject, operator, change = KINDS[kind]
    found = [m for m in suite.line_mutants(subject) if (m.operator, m.change) == (operator, change)]
    assert found and [str(row) for row in map(suite.run, found) if not row.right] == []


UNCLEARED = [("image", "copyto(d_m_bordered, 0) → pass"), ("groups", "copyto(d_x_bordered, 0) → pass")]


@pytest.mark.parametrize(("subject", "change"), UNCLEARED)
def test_a_border_that_is_not_cleared_is_blamed(subject, change):
    (step,) = (step for step in suite.faulty_steps(subject) if step.change == change)
    row = suite.run(suite.fast_mutant(step, subject))
    assert row.right, str(row)
