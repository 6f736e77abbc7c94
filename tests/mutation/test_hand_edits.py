"""A person edits one line of a generated script: the answer names that line, and says how its result looks wrong."""

import pytest
from click.testing import CliRunner
from mutation.subjects import SUBJECTS, spec
from support import SPECS

from dotnn.cli import main
from dotnn.session import Options, compile_spec

# spec, what the line was, what a person wrote, what the answer says of it
EDITS = {
    "twice": (
        "power_plant", "d_y = d_loss * (y - t)", "d_y = d_loss * 2 * (y - t)",
        "2.000 times too large in every element",
    ),
    "difference the wrong way round": (
        "power_plant", "d_y = d_loss * (y - t)", "d_y = d_loss * (t - y)",
        "The sign is wrong in every element",
    ),
    "transpose forgotten": (
        "square", "d_h = d_g_z @ g_W.T", "d_h = d_g_z @ g_W",
        "is every operand of this line the right one?",
    ),
    "weights transposed": (
        "square", "d_g_W = h.T @ d_g_z", "d_g_W = d_g_z.T @ h",
        "the transpose of the right one",
    ),
    "mean for a sum": (
        "xor", "d_dense1_b = d_dense1_z.sum(axis=0)", "d_dense1_b = d_dense1_z.mean(axis=0)",
        "a mean stands where a sum belongs",
    ),
    "sum over the wrong axis": (
        "xor", "d_dense1_b = d_dense1_z.sum(axis=0)", "d_dense1_b = d_dense1_z.sum(axis=1)",
        "The result has the shape",
    ),
    "relu's mask forgotten": (
        "digits", "d_h_z = d_h * (h > 0)", "d_h_z = d_h",
        "A factor (h > 0) is missing",
    ),
    "a path forgotten": (
        "residual", "d_h = d_r + d_h_from_dense1_z", "d_h = d_h_from_dense1_z",
        "The contribution through r is left out of the sum",
    ),
    "batch size forgotten": (
        "digits", "(softmax(p_z) - np.eye(10, dtype=p_z.dtype)[digit]) / len(p_z)",
        "(softmax(p_z) - np.eye(10, dtype=p_z.dtype)[digit])",
        "a factor 1/B of the mean is missing",
    ),
    "half of sigmoid's slope": (
        "power_plant", "d_hidden1_z = d_hidden1 * hidden1 * (1 - hidden1)", "d_hidden1_z = d_hidden1 * (1 - hidden1)",
        "A factor hidden1 is missing",
    ),
}  # fmt: skip

ON_THE_EDGE = (
    "maxout", "d_m_dense1 = d_m * (m_dense1 >= dense2)", "d_m_dense1 = d_m * (m_dense1 > dense2)"
)  # fmt: skip


def answer(tmp_path, name, right, wrong, *options):
    """Compile, edit, check; return the exit code, what is printed, and the number of the edited line."""
    path = SPECS / f"{name}.nn"
    if name in SUBJECTS:
        path = tmp_path / f"{name}.nn"
        path.write_text(spec(name), encoding="utf-8")
    text = compile_spec(str(path), Options()).script
    assert text.count(right) == 1
    script = tmp_path / f"{name}.py"
    script.write_text(text.replace(right, wrong), encoding="utf-8")
    line = text[: text.index(right)].count("\n") + 1
    done = CliRunner().invoke(main, ["check", str(script), *(o.replace("SPEC", str(path)) for o in options)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output, line


@pytest.mark.parametrize("edit", EDITS)
def test_the_edited_line_is_named(edit, tmp_path):
    name, right, wrong, words = EDITS[edit]
    code, printed, line = answer(tmp_path, name, right, wrong)
    assert code == 1
    told = " ".join(printed.partition("The faulty rule")[2].split())
    assert f"line {line}: " in told
    assert wrong.split(" = ")[-1] in told
    assert words in told


@pytest.mark.parametrize("edit", EDITS)
def test_with_the_spec_the_right_line_is_shown(edit, tmp_path):
    name, right, wrong, _ = EDITS[edit]
    code, printed, line = answer(tmp_path, name, right, wrong, "--spec", "SPEC")
    printed = " ".join(printed.split())
    assert code == 1
    assert f"compiles to in line {line}." in printed
    assert right.split(" = ")[-1] in printed.partition("compiled ")[2]


def test_a_wrong_edge_is_named(tmp_path):
    code, printed, line = answer(tmp_path, *ON_THE_EDGE)
    assert code == 1
    assert f"line {line}: {ON_THE_EDGE[2]}" in printed
    assert "where a branch stands exactly on its edge" in " ".join(printed.split())


def test_an_unedited_script_passes_with_its_spec(tmp_path):
    same = "d_y = d_loss * (y - t)"
    code, printed, _ = answer(tmp_path, "power_plant", same, same, "--spec", "SPEC", "--seed", "3")
    assert code == 0
    assert "differs" not in printed
