"""Damaged files: every file of a run and of data, damaged in many ways, given to every command that reads it.

Right is an error of dotnn's own (exit code 1), or the very result of the undamaged file. Never a traceback, never
NN901, never other numbers in silence.

    python tests/reliability/damage.py --number 200 --seed 0
"""

import argparse
import contextlib
import io
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from errors.runner import dotnn
from reliability.damages import damages

SPEC = """
model M {
  input  x: [2]
  target y: class[3]
  h = x -> dense(3, bias = false) -> batchnorm -> tanh
  output p = h -> dense(3, softmax)
}
data { source = SOURCE  scale = standard(x) }
train { loss = cross_entropy(p, y)  optim = adam(plateau(0.01))  stop = early(loss)  batch = 5  epochs = 6
  checkpoint = every(2, keep = best) }
"""
SOURCES = {"texts": 'csv("data.csv", x = [a, b], y = kind)', "numbers": 'npz("data.npz", x = x, y = y)'}


@dataclass(frozen=True)
class Result:
    """How a command ended, what it said, and the numbers that it made."""

    code: int
    said: str
    numbers: bytes

    def is_right(self, right: "Result") -> bool:
        if "Traceback" in self.said or "NN901" in self.said:
            return False
        if self.code == 0:
            return self.numbers == right.numbers or "was edited since dotnn wrote it" in self.said
        return bool(re.search(r"^error(\[NN\d+\])?: \S", self.said, re.MULTILINE))


def script(*args: str, folder: Path) -> Result:
    """The command line of the script in a folder, in this process."""
    said, out = io.StringIO(), io.StringIO()
    before, argv = Path.cwd(), sys.argv
    names = {"__name__": "generated", "__file__": str(folder / "run" / "model.py")}
    try:
        os.chdir(folder)
        sys.argv = ["model.py", *args]
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
            exec(compile(Path("run/model.py").read_text(), "model.py", "exec"), names)
            names["main"]()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Result(code, f"{said.getvalue()}{end.code}", out.getvalue().encode())
    except Exception as error:
        return Result(1, f"Traceback {error!r}", b"")
    finally:
        os.chdir(before)
        sys.argv = argv
    raise AssertionError("a script exits")


def command(*args: str, folder: Path) -> Result:
    outcome = dotnn(*args, folder=folder)
    return Result(outcome.exit_code, outcome.stderr, outcome.stdout.encode())


def weights(result: Result, path: Path) -> Result:
    """The result of a training: its numbers are the weights."""
    if result.code != 0:
        return result
    with np.load(path) as stored:
        return Result(0, result.said, b"".join(name.encode() + stored[name].tobytes() for name in stored))


def resume(folder: Path) -> Result:
    done = command("train", "spec.nn", "--run", "run", "--resume", folder=folder)
    return weights(done, folder / "run" / "weights.npz")


def resume_by_script(folder: Path) -> Result:
    done = script("train", "--data", ".", "--out", "run", "--resume", "--epochs", "8", folder=folder)
    return weights(done, folder / "run" / "weights.npz")


def train(folder: Path) -> Result:
    return weights(command("train", "spec.nn", "--run", "other", folder=folder), folder / "other" / "weights.npz")


def train_by_script(folder: Path) -> Result:
    done = script("train", "--data", ".", "--out", "other", folder=folder)
    return weights(done, folder / "other" / "weights.npz")


def predict(folder: Path) -> Result:
    return command("predict", "run", "--input", "in.npz", folder=folder)


def predict_by_script(folder: Path) -> Result:
    return script("predict", "--weights", "run", "--input", "in.npz", folder=folder)


def check(folder: Path) -> Result:
    """Only that it says something: what a damaged script computes is for the check to find out."""
    done = command("check", "run/model.py", folder=folder)
    said = done.said if "NN901" in done.said or "error[" in done.said else "error: a verdict"
    return Result(1, said, b"")


Command = Callable[[Path], Result]
READERS: dict[str, tuple[Command, ...]] = {
    "run/weights.npz": (predict, predict_by_script, resume),
    "run/scaling.json": (predict, predict_by_script),
    "run/labels.json": (predict,),
    "run/metrics.json": (predict,),
    "run/run.json": (predict, resume),
    "run/model.py": (predict, resume, check),
    "run/spec.nn": (resume, predict),
    "run/history.csv": (resume,),
    "run/checkpoint.npz": (resume, resume_by_script),
    "run/best.npz": (resume,),
    "in.npz": (predict, predict_by_script),
    "data.npz": (train, train_by_script, resume),
}
"""The commands that read a file, or write it anew."""
OF_THE_USER = ("in.npz", "data.npz")


def prepare(folder: Path, source: str) -> None:
    """Make a folder with data, a spec, and a run that has trained 6 epochs of 6."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(3, 2, (20, 2)), rng.integers(0, 3, 20)
    np.savez(folder / "data.npz", x=x, y=y)
    np.savez(folder / "in.npz", x=x[:4])
    rows = [f"{a!r},{b!r},{'uvw'[k]}" for (a, b), k in zip(x.tolist(), y, strict=True)]
    (folder / "data.csv").write_text("\n".join(["a,b,kind", *rows]) + "\n")
    (folder / "spec.nn").write_text(SPEC.replace("SOURCE", SOURCES[source]))
    done = dotnn("train", "spec.nn", "--run", "run", folder=folder)
    assert done.exit_code == 0, done.stderr


def trials(seed: int) -> list[tuple[str, str, str, bytes, Command]]:
    """Every damage of every file with every command that reads it, in a random order: source, file, damage, bytes."""
    found = []
    rng = np.random.default_rng(seed)
    for source in SOURCES:
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder), source)
            for file, readers in READERS.items():
                if not (Path(folder) / file).exists() or (file == "data.npz" and source != "numbers"):
                    continue
                for what, content in damages(file, (Path(folder) / file).read_bytes(), rng):
                    if file in OF_THE_USER and what.endswith("of integers"):
                        continue  # they are other data, and right ones
                    found += [(source, file, what, content, reader) for reader in readers]
    return [found[i] for i in rng.permutation(len(found))]


def run(number: int, seed: int) -> tuple[int, list[str]]:
    """Try `number` damages (0: all); return how many, and a line for each that was not dealt with rightly."""
    chosen = trials(seed)[: number or None]
    wrong = []
    with tempfile.TemporaryDirectory() as scratch:
        folders, right = {}, {}
        for source in SOURCES:
            folders[source] = Path(scratch) / source
            folders[source].mkdir()
            prepare(folders[source], source)
        for source, file, what, content, reader in chosen:
            if (source, reader) not in right:
                right[source, reader] = _in_copy(folders[source], lambda folder: None, reader)
                assert right[source, reader].code == 0 or reader is check, right[source, reader].said
            found = _in_copy(folders[source], lambda f: (f / file).write_bytes(content), reader)  # noqa: B023
            if not found.is_right(right[source, reader]):
                said = " ".join(found.said.split())[:200]
                wrong.append(f"{file}, {what}, {reader.__name__} ({source}): exit {found.code} {said}")
    return len(chosen), wrong


def _in_copy(folder: Path, change: Callable[[Path], object], reader: Command) -> Result:
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy)
        change(copy)
        return reader(copy)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="how many damages, drawn by the seed; 0: all")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    started = time.perf_counter()
    count, wrong = run(options.number, options.seed)
    print(*wrong, sep="\n" if wrong else "")
    print(f"{count} damaged files, {len(wrong)} not dealt with rightly, {time.perf_counter() - started:.0f} s")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
