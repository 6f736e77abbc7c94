"""Whatever the data readers say, there is something to do about it; and arrays are never told to be scrambled."""

import ast
import inspect
import re

import numpy as np
import pytest
from errors.runner import dotnn
from support import SPECS

from dotnn.running.data_help import fix_of, in_table
from dotnn_runtime.script import arrays, csv_file, npz_file, scaling
from dotnn_runtime.script.errors import DataError

READERS = (arrays, csv_file, npz_file, scaling)


def text_of(expr: ast.expr, names: dict[str, ast.expr]) -> str:
    """The message that an expression makes, with a 7 for everything that is filled in."""
    match expr:
        case ast.Constant():
            return str(expr.value)
        case ast.JoinedStr():
            return "".join(text_of(v, names) for v in expr.values)
        case ast.Call(func=ast.Attribute(value=inner)):
            return text_of(inner, names)
        case ast.FormattedValue(value=inner):
            return text_of(inner, names)
        case ast.IfExp(body=body):
            return text_of(body, names)
        case ast.Name(id=name) if name in names:
            return text_of(names[name], names)
    return "7"


def messages():
    for module in READERS:
        for function in ast.walk(ast.parse(inspect.getsource(module))):
            if not isinstance(function, ast.FunctionDef):
                continue
            assigned = [
                n for n in ast.walk(function) if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)
            ]
            names = {n.targets[0].id: n.value for n in assigned}
            for call in ast.walk(function):
                if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                    continue
                helped = any(k.arg == "help" for k in call.keywords) or len(call.args) == 5
                if call.func.id == "DataError" and not helped:
                    yield text_of(call.args[0], names)
                if call.func.id == "refuse" and not helped:
                    yield f"x[7] is 7, {text_of(call.args[3], names)}"


SAID = sorted(set(messages()))


def test_there_are_messages():
    assert len(SAID) > 15


@pytest.mark.parametrize("message", SAID)
def test_every_message_has_a_fix(message):
    assert fix_of(message, "")


@pytest.mark.parametrize(
    ("found", "shape"),
    [
        ((5, 4), (4,)),
        ((4, 5), (4,)),
        ((9, 3, 2), (2, 3)),
        ((9, 5, 2, 3), (3, 5, 2)),
        ((2, 3, 9), (2, 3)),
        ((9, 6), (2, 3)),
    ],
)
def test_the_fix_of_a_shape_keeps_examples_whole(found, shape):
    """What the help says is done, and gives every example its own numbers, in the declared shape."""
    value = np.arange(np.prod(found)).reshape(found)
    if found[1:] == shape:
        arrays.check_array("x", value, "real", shape)
        return
    with pytest.raises(DataError) as caught:
        arrays.check_array("x", value, "real", shape)
    message = str(caught.value).removesuffix(f" ({caught.value.help})")
    fix = fix_of(message, caught.value.help)
    if "store x" in fix:
        mended = eval(re.search(r"store (x\.T|x\.transpose\([\d, ]*\))", fix)[1], {"x": value})
        assert mended.shape[1:] == shape
        assert {tuple(sorted(example.ravel())) for example in mended} == {
            tuple(sorted(np.take(value, i, axis=-1 if len(found) > len(shape) and found[:-1] == shape else 0).ravel()))
            for i in range(len(mended))
        }
    else:
        assert "reshape(-1, 2, 3) if the order is right" in fix


def test_two_axes_of_one_size_are_not_guessed():
    assert "transpose" not in fix_of("x has shape (9, 3, 3, 2), needed is (n, 3, 2, 3)", "")


def test_an_element_of_a_table_has_its_line(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text("a,y\n1,1\n\n2,2\n3,3\n")
    error = in_table(DataError("y[2] is 3, allowed is 0…2", help="count from 0: subtract 1"), path, {"y": "y"})
    assert (error.row, error.column, str(error.path)) == (5, 2, str(path))
    assert in_table(DataError("x is ragged"), path, {"y": "y"}).row is None


def test_a_file_that_is_not_there_is_no_question_of_permissions(tmp_path):
    (tmp_path / "xor.nn").write_text((SPECS / "xor.nn").read_text("utf-8"), "utf-8")
    assert dotnn("train", "xor.nn", "--epochs", "1", "--run", "run", folder=tmp_path).exit_code == 0
    for name in ("none.csv", "none.npz"):
        said = dotnn("predict", "run", "--input", name, folder=tmp_path)
        assert said.exit_code == 1 and "no such file" in said.stderr and "permissions" not in said.stderr
