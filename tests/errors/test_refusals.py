"""What is refused costs nothing that was there, and says what it is."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from errors.runner import Outcome, dotnn

SPEC = """
model M {
  input  x: [2]
  target y: class[2]
  output p = x -> dense(3, tanh) -> dense(2, softmax)
}
data {
  source = csv("d.csv", x = [a, b], y = kind)
  scale  = standard(x)
  split  = split(train = 60%, val = 20%, test = 20%)
}
train { loss = cross_entropy(p, y)  batch = 4  epochs = 4  seed = 1
  checkpoint = every(1)  stop = early(val_loss, patience = 3) }
"""
ROWS = [f"{i * 7 % 5},{i * 3 % 4},{'left' if i % 2 else 'right'}" for i in range(20)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "s.nn").write_text(SPEC)
    (folder / "d.csv").write_text("\n".join(["a,b,kind", *ROWS]) + "\n")
    assert dotnn("train", "s.nn", "--run", "run", folder=folder).exit_code == 0
    assert dotnn("compile", "s.nn", folder=folder).exit_code == 0
    return folder


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "own"))


def contents(run: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in run.iterdir()}


@pytest.mark.parametrize(
    "command", [["--overwrite"], ["--resume", "--epochs", "2"], ["--resume", "--set", "nosuch=1"], ["--resume"]]
)
def test_a_refused_training_leaves_the_run_as_it_is(command: list[str], folder: Path):
    before = contents(folder / "run")
    (folder / "d.csv").write_text("\n".join(["a,b,kind", *ROWS[:2]]) + "\n")  # no part to test is left
    assert dotnn("train", "s.nn", "--run", "run", *command, folder=folder).exit_code == 1
    assert contents(folder / "run") == before


@pytest.mark.parametrize("name", ["scaling.json", "labels.json"])
@pytest.mark.parametrize("lost", [True, False])
def test_a_table_of_another_run_is_refused(name: str, lost: bool, folder: Path):
    (folder / "new.csv").write_text("a,b\n1,2\n")
    assert dotnn("predict", "run", "--input", "new.csv", folder=folder).exit_code == 0
    table = json.loads((folder / "run" / name).read_text())
    if lost:
        (folder / "run" / name).unlink()
    else:
        del table["crc-32"]
        other = table["y"][::-1] if name == "labels.json" else {**table["x"], "scale": table["x"]["shift"]}
        (folder / "run" / name).write_text(json.dumps(dict.fromkeys(table, other)))
    found = dotnn("predict", "run", "--input", "new.csv", folder=folder)
    assert found.exit_code == 1 and found.stdout == "" and name in found.stderr


@pytest.mark.parametrize("wrong", ["model M { input x: [2] }", "nonsense"])
def test_an_error_of_a_spec_is_the_same_under_a_deadline(wrong: str, tmp_path: Path):
    (tmp_path / "s.nn").write_text(wrong)
    plain, timed = (dotnn("check", "s.nn", *more, folder=tmp_path) for more in ([], ["--timeout", "50"]))
    assert plain == Outcome(1, plain.stdout, timed.stderr, plain.seconds) and "NN901" not in plain.stderr


def test_a_setting_needs_a_spec(folder: Path):
    assert dotnn("check", "s.py", "--set", "nosuch=1", folder=folder).exit_code == 2


def test_the_script_of_a_run_with_other_epochs_is_that_of_its_spec(folder: Path):
    assert dotnn("train", "s.nn", "--run", "short", "--epochs", "2", folder=folder).exit_code == 0
    assert dotnn("check", "short/model.py", "--spec", "s.nn", folder=folder).exit_code == 0


EDITS = {
    "the inputs are not scaled": (
        '.reshape(-1, 2), scaling["x"])',
        '.reshape(-1, 2), {"shift": 0, "scale": 1})',
        "FAIL",
    ),
    "it never stops early": ('state["best_epoch"] + 3:', 'state["best_epoch"] + 3000:', "INCONCLUSIVE"),
    "a sign in forward": ("+ dense2_b", "- dense2_b", "FAIL"),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_script_beside_its_spec(name: str, folder: Path):
    before, after, verdict = EDITS[name]
    text = (folder / "s.py").read_text()
    assert text.count(before) >= 1
    (folder / "s.py").write_text(text.replace(before, after, 1))
    found = dotnn("check", "s.py", "--spec", "s.nn", "--json", folder=folder)
    report = json.loads(found.stdout)
    assert (found.exit_code, report["verdict"].partition("(")[0]) == (1, verdict)
    line = text[: text.index(before)].count("\n") + 1
    if verdict == "FAIL":
        assert report["blame"]["generated_line"].startswith(f"{line}: ")
    else:
        assert f"line {line}" in report["reason"]
