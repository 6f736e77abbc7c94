"""One file is enough for a command, an activation, a loss, and one with its reader for a data source.

Tried in a copy of the packages.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMAND = '''
import click
from dotnn.commands.options import FILE, json_option, set_option, spec_argument

@click.command("size")
@spec_argument
@json_option
@set_option
def command(spec, as_json, sets):
    """Print how many numbers a spec trains."""
    from dotnn.session import front
    click.echo(front(spec, sets)[0].size)
    return 5
'''
SOURCE = '''
from dotnn.library.sources.base import DataSource

PLAIN = """
def read_tsv(path, columns):
    with open(path, encoding="utf-8") as file:
        header, *rows = [line.split() for line in file]
    return np.array(rows)[:, [header.index(column) for column in columns]]
"""
TSV = DataSource(
    "tsv", "Columns with tabs between them.", reader="tsv_file.read_tsv", file="a TSV file", ending=".tsv",
    form='tsv("file", x = [columns])', plain=PLAIN, table=True,
)
'''
READER = '''
import pathlib
import numpy as np
from dotnn_runtime.script.errors import DataError

def read_tsv(path, columns, kinds, labels=None):
    """Read columns with tabs between them; classes are numbers."""
    header, *rows = [line.split("\\t") for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()]
    arrays = {}
    for name, wanted in columns.items():
        for column in wanted:
            if column not in header:
                raise DataError(f"there is no column {column}", path, help="look at its first line")
        cells = [[row[header.index(column)] for column in wanted] for row in rows]
        is_class = kinds.get(name, "real").startswith("class")
        arrays[name] = np.array([int(row[0]) for row in cells]) if is_class else np.array(cells, float)
    return arrays, {}
'''
ACTIVATION = """
from dotnn.library.layers.base import activation
from dotnn.library.ops.activations import unary

GENTLE_OP, GENTLE_DERIVATIVE = unary("gentle", "z / (1 + abs(z))")
GENTLE = activation("gentle", "Like tanh, but slower.", equation="a = z / (1 + |z|)")
TYPO = activation("typo", "An activation whose op is called otherwise.", op="gentel")
"""
LOSS = """
from dotnn.library.losses.base import Loss, reduce_arg
from dotnn.library.ops.losses import pointwise

OP, GRADIENT = pointwise("mild", "abs(y - t) + log1p(exp(-2 * abs(y - t))) - log(2)", "tanh(y - t)")
MILD = Loss("mild", "Smooth.", "mild", averages=True, args=(reduce_arg("mean"),))
"""
OF_THEM = """
model M { input x: [2]  target t: [1]  output y = x -> dense(3, ACT) -> ACT -> dense(1) }
train { loss = mild(y, t) }
"""
SPEC = """
model M {
  input  x: [2]
  target y: class[2]
  output p = x -> dense(3, tanh) -> dense(2, softmax)
}
data { source = FORMAT("d.FORMAT", x = [a, b], y = kind)  scale = standard(x) }
train { loss = cross_entropy(p, y)  batch = 4  epochs = 4  seed = 1 }
"""
ROWS = [["a", "b", "kind"], *([f"{i * 7 % 5}", f"{i * 3 % 4}", f"{i % 2}"] for i in range(20))]


@pytest.fixture(scope="module")
def copy(tmp_path_factory) -> Path:
    """The packages with a new command, activation and loss, and a new source and its reader."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "compiler/dotnn", folder / "dotnn")  # with its bytecode: to make it anew takes seconds
    shutil.copytree(ROOT / "grammar", folder / "dotnn/grammar")
    shutil.copytree(ROOT / "runtime/dotnn_runtime", folder / "dotnn_runtime")
    (folder / "dotnn/commands/size.py").write_text(COMMAND)
    (folder / "dotnn/library/layers/gentle.py").write_text(ACTIVATION)
    (folder / "dotnn/library/losses/mild.py").write_text(LOSS)
    for name in ("gentle", "typo"):
        (folder / f"{name}.nn").write_text(OF_THEM.replace("ACT", name))
    (folder / "dotnn/library/sources/tsv.py").write_text(SOURCE)
    (folder / "dotnn_runtime/script/tsv_file.py").write_text(READER)
    for name, mark in (("csv", ","), ("tsv", "\t")):
        (folder / f"d.{name}").write_text("\n".join(map(mark.join, ROWS)) + "\n")
        (folder / f"of_{name}.nn").write_text(SPEC.replace("FORMAT", name))
    return folder


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    return subprocess.run([sys.executable, *words], cwd=copy, env=environment, capture_output=True, text=True)


