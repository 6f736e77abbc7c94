"""Peak memory of a training on a large .npz file, beside that of the same command on a few examples.

    python benchmarks/memory.py [--megabytes 500] [--dtype float32] [--folder DIR] [--epochs 2]

The file holds features of a type and classes; the spec splits them, scales them to mean 0 and deviation 1, and computes
metrics of the training and of the validation part. Each command is a process of its own; its peak is what the system
says of it (`ru_maxrss`), less that of the same command on two thousand examples, and divided by the size of the arrays.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

FEATURES, CLASSES = 784, 10
SPEC = f"""
model Large {{
  input  x: [{FEATURES}]
  target y: class[{CLASSES}]
  h = x -> dense(64, relu)
  output p = h -> dense({CLASSES}, softmax)
}}
data {{
  source = npz("NAME.npz", x = x, y = y)
  scale  = standard(x)
  split  = split(train = 70%, val = 10%, test = 20%)
}}
train {{
  loss    = cross_entropy(p, y)
  optim   = adam(1e-3)
  batch   = 128
  stop    = early(val_loss, patience = 8)
  metrics = [accuracy]
}}
"""


def main() -> None:
    """Write the data, train, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64", "uint8"])
    parser.add_argument("--folder", type=Path, help="where the data go; default: a temporary one")
    parser.add_argument("--epochs", type=int, default=2)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = options.folder or Path(scratch)
        row = np.dtype(options.dtype).itemsize * FEATURES
        rows = options.megabytes * 2**20 // row
        write_it = [sys.executable, os.path.abspath(__file__), "--write"]
        run(write_it, folder, {"ROWS": str(rows), "DTYPE": options.dtype})
        size = rows * (row + 8) / 2**20
        print(f"arrays of {size:.0f} MB, {options.epochs} epochs")
        print("| command | style | peak MB | beyond a few examples MB | times the arrays | CPU s |")
        print("|---|---|--:|--:|--:|--:|")
        for style in ("explain", "fast"):
            for what, command in commands(folder, style, options.epochs).items():
                few, _ = run([word.replace("NAME", "few") for word in command], folder)
                most, seconds = run([word.replace("NAME", "large") for word in command], folder)
                beyond = most - few
                print(f"| {what} | {style} | {most:.0f} | {beyond:.0f} | {beyond / size:.2f} | {seconds:.1f} |")


def commands(folder: Path, style: str, epochs: int) -> dict[str, list[str]]:
    """Return what is measured, and write the scripts; NAME stands for the data."""
    dotnn = [sys.executable, "-m", "dotnn"]
    for name in ("few", "large"):
        run([*dotnn, "compile", f"{name}.nn", "--style", style, "-o", f"{name}_{style}.py"], folder)
    trained = [*dotnn, "train", "NAME.nn", "--style", style, "--run", f"NAME_{style}", "--overwrite"]
    return {
        "dotnn train": [*trained, "--epochs", str(epochs)],
        "python SCRIPT train": [sys.executable, f"NAME_{style}.py", "train", "--epochs", str(epochs)],
        "dotnn evaluate": [*dotnn, "evaluate", f"NAME_{style}"],
        "dotnn evaluate --data": [*dotnn, "evaluate", f"NAME_{style}", "--data", "NAME.npz"],
        "dotnn predict": [*dotnn, "predict", f"NAME_{style}", "--input", "NAME.npz", "-o", "found.npz", "--force"],
    }


def run(command: list[str], folder: Path, more: dict[str, str] | None = None) -> tuple[float, float]:
    """Run a command in a folder; return its peak in MB and its CPU seconds (a peak counts from this process on)."""
    quiet = [
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, f"{folder}/errors", 577, 420),
    ]
    here = os.getcwd()
    os.chdir(folder)
    started = os.posix_spawn(command[0], command, {**os.environ, **(more or {})}, file_actions=quiet)
    os.chdir(here)
    _, status, used = os.wait4(started, 0)
    if status:
        sys.exit(f"{' '.join(command)} failed:\n{(folder / 'errors').read_text()}")
    scale = 2**20 if sys.platform == "darwin" else 2**10
    return used.ru_maxrss / scale, used.ru_utime + used.ru_stime


def write(rows: int, dtype: str) -> None:
    """Write the specs and the data into the current folder."""
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=rows)
    x = rng.standard_normal((rows, FEATURES), dtype=np.float32)
    x += 1
    x[:, :CLASSES] += 2 * np.eye(CLASSES, dtype=np.float32)[y]
    for name, count in (("large", rows), ("few", 2000)):
        np.savez(f"{name}.npz", x=(x[:count] * 20 + 100 if dtype == "uint8" else x[:count]).astype(dtype), y=y[:count])
        Path(f"{name}.nn").write_text(SPEC.replace("NAME", name))


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write(int(os.environ["ROWS"]), os.environ["DTYPE"])
    else:
        main()
