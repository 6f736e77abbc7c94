"""What reading data costs: a table of numbers beside `np.loadtxt`, and the memory of a large mapped array.

python benchmarks/data_files.py [--rows 100000] [--mib 1024]
"""

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np

from dotnn_runtime.script.data import read_csv

SPEC = """
model Big {
  input  x: [512]
  target y: class[4]
  output p = x -> dense(8, relu) -> dense(4, softmax)
}
data { x = npy("x.npy")  y = npy("y.npy")  scale = standard(x)  split = split(val = 10%) }
train { loss = cross_entropy(p, y)  optim = sgd(0.01)  epochs = 1  batch = 256 }
"""


def table(folder: Path, rows: int) -> None:
    """Print processor time and memory of `read_csv`, beside those of `np.loadtxt`."""
    path, columns = folder / "t.csv", [f"c{i}" for i in range(10)]
    numbers = np.random.default_rng(0).normal(size=(rows, 10))
    np.savetxt(path, numbers, delimiter=",", header=",".join(columns), comments="", fmt="%.9g")
    ways = {
        "np.loadtxt": lambda: np.loadtxt(path, delimiter=",", skiprows=1),
        "read_csv": lambda: read_csv(path, {"x": columns[:9], "y": columns[9:]}, {}),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(5):
        for name, read in ways.items():
            begun = time.process_time()
            read()
            seconds[name].append(time.process_time() - begun)
    for name, read in ways.items():
        tracemalloc.start()
        read()
        peak = tracemalloc.get_traced_memory()[1] / numbers.nbytes
        tracemalloc.stop()
        ratio = statistics.median(seconds[name]) / statistics.median(seconds["np.loadtxt"])
        print(
            f"{name:12} {statistics.median(seconds[name]):.3f} s, {ratio:.2f} of loadtxt, {peak:.2f} arrays of memory"
        )


def mapped(folder: Path, mib: int, style: str) -> None:
    """Print the most memory of its own that a training from a large file takes (Linux)."""
    rows = mib * 512
    if not (folder / "x.npy").exists():
        array = np.lib.format.open_memmap(folder / "x.npy", "w+", np.float32, (rows, 512))
        rng = np.random.default_rng(0)
        for start in range(0, rows, 2**14):
            array[start : start + 2**14] = rng.standard_normal(array[start : start + 2**14].shape, dtype=np.float32)
        np.save(folder / "y.npy", rng.integers(0, 4, rows).astype(np.uint8))
    (folder / "big.nn").write_text(SPEC)
    command = [sys.executable, "-m", "dotnn", "train", str(folder / "big.nn"), "--style", style]
    run = subprocess.Popen([*command, "--run", str(folder / style)], stdout=subprocess.DEVNULL)
    peak = 0
    while run.poll() is None:
        found = re.search(r"RssAnon:\s+(\d+)", Path(f"/proc/{run.pid}/status").read_text())
        peak = max(peak, int(found[1]) if found else 0)
        time.sleep(0.02)
    print(f"{style:12} {mib} MiB of numbers, {peak / 1024:.0f} MiB of memory of its own, exit {run.returncode}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--mib", type=int, default=1024)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        table(Path(name), options.rows)
        for style in ("fast", "explain"):
            mapped(Path(name), options.mib, style)