def test_a_command_joins(copy):
    assert "Print how many numbers a spec trains." in run(copy, "-m", "dotnn", "--help").stdout
    found = run(copy, "-m", "dotnn", "size", "of_csv.nn")
    assert (found.stdout, found.returncode) == (f"{2 * 3 + 3 + 3 * 2 + 2}\n", 5), found.stderr


def test_its_errors_are_reported_as_everywhere(copy):
    missing = run(copy, "-m", "dotnn", "size", "none.nn", "--json")
    assert missing.returncode == 1 and "error[NN001]" in missing.stderr
    assert [error["code"] for error in json.loads(missing.stdout)["errors"]] == ["NN001"]
    assert "cannot be the name of a file" in run(copy, "-m", "dotnn", "size", "a" * 300).stderr


def test_an_activation_and_a_loss_join_with_their_ops(copy):
    checked = run(copy, "-m", "dotnn", "check", "gentle.nn", "--json")
    assert json.loads(checked.stdout)["verdict"] == "PASS", checked.stderr
    assert run(copy, "-m", "dotnn", "compile", "gentle.nn", "--target", "tensorflow").returncode == 0


def test_an_op_that_does_not_exist_is_named(copy):
    for words in (("check", "typo.nn", "--json"), ("compile", "typo.nn")):
        found = run(copy, "-m", "dotnn", *words)
        assert found.returncode == 1 and "error[NN902]" in found.stderr
    assert "gentel" in found.stderr and 'did you mean "gentle"?' in found.stderr


@pytest.mark.parametrize("style", ["explain", "fast"])
def test_a_source_trains_like_the_same_table_in_another_format(style, copy):
    words, weights = [], []
    for name in ("csv", "tsv"):
        spec, script, folder = f"of_{name}.nn", f"{style}_{name}.py", f"{style}-{name}"
        trained = run(copy, "-m", "dotnn", "train", spec, "--run", folder, "--style", style)
        assert trained.returncode == 0, trained.stderr
        assert run(copy, "-m", "dotnn", "compile", spec, "-o", script, "--style", style).returncode == 0
        by_script = run(copy, script, "train")
        assert by_script.returncode == 0, by_script.stderr
        predicted = run(copy, "-m", "dotnn", "predict", folder, "--input", f"d.{name}")
        assert predicted.returncode == 0 and predicted.stdout, predicted.stderr
        words.append((by_script.stdout, predicted.stdout))
        with np.load(copy / folder / "weights.npz") as stored:
            weights.append(dict(stored))
    assert words[0] == words[1]
    assert weights[0].keys() == weights[1].keys()
    assert all(np.array_equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_a_source_is_checked_and_its_errors_have_their_place(copy):
    text = (copy / "of_tsv.nn").read_text()
    for wrong, right, code in (("[a, b, kind]", "[a, b]", "NN323"), ("[a, c]", "[a, b]", "NN403")):
        (copy / "wrong.nn").write_text(text.replace(right, wrong))
        found = run(copy, "-m", "dotnn", "train", "wrong.nn", "--run", "wrong", "--json")
        (error,) = json.loads(found.stdout)["errors"]
        line = (copy / "wrong.nn").read_text().splitlines()[error["line"] - 1]
        assert error["code"] == code and "tsv(" in line, found.stderr
        assert line[error["column"] - 1] in "xc"
