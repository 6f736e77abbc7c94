"""Sizes that the spec leaves open: the data say them, or `--set`."""

import numpy as np
import pytest
from errors.runner import dotnn

from dotnn.core.diagnostics import CompileError
from dotnn.session import Compilation

TABLE = """model M {{
  input  x: [n]
  target y: {target}
  h = x -> dense(2 * n, tanh)
  output p = h -> dense({width}{act})
}}
data {{ {data} }}
train {{ loss = {loss}(p, y) }}
"""


def compiled(folder, sets=(), **parts):
    spec = folder / "any.nn"
    default = {"target": "class[k]", "width": "k", "act": ", softmax", "loss": "cross_entropy"}
    spec.write_text(TABLE.format(**default | parts))
    return Compilation.read(str(spec), sets).model


@pytest.fixture
def folder(tmp_path):
    """Tables of two widths, and arrays."""
    (tmp_path / "texts.csv").write_text("a,b,c,kind\n" + "".join(f"1,2,{i},{'uvwuu'[i]}\n" for i in range(5)))
    (tmp_path / "numbers.csv").write_text("a,b,kind\n1,2,0\n3,4,6\n")
    np.savez(tmp_path / "arrays.npz", x=np.zeros((4, 7), np.float32), y=np.array([0, 3, 1, 1]), t=np.zeros((4, 5, 2)))
    return tmp_path


@pytest.mark.parametrize(
    ("data", "sizes"),
    [
        ('source = csv("texts.csv", x = [a, b, c], y = kind)', {"n": 3, "k": 3}),
        ('source = csv("numbers.csv", x = [a, b], y = kind)', {"n": 2, "k": 7}),
        ('source = csv("numbers.csv", x = a, y = kind)', {"n": 1, "k": 7}),
        ('source = npz("arrays.npz", x = x, y = y)', {"n": 7, "k": 4}),
        ("x = [[1, 2, 3, 4], [5, 6, 7, 8]]  y = [0, 1]", {"n": 4, "k": 2}),
    ],
)
def test_the_data_say_them(folder, data, sizes):
    model = compiled(folder, data=data)
    assert {name: model.constants[name] for name in model.sizes} == sizes
    assert model.params["p.W"].shape == (2 * sizes["n"], sizes["k"])


def test_several_axes_and_rows_of_zeros_with_a_one(folder):
    real = {"act": "", "loss": "mse"}
    data = 'source = npz("arrays.npz", x = x, y = t)'
    model = compiled(
        folder, target="[rows, columns]", width="rows * columns) -> reshape([rows, columns]", data=data, **real
    )
    assert model.targets["y"].type.example == (5, 2)
    one_hot = 'source = npz("arrays.npz", x = x, y = y)  one_hot = y'
    assert compiled(folder, target="[k]", data=one_hot).targets["y"].type.example == (4,)


def test_set_comes_before_the_data(folder):
    model = compiled(folder, ("k=9",), data='source = csv("texts.csv", x = [a, b, c], y = kind)')
    assert model.constants["k"] == 9 and model.params["p.W"].shape == (6, 9)
    assert "k" not in model.sizes
    without = compiled(folder, ("n=5", "k=2"), data="x = [[1, 2, 3, 4, 5]]  y = [1]")
    assert without.params["h.W"].shape == (5, 10)


def test_one_spec_serves_two_tables_alike(folder):
    """It is the same network as the one with numbers in its place."""
    data = 'source = csv("texts.csv", x = [a, b, c], y = kind)'
    scripts = [compiled(folder, data=data)]
    (folder / "any.nn").write_text((folder / "any.nn").read_text().replace("[n]", "[3]").replace("2 * n", "6")
                                   .replace("[k]", "[3]").replace("(k", "(3"))  # fmt: skip
    scripts.append(Compilation.read(str(folder / "any.nn")).model)
    assert scripts[0].params.keys() == scripts[1].params.keys()
    assert [p.shape for p in scripts[0].params.values()] == [p.shape for p in scripts[1].params.values()]


@pytest.mark.parametrize("sets", [("n=0",), ("n=2.5",), ("n=many",)])
def test_a_size_that_is_none(folder, sets):
    with pytest.raises(CompileError):
        compiled(folder, sets, data='source = csv("texts.csv", x = [a, b, c], y = kind)')


@pytest.mark.parametrize(
    ("section", "file"),
    [("", "arrays.npz"), ('data { source = csv("none.csv", x = [a, b, c], y = kind) }', "texts.csv")],
)
def test_a_file_on_the_command_line_says_them(folder, section, file):
    """Of a spec without data, or instead of the file that it names; the run holds what they were."""
    (folder / "elsewhere").mkdir()
    (folder / file).rename(folder / "elsewhere" / file)
    given = str(folder / "elsewhere" / file)
    (folder / "any.nn").write_text(f"""model M {{ input x: [n]  target y: class[k]  output p = x -> dense(k, softmax) }}
{section} train {{ loss = cross_entropy(p, y)  epochs = 2  checkpoint = every(1) }}""")
    trained = dotnn("train", "any.nn", "--data", given, "--run", "run", folder=folder)
    assert trained.exit_code == 0, trained.stderr
    width, classes = (7, 4) if file.endswith("npz") else (3, 3)
    assert np.load(folder / "run" / "weights.npz")["p.W"].shape == (width, classes)
    again = dotnn("train", "any.nn", "--data", given, "--run", "run", "--epochs", "3", "--resume", folder=folder)
    assert again.exit_code == 0, again.stderr
    found = dotnn("predict", "run", "--input", given, "-o", "p.npz", folder=folder)
    assert found.exit_code == 0, found.stderr
    assert np.load(folder / "p.npz")["p"].shape[1] == classes
    assert dotnn("overfit", "any.nn", "--data", given, "--epochs", "2", folder=folder).exit_code in (0, 1)
    other = dotnn("train", "any.nn", "--data", str(folder / "none.npz"), "--run", "other", folder=folder)
    assert other.exit_code == 1 and "there is no file" in other.stderr
